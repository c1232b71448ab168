import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { parseCrl } from '../../src/x509/crl/crl.ts';
import { readPem } from '../../src/x509/file/pem.ts';
import type { TrustStoreFile } from '../../src/x509/file/trust-store.ts';
import { crlSetOf, crlsFrom, type RevocationStatus, revocationOf } from '../../src/x509/path/revocation.ts';
import { authorities, certificateFile } from '../support/certificate-corpus.ts';
import { type CertificateRecipe, commonName, type ExtensionRecipe, NOW } from '../support/certificate-recipe.ts';
import { corpusRows, describeCorpus } from '../support/corpus.ts';
import {
  type CrlRecipe,
  crlPem,
  deltaIndicator,
  issuingDistributionPoint,
  LIST_PERIOD,
  longSerial,
  mintCrl,
  REVOKED_AT,
} from '../support/crl-recipe.ts';
import { derNull, oid, sequence } from '../support/der-writer.ts';
import { execute } from '../support/execute.ts';
import { keyPair, type Minted, mintAuthority, mintEkChain, pem, spkiOf } from '../support/pki.ts';
import { unhex } from '../support/vectors.ts';

const NAME = 'Test TPM Root CA';
const { root, intermediate, rootKey } = mintEkChain();
const otherKey = keyPair('p256', 'other root');
/** The same name with another key. */
const otherRoot = mintAuthority(NAME, otherKey, { issuer: NAME, key: otherKey });

/** What mintCertificate gives everything that is told nothing else. */
const SERIAL = unhex('0123');
const listed = [{ serial: SERIAL, reason: 1 }];
const revoked: RevocationStatus = { status: 'revoked', at: REVOKED_AT, reason: 'keyCompromise' };

const mint = (recipe: Partial<CrlRecipe> = {}): Uint8Array =>
  mintCrl({ signer: rootKey.privateKey, issuer: commonName(NAME), ...recipe });
const day = (text: string): Date => new Date(`2026-${text}T00:00:00Z`);
const period = (from: Date, until: Date): RevocationStatus => ({
  status: 'good',
  steady: { from: from.getTime(), until: until.getTime() },
});
const good = period(LIST_PERIOD.thisUpdate, LIST_PERIOD.nextUpdate);

interface Question {
  readonly certificate?: Minted;
  readonly issuer?: Minted;
  readonly now?: Date;
}
const ask = (lists: readonly Uint8Array[], question: Question = {}): RevocationStatus =>
  revocationOf(
    (question.certificate ?? intermediate).certificate,
    (question.issuer ?? root).certificate,
    crlSetOf(lists.map(parseCrl)),
    question.now ?? NOW,
  );
const authority = (recipe: CertificateRecipe): Minted =>
  mintAuthority('Test TPM Intermediate CA', keyPair('p256', 'intermediate'), { issuer: NAME, key: rootKey }, recipe);
const rootWith = (recipe: CertificateRecipe): Minted =>
  mintAuthority(NAME, rootKey, { issuer: NAME, key: rootKey }, recipe);

test.each<[string, Partial<CrlRecipe>]>([
  ['an empty list', {}],
  ['a list of others', { revoked: [{ serial: unhex('0124') }, { serial: unhex('0122'), reason: 6 }] }],
  ['a list of version 1', { version: null }],
  ['a list that spells the issuer in another way', { issuer: commonName('TEST tpm  Root CA', 'printable') }],
  ['a list that lifts an earlier revocation', { revoked: [{ serial: SERIAL, reason: 8 }] }],
])('%s of the issuer says that the certificate is good', (_, recipe) => {
  expect(ask([mint(recipe)])).toEqual(good);
});

test.each<[string, Partial<CrlRecipe>, string | undefined]>([
  ['for a key compromise', { revoked: listed }, 'keyCompromise'],
  ['on hold', { revoked: [{ serial: SERIAL, reason: 6 }] }, 'certificateHold'],
  ['without a reason', { revoked: [{ serial: SERIAL }] }, undefined],
  ['in a list of version 1', { version: null, revoked: [{ serial: SERIAL }] }, undefined],
  ['with zeros in front of its number', { revoked: [{ serial: unhex('00000123') }] }, undefined],
  ['in a stale list', { revoked: listed, nextUpdate: day('05-30') }, 'keyCompromise'],
  ['in a list that has not begun', { revoked: listed, thisUpdate: day('06-02') }, 'keyCompromise'],
])('a certificate listed %s is revoked', (_, recipe, reason) => {
  expect(ask([mint(recipe)])).toEqual({ status: 'revoked', at: REVOKED_AT, reason });
});

