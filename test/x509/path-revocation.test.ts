/** Paths whose certificates lists speak of. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { type PathVerdict, validatePath } from '../../src/x509/path/path.ts';
import { crlsFrom } from '../../src/x509/path/revocation.ts';
import { commonName, type ExtensionRecipe, NOW, name as nameOf } from '../support/certificate-recipe.ts';
import {
  type CrlRecipe,
  deltaIndicator,
  issuingDistributionPoint,
  LIST_PERIOD,
  mintCrl,
  REVOKED_AT,
} from '../support/crl-recipe.ts';
import { explicit, sequence, tlv } from '../support/der-writer.ts';
import {
  EK_USAGE,
  type KeyPair,
  keyPair,
  type Minted,
  mintAuthority,
  mintEkCertificate,
  spkiOf,
} from '../support/pki.ts';

const serial = (n: number): Uint8Array => Uint8Array.of(n);
const key = (label: string): KeyPair => keyPair('p256', label);
const authority = (name: string, n: number, by: string = name): Minted =>
  mintAuthority(name, key(name), { issuer: by, key: key(by) }, { serial: serial(n) });

// Two ways up from the leaf: the CA is certified by two roots, under one name and with one key.
const [oldRoot, newRoot] = [authority('Old Root', 1), authority('New Root', 2)];
const [byOld, byNew] = [authority('CA', 3, 'Old Root'), authority('CA', 4, 'New Root')];
const leaf = mintEkCertificate(
  { issuer: 'CA', key: key('CA') },
  { serial: serial(5), publicKey: spkiOf(keyPair('p256', 'ek').publicKey) },
);

const listOf = (name: string, recipe: Partial<CrlRecipe> = {}): Uint8Array =>
  mintCrl({ issuer: commonName(name), signer: key(name).privateKey, ...recipe });
const revoking = (name: string, ...numbers: readonly number[]): Uint8Array =>
  listOf(name, { revoked: numbers.map((n) => ({ serial: serial(n) })) });
const ALL = ['Old Root', 'New Root', 'CA'].map((name) => listOf(name));

interface Question {
  readonly lists?: readonly Uint8Array[];
  readonly required?: boolean;
  readonly anchors?: readonly Minted[];
  readonly intermediates?: readonly Minted[];
  readonly now?: Date;
}

const ask = (question: Question): PathVerdict =>
  validatePath({
    leaf: leaf.certificate,
    intermediates: (question.intermediates ?? [byOld, byNew]).map(({ certificate }) => certificate),
    anchors: anchorsOf((question.anchors ?? [oldRoot, newRoot]).map(({ certificate }) => certificate)),
    now: question.now ?? NOW,
    requireEku: EK_USAGE,
    revocation: {
      crls: crlsFrom((question.lists ?? []).map((bytes, i) => ({ name: `${i}`, bytes }))).crls,
      required: question.required ?? true,
    },
  });

const NAMES = new Map([
  [oldRoot.certificate.fingerprint, 'old root'],
  [newRoot.certificate.fingerprint, 'new root'],
  [byOld.certificate.fingerprint, 'by old'],
  [byNew.certificate.fingerprint, 'by new'],
  [leaf.certificate.fingerprint, 'leaf'],
]);
const way = (verdict: PathVerdict): readonly (string | undefined)[] =>
  verdict.ok
    ? verdict.chain.map(({ fingerprint }) => NAMES.get(fingerprint))
    : verdict.problems.map(({ code }) => code);

describe('a certificate that a list names', () => {
  test('is refused as a leaf, whatever way leads up', () => {
    const verdict = ask({ lists: [...ALL, revoking('CA', 5)] });
    expect(verdict).toMatchObject({
      ok: false,
      problems: [{ code: 'revoked', message: expect.stringContaining(`was revoked at ${REVOKED_AT.toISOString()}`) }],
    });
    expect(way(ask({ lists: [...ALL, revoking('CA', 6)] }))).toHaveLength(3);
  });

  test('is refused as a CA, and its twin by another root is not', () => {
    const [o, n] = [revoking('Old Root', 3), revoking('New Root', 4)];
    expect(way(ask({ lists: [...ALL, o] }))).toEqual(['leaf', 'by new', 'new root']);
    expect(way(ask({ lists: [...ALL, n] }))).toEqual(['leaf', 'by old', 'old root']);
    expect(way(ask({ lists: [...ALL, o, n] }))).toEqual(['revoked']);
    expect(way(ask({ lists: [...ALL, o], intermediates: [byOld] }))).toEqual(['revoked']);
  });

  test('is told of before a longer way that ends nowhere', () => {
    const nowhere = [authority('CA', 4, 'Middle'), authority('Middle', 6, 'Upper'), authority('Upper', 7, 'Nowhere')];
    const intermediates = [...nowhere, byOld];
    expect(way(ask({ lists: ALL, intermediates, anchors: [newRoot] }))).toEqual(['unknown_issuer']);
    expect(way(ask({ lists: [...ALL, revoking('CA', 5)], intermediates }))).toEqual(['revoked']);
  });

  test('is another when its issuer is: numbers count beside one issuer alone', () => {
    expect(way(ask({ lists: [...ALL, revoking('Old Root', 4, 5), revoking('New Root', 3, 5)] }))).toEqual([
      'leaf',
      'by old',
      'old root',
    ]);
  });

  test('is an anchor all the same, where somebody chose it', () => {
    const lists = [...ALL, revoking('Old Root', 1, 3)];
    expect(way(ask({ lists, intermediates: [], anchors: [byOld] }))).toEqual(['leaf', 'by old']);
  });
});

describe('a certificate of which no list tells', () => {
  const [ofOld = new Uint8Array(), ofNew = new Uint8Array(), ofCa = new Uint8Array()] = ALL;
  const stale = listOf('CA', { nextUpdate: new Date('2026-05-30T00:00:00Z') });
  const ofAnotherKey = listOf('CA', { signer: key('New Root').privateKey });
  test.each([
    { what: 'none at all', lists: [], notes: 2 },
    { what: 'none of the CA', lists: [ofOld, ofNew], notes: 1 },
    { what: 'none of the roots', lists: [ofCa], notes: 1 },
    { what: 'a stale one', lists: [ofOld, ofNew, stale], notes: 1 },
    { what: 'one by another key', lists: [ofOld, ofNew, ofAnotherKey], notes: 1 },
  ])('is refused with $what where it must be told of, and noted where it need not', ({ lists, notes }) => {
    expect(way(ask({ lists }))).toEqual(['revocation_unknown']);
    const lenient = ask({ lists, required: false });
    expect(lenient.ok && lenient.notes.length).toBe(notes);
    expect(way(lenient)).toEqual(['leaf', 'by old', 'old root']);
  });

  test('is gone round where another way is told of, but only where it must be', () => {
    const lists = ALL.slice(1);
    expect(way(ask({ lists }))).toEqual(['leaf', 'by new', 'new root']);
    expect(way(ask({ lists, required: false }))).toEqual(['leaf', 'by old', 'old root']);
  });
});

describe('lists are asked about', () => {
  const asked = (anchors: readonly Minted[]): number => {
    const { crls } = crlsFrom([...ALL, revoking('CA', 6)].map((bytes, i) => ({ name: `${i}`, bytes })));
    let count = 0;
    validatePath({
      leaf: leaf.certificate,
      intermediates: [byOld.certificate, byNew.certificate],
      anchors: anchorsOf(anchors.map(({ certificate }) => certificate)),
      now: NOW,
      requireEku: EK_USAGE,
      revocation: {
        crls: { ...crls, signatureProblem: (...one) => [crls.signatureProblem(...one), count++][0] as undefined },
        required: true,
      },
    });
    return count;
  };

  test('a whole path alone: who made CAs under the names of others has none of their lists looked at', () => {
    const impostor = mintAuthority('Old Root', key('impostor'), { issuer: 'Old Root', key: key('impostor') });
    expect(asked([oldRoot])).toBe(3);
    expect(asked([impostor])).toBe(0);
  });

  test('a whole path at once: that one of its certificates is revoked is told before that of another it is not known', () => {
    expect(way(ask({ lists: [ALL[2] as Uint8Array, revoking('Old Root', 3)], intermediates: [byOld] }))).toEqual([
      'revoked',
    ]);
    expect(way(ask({ lists: [revoking('Old Root', 3)], intermediates: [byOld] }))).toEqual(['revoked']);
    expect(way(ask({ lists: [revoking('CA', 5)], intermediates: [byOld] }))).toEqual(['revoked']);
    expect(way(ask({ lists: [revoking('CA', 6)], intermediates: [byOld] }))).toEqual(['revocation_unknown']);
  });
});

test('a list speaks of what a CA issued that may sign it: its twin that may not leaves open what the other tells', () => {
  const mute = mintAuthority(
    'CA',
    key('CA'),
    { issuer: 'New Root', key: key('New Root') },
    { serial: serial(4), keyUsage: ['keyCertSign'] },
  );
  const among = (...intermediates: readonly Minted[]): PathVerdict => ask({ lists: ALL, intermediates });
  expect(way(among(mute))).toEqual(['revocation_unknown']);
  for (const verdict of [among(mute, byOld), among(byOld, mute)])
    expect(way(verdict)).toEqual(['leaf', 'by old', 'old root']);
});

test('an answer is steady while every list that had a part in it says the same', () => {
  const soon = new Date('2026-06-02T00:00:00Z');
  const first = ask({ lists: [...ALL.slice(0, 2), listOf('CA', { nextUpdate: soon })], intermediates: [byOld] });
  expect(first.ok && first.steady).toEqual({ from: LIST_PERIOD.thisUpdate.getTime(), until: soon.getTime() });
  // What is open may be told at any moment.
  const open = ask({ lists: ALL.slice(2), required: false, intermediates: [byOld] });
  expect(open.ok && open.steady).toEqual({ from: NOW.getTime(), until: NOW.getTime() });
});

test('without lists, or with lists that say nothing against it, the way is the same', () => {
  const unasked = validatePath({
    leaf: leaf.certificate,
    intermediates: [byOld.certificate, byNew.certificate],
    anchors: anchorsOf([oldRoot.certificate, newRoot.certificate]),
    now: NOW,
    requireEku: EK_USAGE,
  });
  expect(way(unasked)).toEqual(way(ask({ lists: ALL })));
  expect(unasked.ok && unasked.notes).toEqual([]);
});

/** Of each issuer: no list, a sound one, or one that names these numbers. */
const told = fc.option(fc.subarray([1, 2, 3, 4, 5]), { nil: undefined });