test('zeros in front of the number of the certificate hide it from no list', () => {
  const padded = authority({ serial: unhex('00000001') });
  expect(ask([mint({ revoked: [{ serial: unhex('01') }] })], { certificate: padded }).status).toBe('revoked');
  expect(ask([mint({ revoked: [{ serial: unhex('0100') }] })], { certificate: padded })).toEqual(good);
  const positive = authority({ serial: unhex('0080') });
  expect(ask([mint({ revoked: [{ serial: unhex('0080') }] })], { certificate: positive }).status).toBe('revoked');
  expect(ask([mint({ revoked: [{ serial: unhex('80') }] })], { certificate: positive })).toEqual(good);
});

test('one certificate among 5,000 is revoked, and its neighbour is good', () => {
  const list = mint({ revoked: Array.from({ length: 5000 }, (_, i) => ({ serial: longSerial(2 * i) })) });
  expect(list.length).toBeGreaterThan(114_000);
  expect(ask([list], { certificate: authority({ serial: longSerial(4242) }) }).status).toBe('revoked');
  expect(ask([list], { certificate: authority({ serial: longSerial(4243) }) })).toEqual(good);
});

const CA = '"CN=Test TPM Root CA"';
const LIST = `revocation list 029d of ${CA}`;
const unknownCritical: ExtensionRecipe = { oid: '1.3.6.1.4.1.99999.1', critical: true, value: derNull() };
/** Of a list in which the certificate is not: nothing. Where it is in it, what then. */
const unknown: readonly [string, string, 'revokes' | 'says nothing', Partial<CrlRecipe> | undefined, Question?][] = [
  ['no list', `no revocation list of ${CA} is known`, 'says nothing', undefined],
  [
    'a list of another name',
    `no revocation list of ${CA} is known`,
    'says nothing',
    { issuer: commonName('Test TPM Root') },
  ],
  [
    'a list signed with another key of the same name',
    `${LIST} was not signed with the key of ${CA}`,
    'says nothing',
    { signer: otherKey.privateKey },
  ],
  [
    'the list of the issuer of the same name',
    `${LIST} was not signed with the key of ${CA}`,
    'says nothing',
    {},
    { issuer: otherRoot },
  ],
  [
    'a list signed with SHA-1',
    `${LIST} is signed with rsa-pkcs1-sha1`,
    'revokes',
    { signer: keyPair('rsa2048', 'root').privateKey, hash: 'sha1' },
    { issuer: mintAuthority(NAME, keyPair('rsa2048', 'root'), { issuer: NAME, key: keyPair('rsa2048', 'root') }) },
  ],
  [
    'a list of an issuer that may not sign lists',
    `${CA} may not sign revocation lists`,
    'revokes',
    {},
    { issuer: rootWith({ keyUsage: ['keyCertSign'] }) },
  ],
  ['a delta', `${LIST} is a delta CRL`, 'revokes', { extraExtensions: [deltaIndicator] }],
  [
    'a list for CAs',
    `${LIST} is for CAs only`,
    'revokes',
    { extraExtensions: [issuingDistributionPoint({ 2: true })] },
  ],
  [
    'an indirect list',
    `${LIST} is an indirect CRL`,
    'revokes',
    { extraExtensions: [issuingDistributionPoint({ 4: true })] },
  ],
  ['a list without an end', `${LIST} has no nextUpdate`, 'revokes', { nextUpdate: null }],
  [
    'a list with an unknown critical extension',
    `${LIST} has the critical extension 1.3.6.1.4.1.99999.1, which is not supported`,
    'says nothing',
    { extraExtensions: [unknownCritical] },
  ],
  [
    'a list with an unknown critical extension of an entry',
    `${LIST} has an entry with the critical extension 1.3.6.1.4.1.99999.1, which is not supported`,
    'says nothing',
    { revoked: [{ serial: unhex('07'), extraExtensions: [unknownCritical] }] },
  ],
];

test.each(unknown)('%s says of no certificate that it is good', (_, why, __, recipe, question) => {
  const lists = recipe === undefined ? [] : [mint(recipe)];
  expect(ask(lists, question)).toEqual({ status: 'unknown', why });
});

test.each(unknown)(
  '%s that names a certificate is heard where it is the issuer’s word',
  (_, why, what, recipe, question) => {
    const lists = recipe === undefined ? [] : [mint({ ...recipe, revoked: [...(recipe.revoked ?? []), ...listed] })];
    expect(ask(lists, question)).toEqual(what === 'revokes' ? revoked : { status: 'unknown', why });
  },
);

test('each of those lists revokes when its fault is mended', () => {
  expect(ask([mint({ revoked: listed })])).toEqual(revoked);
  const byOther = mint({ revoked: listed, signer: otherKey.privateKey });
  expect(ask([byOther], { issuer: otherRoot })).toEqual(revoked);
  for (const keyUsage of [['cRLSign'], ['keyCertSign', 'cRLSign'], null] as const) {
    expect(ask([mint({ revoked: listed })], { issuer: rootWith({ keyUsage }) })).toEqual(revoked);
  }
});

test('a list is signed with a sound algorithm and a sound key, as a certificate is', () => {
  const rsa = keyPair('rsa2048', 'root');
  const weak = keyPair('rsa1024', 'root');
  const signed = (key: typeof rsa, hash: 'sha1' | 'sha256' | 'sha384'): RevocationStatus =>
    ask([mint({ revoked: listed, signer: key.privateKey, hash })], {
      issuer: mintAuthority(NAME, key, { issuer: NAME, key }),
    });
  expect([signed(rsa, 'sha256'), signed(rsa, 'sha384')]).toEqual([revoked, revoked]);
  // Who is in a list over SHA-1 is revoked; nobody is good by one.
  expect(signed(rsa, 'sha1')).toEqual(revoked);
  const why = `${CA} has an RSA key of 1024 bits; 2048 are required`;
  expect(signed(weak, 'sha256')).toEqual({ status: 'unknown', why });
});

test('a list with one changed bit in what is signed says nothing', () => {
  const list = mint({ revoked: [{ serial: unhex('0122') }] });
  const at = Buffer.from(list).indexOf(Buffer.from('02020122', 'hex')) + 3;
  expect(ask([list.with(at, 0x23)]).status).toBe('unknown');
  expect(ask([list])).toEqual(good);
});

test('a list holds from its first moment to its last', () => {
  const { thisUpdate, nextUpdate } = LIST_PERIOD;
  const at = (moment: Date, ms: number): RevocationStatus => ask([mint()], { now: new Date(moment.getTime() + ms) });
  expect([at(thisUpdate, 0), at(nextUpdate, 0)]).toEqual([good, good]);
  expect(at(thisUpdate, -1)).toEqual({
    status: 'unknown',
    why: `${LIST} is not valid before 2026-05-29T00:00:00.000Z`,
  });
  expect(at(nextUpdate, 1)).toEqual({ status: 'unknown', why: `${LIST} ended at 2026-06-05T00:00:00.000Z` });
});

// Named for their days; today is June 1.
const stale = { thisUpdate: day('05-01'), nextUpdate: day('05-30') };
const current = { thisUpdate: day('05-29'), nextUpdate: day('06-05') };
const newer = { thisUpdate: day('05-31'), nextUpdate: day('06-07') };
const future = { thisUpdate: day('06-02'), nextUpdate: day('06-09') };

test('of several current lists the newest decides, whatever their order', () => {
  const lists = [mint(stale), mint(current), mint(newer)];
  expect(ask(lists)).toEqual(period(newer.thisUpdate, newer.nextUpdate));
  expect(ask(lists.toReversed())).toEqual(period(newer.thisUpdate, newer.nextUpdate));
});