test('a path is accepted exactly when one of the two ways is clear', () => {
  fc.assert(
    fc.property(told, told, told, fc.boolean(), (ofOld, ofNew, ofCa, required) => {
      const given = [
        ['Old Root', ofOld],
        ['New Root', ofNew],
        ['CA', ofCa],
      ] as const;
      const lists = given.flatMap(([name, numbers]) => (numbers === undefined ? [] : [revoking(name, ...numbers)]));
      const isClear = (numbers: readonly number[] | undefined, n: number): boolean =>
        numbers === undefined ? !required : !numbers.includes(n);
      const ways = [isClear(ofOld, 3), isClear(ofNew, 4)];
      const verdict = ask({ lists, required });
      expect(verdict.ok).toBe(isClear(ofCa, 5) && ways.includes(true));
      if (verdict.ok) expect(way(verdict)[1]).toBe(ways[0] ? 'by old' : 'by new');
    }),
    { numRuns: 300 },
  );
});

/** Lists of the shape of Intel's on-die CA: one of a CA above is for what the CAs below it issued. */
describe('an indirect list', () => {
  const directoryName = (text: string): Uint8Array => explicit(4, nameOf(commonName(text)));
  const issuedBy = (text: string): ExtensionRecipe => ({
    oid: '2.5.29.29',
    critical: true,
    value: sequence(directoryName(text)),
  });
  const address = (text: string): Uint8Array => tlv(0x86, Buffer.from(text));
  const fullName = (text: string): Uint8Array => explicit(0, address(text));
  const AT = 'http://crl.example/indirect.crl';
  const INDIRECT = issuingDistributionPoint({ 0: fullName(AT), 4: true });
  const naming = (at: string, crlIssuer: string): ExtensionRecipe => ({
    oid: '2.5.29.31',
    value: sequence(sequence(explicit(0, fullName(at)), explicit(2, directoryName(crlIssuer)))),
  });
  const leafWith = (...extraExtensions: readonly ExtensionRecipe[]): Minted =>
    mintEkCertificate(
      { issuer: 'CA', key: key('CA') },
      { serial: serial(5), publicKey: spkiOf(keyPair('p256', 'ek').publicKey), extraExtensions },
    );
  const indirect = (recipe: Partial<CrlRecipe> & { revoked?: CrlRecipe['revoked'] }, by = 'Old Root'): Uint8Array =>
    listOf(by, { extraExtensions: [INDIRECT], ...recipe });
  const asked = (lists: readonly Uint8Array[], of: Minted = leaf): readonly string[] => {
    const verdict = validatePath({
      leaf: of.certificate,
      intermediates: [byOld.certificate],
      anchors: anchorsOf([oldRoot.certificate]),
      now: NOW,
      requireEku: EK_USAGE,
      // The list of the root, which is no indirect one, is for the CA.
      revocation: {
        crls: crlsFrom([listOf('Old Root'), ...lists].map((bytes, i) => ({ name: `${i}`, bytes }))).crls,
        required: true,
      },
    });
    return verdict.ok ? ['ok'] : verdict.problems.map(({ code }) => code);
  };
  const ofCa = (n: number) => ({ serial: serial(n), extraExtensions: [issuedBy('CA')] });

  test('revokes by issuer and number, whether the certificate names it or not', () => {
    expect(asked([indirect({ revoked: [ofCa(5)] })])).toEqual(['revoked']);
    expect(asked([indirect({ revoked: [ofCa(5)] })], leafWith(naming(AT, 'Old Root')))).toEqual(['revoked']);
    // Also beside a list of the issuer that knows nothing of it, and when it is stale.
    expect(asked([indirect({ revoked: [ofCa(5)] }), listOf('CA')])).toEqual(['revoked']);
    expect(asked([indirect({ revoked: [ofCa(5)], nextUpdate: LIST_PERIOD.thisUpdate })])).toEqual(['revoked']);
  });

  test('says whose certificate an entry revokes for those behind it, too', () => {
    expect(asked([indirect({ revoked: [ofCa(9), { serial: serial(5) }] })])).toEqual(['revoked']);
    const back = { serial: serial(5), extraExtensions: [issuedBy('Other CA')] };
    expect(asked([indirect({ revoked: [ofCa(9), back] }), listOf('CA')])).toEqual(['ok']);
  });

  test.each<[string, Uint8Array]>([
    ['names the number of another issuer', indirect({ revoked: [{ ...ofCa(5), extraExtensions: [issuedBy('CB')] }] })],
    ['names the number of its own issuer', indirect({ revoked: [{ serial: serial(5) }] })],
    ['names another number', indirect({ revoked: [ofCa(6)] })],
    ['is signed by a CA that is not above', indirect({ revoked: [ofCa(5)] }, 'New Root')],
    ['is signed by another key', indirect({ revoked: [ofCa(5)], signer: key('thief').privateKey })],
    ['does not say that it is one', listOf('Old Root', { revoked: [ofCa(5)] })],
    [
      'is for attribute certificates',
      indirect({ revoked: [ofCa(5)], extraExtensions: [issuingDistributionPoint({ 4: true, 5: true })] }),
    ],
  ])('that %s revokes nothing', (_, list) => {
    expect(asked([list, listOf('CA')])).toEqual(['ok']);
  });

  test('is heard also where the CA below it is an anchor itself', () => {
    const both = (lists: readonly Uint8Array[], anchors: readonly Minted[]): readonly string[] => {
      const verdict = ask({ lists: [...lists, listOf('CA')], anchors, intermediates: [] });
      return verdict.ok ? ['ok'] : verdict.problems.map(({ code }) => code);
    };
    expect(both([indirect({ revoked: [ofCa(5)] })], [oldRoot, byOld])).toEqual(['revoked']);
    expect(both([indirect({ revoked: [ofCa(6)] })], [oldRoot, byOld])).toEqual(['ok']);
    // Of a root that nobody configured, or that certified another.
    expect(both([indirect({ revoked: [ofCa(5)] })], [byOld])).toEqual(['ok']);
    expect(both([indirect({ revoked: [ofCa(5)] })], [oldRoot, byNew])).toEqual(['ok']);
  });

  test('says that a certificate is good which names it, by address and issuer', () => {
    expect(asked([indirect({})], leafWith(naming(AT, 'Old Root')))).toEqual(['ok']);
    expect(asked([indirect({ revoked: [ofCa(6)] })], leafWith(naming(AT, 'Old Root')))).toEqual(['ok']);
  });

  test.each<[string, Minted, Uint8Array]>([
    ['of a certificate that names none', leaf, indirect({})],
    ['of one that names another address', leafWith(naming(`${AT}2`, 'Old Root')), indirect({})],
    ['of one that names another issuer', leafWith(naming(AT, 'CA')), indirect({})],
    ['when it has ended', leafWith(naming(AT, 'Old Root')), indirect({ nextUpdate: LIST_PERIOD.thisUpdate })],
    [
      'when it is for CAs only',
      leafWith(naming(AT, 'Old Root')),
      indirect({ extraExtensions: [issuingDistributionPoint({ 0: fullName(AT), 2: true, 4: true })] }),
    ],
    [
      'when it is for some reasons only',
      leafWith(naming(AT, 'Old Root')),
      indirect({
        extraExtensions: [issuingDistributionPoint({ 0: fullName(AT), 3: Uint8Array.of(6, 0x40), 4: true })],
      }),
    ],
    ['when it is a delta', leafWith(naming(AT, 'Old Root')), indirect({ extraExtensions: [INDIRECT, deltaIndicator] })],
    ['when another key signed it', leafWith(naming(AT, 'Old Root')), indirect({ signer: key('thief').privateKey })],
    ['when it is no indirect one', leafWith(naming(AT, 'Old Root')), listOf('Old Root', { number: 7 })],
  ])('says nothing good %s', (_, of, list) => {
    expect(asked([list], of)).toEqual(['revocation_unknown']);
  });
});