test('a good answer is steady until the next list of the same key begins', () => {
  const byOther = mint({ ...future, signer: otherKey.privateKey });
  expect(ask([mint(current), mint(future)])).toEqual(period(current.thisUpdate, new Date('2026-06-01T23:59:59.999Z')));
  expect(ask([mint(current), byOther])).toEqual(period(current.thisUpdate, current.nextUpdate));
});

test('a steady answer holds now, be there a newer list that has ended already', () => {
  const brief = { thisUpdate: day('05-30'), nextUpdate: day('05-31') };
  expect(ask([mint(current), mint(brief)])).toEqual(period(current.thisUpdate, current.nextUpdate));
});

test.each([
  ['stale', stale],
  ['current', current],
  ['newer', newer],
  ['future', future],
])('among lists that do not name the certificate, a %s one that does revokes it', (_, named) => {
  const others = [stale, current, newer, future].filter((one) => one !== named).map((one) => mint(one));
  expect(ask([mint({ ...named, revoked: listed }), ...others])).toEqual(revoked);
  expect(ask([mint({ ...named, signer: otherKey.privateKey, revoked: listed }), ...others]).status).not.toBe('revoked');
});

test('a list of another key, a stale one and a delta take nothing from the current one', () => {
  const others = [
    mint({ ...newer, signer: otherKey.privateKey, revoked: listed }),
    mint({ ...stale }),
    mint({ ...newer, extraExtensions: [deltaIndicator] }),
  ];
  expect(ask([...others, mint(current)])).toEqual(good);
  expect(ask(others).status).toBe('unknown');
});

test('a fault of the signature is told before that a list is of another key', () => {
  const byOther = mint({ ...newer, signer: otherKey.privateKey });
  const rsa = keyPair('rsa2048', 'root');
  const bySha1 = mint({ ...current, signer: rsa.privateKey, hash: 'sha1' });
  const issuer = mintAuthority(NAME, rsa, { issuer: NAME, key: rsa });
  const why = `${LIST} is signed with rsa-pkcs1-sha1`;
  for (const lists of [[byOther, bySha1], [byOther, bySha1].toReversed()]) {
    expect(ask(lists, { issuer })).toEqual({ status: 'unknown', why });
  }
});

test('the last list to have ended and the first to begin are told', () => {
  const why = (...periods: readonly Partial<CrlRecipe>[]): RevocationStatus =>
    ask(periods.map((one, i) => mint({ ...one, number: i + 1 })));
  const early = { thisUpdate: day('04-01'), nextUpdate: day('04-30') };
  const late = { thisUpdate: day('06-08'), nextUpdate: day('06-15') };
  expect(why(early, stale, late)).toMatchObject({ why: expect.stringContaining('02 of "CN=Test TPM Root CA" ended') });
  expect(why(late, future)).toMatchObject({ why: expect.stringContaining('02 of "CN=Test TPM Root CA" is not valid') });
});

test('the signature of a list is looked at once for each key', () => {
  const bytes = Uint8Array.from(mint());
  const crls = crlSetOf([parseCrl(bytes)]);
  const again = (issuer: Minted): RevocationStatus =>
    revocationOf(intermediate.certificate, parseCertificate(issuer.der), crls, NOW);
  expect(again(root)).toEqual(good);
  // Nothing that is looked at again can hold after this.
  parseCrl(bytes).signature.fill(0);
  expect(again(root)).toEqual(good);
  expect(again(otherRoot).status).toBe('unknown');
  expect(revocationOf(intermediate.certificate, root.certificate, crlSetOf(crls.lists), NOW).status).toBe('unknown');
});

test('what was found of one key is not taken for another, however many there are', () => {
  const crls = crlSetOf([parseCrl(mint())]);
  for (let i = 0; i < 40; i++) {
    const key = keyPair('p256', `key ${i}`);
    const issuer = mintAuthority(NAME, key, { issuer: NAME, key });
    expect(revocationOf(intermediate.certificate, issuer.certificate, crls, NOW).status).toBe('unknown');
    expect(revocationOf(intermediate.certificate, root.certificate, crls, NOW)).toEqual(good);
  }
});

test('an invalid date and an issuer of another name are mistakes of the caller', () => {
  expect(() => ask([mint()], { now: new Date(Number.NaN) })).toThrow(TypeError);
  expect(() => ask([mint()], { issuer: intermediate })).toThrow(TypeError);
});

const text = (content: string): Uint8Array => Buffer.from(content, 'latin1');
const count = (files: readonly TrustStoreFile[]): readonly [number, readonly string[]] => {
  const { crls, problems } = crlsFrom(files);
  return [crls.lists.length, problems.map(({ name }) => name)];
};

test('lists are read from DER, and from PEM with comments and Windows line ends', () => {
  const [one, two] = [mint({ number: 1 }), mint({ number: 2 })];
  const bundle = crlPem(one, two);
  expect(bundle).toContain('-----BEGIN X509 CRL-----');
  for (const content of [bundle, `# lists\n${bundle}\nend`, bundle.replaceAll('\n', '\r\n'), bundle.trimEnd()]) {
    expect(count([{ name: 'all.pem', bytes: text(content) }])).toEqual([2, []]);
  }
  const files = [one, two, two].map((bytes, i) => ({ name: `${i}.crl`, bytes }));
  expect(count([...files, { name: 'all.pem', bytes: text(bundle) }])).toEqual([2, []]);
});

test('lists of one name are found under it, all of them', () => {
  const bytes = [mint(), mint({ issuer: commonName('TEST tpm root ca') }), mint({ issuer: commonName('Other CA') })];
  const { crls } = crlsFrom(bytes.map((one, i) => ({ name: `${i}.crl`, bytes: one })));
  expect(crls.byIssuer.get(root.certificate.subject.canonical)).toHaveLength(2);
  expect(crls.byIssuer.size).toBe(2);
});

test('a list that cannot be read is reported by file and line, and the rest is kept', () => {
  const [one, two, broken] = [mint({ number: 1 }), mint({ number: 2 }), mint({ version: 2 })];
  const bundle = text(crlPem(one, broken, two));
  const line = crlPem(one).split('\n').length;
  expect(
    count([
      { name: 'mixed.pem', bytes: bundle },
      { name: 'broken.crl', bytes: broken },
      { name: 'empty', bytes: new Uint8Array() },
    ]),
  ).toEqual([2, [`mixed.pem:${line}`, 'broken.crl', 'empty']]);
});

test('a certificate among lists, and a list among certificates, is refused', () => {
  const [list, certificate] = [text(crlPem(mint())), text(pem(root.der))];
  expect([readPem(list, 'X509 CRL').length, readPem(certificate).length]).toEqual([1, 1]);
  expect(() => readPem(certificate, 'X509 CRL')).toThrow('expected "-----BEGIN X509 CRL-----"');
  expect(() => readPem(list)).toThrow('expected "-----BEGIN CERTIFICATE-----"');
  expect(count([{ name: 'ca.pem', bytes: certificate }])).toEqual([0, ['ca.pem']]);
  expect(count([{ name: 'ca.der', bytes: root.der }])).toEqual([0, ['ca.der']]);
});

test('a PEM block may hold a list that is larger than any certificate', () => {
  const list = mint({ revoked: Array.from({ length: 5000 }, (_, i) => ({ serial: longSerial(i) })) });
  expect(count([{ name: 'large.pem', bytes: text(crlPem(list)) }])).toEqual([1, []]);
});

const folder = mkdtempSync(join(tmpdir(), 'crl-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function opensslAccepts(list: Uint8Array): Promise<boolean> {
  const file = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const trusted = ['-no-CApath', '-CAfile', file('root.pem', pem(root.der))];
  const lists = ['-crl_check', '-CRLfile', file('list.pem', crlPem(list))];
  const time = ['-attime', String(NOW.getTime() / 1000), '-auth_level', '2'];
  const run = await execute('openssl', [
    'verify',
    ...trusted,
    ...lists,
    ...time,
    file('ca.pem', pem(intermediate.der)),
  ]);
  return run.code === 0;
}

test.each<[string, boolean, Partial<CrlRecipe>]>([
  ['an empty list', true, {}],
  ['a list of others', true, { revoked: [{ serial: unhex('0124'), reason: 1 }] }],
  ['a list of version 1', true, { version: null }],
  ['a list that names the certificate', false, { revoked: listed }],
  ['a list of version 1 that does', false, { version: null, revoked: [{ serial: SERIAL }] }],
  ['a hold', false, { revoked: [{ serial: SERIAL, reason: 6 }] }],
  ['a stale list', false, stale],
  ['a future list', false, future],
  ['a list of another key', false, { signer: otherKey.privateKey }],
  ['an indirect list', false, { extraExtensions: [issuingDistributionPoint({ 4: true })] }],
  ['a list with an unknown critical extension', false, { extraExtensions: [unknownCritical] }],
])('OpenSSL says the same with %s', async (_, accepted, recipe) => {
  const list = mint(recipe);
  expect([ask([list]).status === 'good', await opensslAccepts(list)]).toEqual([accepted, accepted]);
});

interface ListRow {
  readonly file: string;
  readonly sha256: string;
  readonly expected: { readonly signedBy: string; readonly revoked: readonly string[] };
}

describeCorpus('lists of the field', () => {
  const rows = corpusRows<'crls', ListRow>('ek-certificates/ca/manifest.json', 'crls');
  const all = [...authorities('root').anchors.certificates, ...authorities('intermediate').anchors.certificates];

  test.each(rows)(
    '$file is read, and holds for what its issuer certified in its week',
    ({ file, sha256, expected }) => {
      const { crls, problems } = crlsFrom([{ name: file, bytes: certificateFile(file) }]);
      const [list] = crls.lists;
      expect(problems).toEqual([]);
      expect(list).toMatchObject({ fingerprint: sha256, entries: expected.revoked.length, unusable: undefined });
      const issuer = all.find(({ fingerprint }) => fingerprint === expected.signedBy);
      if (list?.nextUpdate === undefined || issuer === undefined) throw new Error('no list, or no issuer');
      expect(list.authorityKeyId).toEqual(issuer.subjectKeyId);
      const below = all.filter((one) => one.issuer.canonical === issuer.subject.canonical);
      expect(below.length).toBeGreaterThan(0);
      const { thisUpdate, nextUpdate } = list;
      for (const one of below) {
        const at = (moment: Date): RevocationStatus => revocationOf(one, issuer, crls, moment);
        const steady = { from: thisUpdate.getTime(), until: nextUpdate.getTime() };
        expect([at(thisUpdate), at(nextUpdate)]).toEqual([
          { status: 'good', steady },
          { status: 'good', steady },
        ]);
        expect(at(new Date(nextUpdate.getTime() + 1000)).status).toBe('unknown');
      }
      // The same bytes in the name of every other CA.
      for (const other of all.filter(({ fingerprint }) => fingerprint !== issuer.fingerprint)) {
        const sameKey = Buffer.compare(other.subjectPublicKeyInfo.der, issuer.subjectPublicKeyInfo.der) === 0;
        expect(crls.signatureProblem(list, other) === undefined).toBe(sameKey);
      }
    },
  );
});

test('whether a key signed a list is remembered as the key was certified, with what it is restricted to', () => {
  const key = keyPair('rsa2048', 'restricted');
  const plain = spkiOf(key.publicKey);
  // The same key for decryption alone (RFC 8017 appendix C); 19 octets come before the key itself.
  const restricted = sequence(sequence(oid('1.2.840.113549.1.1.7')), plain.subarray(19));
  const [free, bound] = [plain, restricted].map((publicKey) =>
    mintAuthority(NAME, key, { issuer: NAME, key }, { publicKey }),
  ) as [Minted, Minted];
  const der = mint({ signer: key.privateKey });
  for (const order of [
    [free, bound],
    [bound, free],
  ]) {
    const crls = crlSetOf([parseCrl(der)]);
    const statuses = order.map((issuer) => [
      issuer === free,
      revocationOf(intermediate.certificate, issuer.certificate, crls, NOW).status,
    ]);
    expect(new Map(statuses as [boolean, string][])).toEqual(
      new Map([
        [true, 'good'],
        [false, 'unknown'],
      ]),
    );
  }
});
