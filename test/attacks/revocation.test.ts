/** Revocation: what a list says and who may say it, where none does, and that nothing is fetched. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FindingCode } from '../../src/verifier/findings.ts';
import { type CertificateRecipe, commonName } from '../support/certificate-recipe.ts';
import {
  type CrlRecipe,
  crlPem,
  deltaIndicator,
  issuingDistributionPoint,
  longSerial,
  mintCrl,
} from '../support/crl-recipe.ts';
import { explicit, oid, sequence, tlv } from '../support/der-writer.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { type Issuer, keyPair, mintAuthority, mintEkCertificate, pem, spkiOf } from '../support/pki.ts';
import { pubHashOf, type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'revocation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const crlPath = join(folder, 'crls');
mkdirSync(crlPath);

const machine = softwareDevice();
const publicKey = spkiOf(keyPair('rsa2048', 'machine L-1').publicKey);
const sending = (...certificates: readonly Uint8Array[]): SoftwareDevice => ({ ...machine, certificates });

const authority = (issuer: string, key = issuer): Issuer => ({ issuer, key: keyPair('p256', key) });
const link = (ca: Issuer, above: Issuer = ca, recipe: CertificateRecipe = {}): Uint8Array =>
  mintAuthority(ca.issuer, ca.key, above, recipe).der;
const by = (issuer: Issuer, recipe: CertificateRecipe = {}): Uint8Array =>
  mintEkCertificate(issuer, { publicKey, ...recipe }).der;

const PERIOD = { thisUpdate: new Date('2020-01-01T00:00:00Z'), nextUpdate: new Date('2049-12-31T00:00:00Z') };
const ENDED = { thisUpdate: new Date('2020-01-01T00:00:00Z'), nextUpdate: new Date('2021-01-01T00:00:00Z') };

let lists = 0;
/** Puts a list of this CA where the server finds it, before it starts. */
function publish(ca: Issuer, recipe: Partial<CrlRecipe> = {}): void {
  const der = mintCrl({ issuer: commonName(ca.issuer), signer: ca.key.privateKey, ...PERIOD, ...recipe });
  lists += 1;
  writeFileSync(join(crlPath, `${lists}.pem`), crlPem(der));
}

const [GOOD, BAD, BAD_CA] = [longSerial(1), longSerial(2), longSerial(3)];

/** Three roots under three rules; each CA has its own list, or what stands for one. */
const ROOTS = {
  closed: authority('Closed Root CA'),
  warned: authority('Warned Root CA'),
  off: authority('Off Root CA'),
};
const KINDS = ['closed', 'warned', 'off'] as const;
type Kind = (typeof KINDS)[number];
for (const kind of KINDS) {
  publish(ROOTS[kind], { revoked: [{ serial: BAD_CA, reason: 2 }] });
  writeFileSync(join(folder, `${kind}.pem`), pem(link(ROOTS[kind])));
}

/** A CA of this name below each of the three, with what the recipe makes of its list; null for no list. */
function casWith(name: string, recipe: Partial<CrlRecipe> | null, signer?: Issuer): Readonly<Record<Kind, Issuer>> {
  const ca = (kind: Kind): Issuer => {
    const made = authority(`${name} CA, ${kind}`);
    if (recipe !== null) publish(signer === undefined ? made : { ...signer, issuer: made.issuer }, recipe);
    return made;
  };
  return { closed: ca('closed'), warned: ca('warned'), off: ca('off') };
}

const UNKNOWN = { oid: '1.3.6.1.4.1.99999.1', critical: true, value: sequence() };
const REVOKING = { revoked: [{ serial: BAD, reason: 1 }] };
const listed = casWith('Listing', REVOKING);
const silent = casWith('Silent', null);
const stale = casWith('Stale', { ...ENDED, ...REVOKING });
const early = casWith('Early', { thisUpdate: new Date('2049-01-01T00:00:00Z') });
const namesake = casWith('Namesake', REVOKING, authority('', 'somebody else'));
const critical = casWith('Critical', { ...REVOKING, extraExtensions: [UNKNOWN] });
const criticalEntry = casWith('Critical entry', { revoked: [{ serial: BAD, extraExtensions: [UNKNOWN] }] });
const delta = casWith('Delta', { ...REVOKING, extraExtensions: [deltaIndicator] });
const partial = casWith('Partial', { ...REVOKING, extraExtensions: [issuingDistributionPoint({ 2: true })] });
const indirect = casWith('Indirect', { ...REVOKING, extraExtensions: [issuingDistributionPoint({ 4: true })] });
const endless = casWith('Endless', { nextUpdate: null });
const sha1 = casWith('SHA-1', { ...REVOKING, hash: 'sha1' });
/** Its list is sound, and beside it is one by another key that revokes what it issued. */
const slandered = casWith('Slandered', {});
for (const kind of KINDS)
  publish({ issuer: slandered[kind].issuer, key: keyPair('p256', 'somebody else') }, { revoked: [{ serial: GOOD }] });

const bundle = (kind: Kind, policy: string): string =>
  `bundle "${kind}" {\n  ca_path = ${JSON.stringify(join(folder, `${kind}.pem`))}\n  ${policy}\n}\n`;
writeFileSync(join(folder, 'hashes'), `${pubHashOf(machine)}\n`);
const bundles = [
  bundle('closed', ''),
  bundle('warned', 'crl_policy = "warn"'),
  bundle('off', 'crl_policy = "off"'),
  `crl_path = ${JSON.stringify(crlPath)}\n`,
].join('');
const control = () => forger(sending(by(listed.closed, { serial: GOOD }), link(listed.closed, ROOTS.closed)));
const judge = useJudge({ caPath: null, config: bundles, control });
const hashPath = `hash_path = ${JSON.stringify(join(folder, 'hashes'))}`;
const both = useJudge({ caPath: null, config: `${bundles}${hashPath}\nmode = "both"`, control });
const either = useJudge({ caPath: null, config: `${bundles}${hashPath}`, control });

const under = (cas: Readonly<Record<Kind, Issuer>>, kind: Kind, serial: Uint8Array): SoftwareDevice =>
  sending(by(cas[kind], { serial }), link(cas[kind], ROOTS[kind]));
const refuses = (device: SoftwareDevice, ...codes: readonly FindingCode[]): Promise<void> =>
  judge.refuses({ device }, ...codes);
/** What the log says of a machine that is admitted leaning on a relaxed rule. */
async function notesOn(device: SoftwareDevice): Promise<readonly string[]> {
  const before = judge.records.length;
  await judge.admits(device);
  const told = () => judge.records.slice(before);
  await judge.until(() => told().some(({ message }) => message === 'node attested'));
  return told()
    .filter(({ message }) => message.startsWith('relaxed policy: '))
    .map(({ message }) => message.slice('relaxed policy: '.length));
}

test('A64 refuses a revoked endorsement certificate, and admits another of the same CA', async () => {
  await refuses(under(listed, 'closed', BAD), 'ek.revoked');
  await refuses(under(listed, 'warned', BAD), 'ek.revoked');
  await judge.admits(under(listed, 'closed', GOOD));
  expect(await notesOn(under(listed, 'warned', GOOD))).toEqual([]);
});

test('A64 refuses a certificate below a revoked CA', async () => {
  for (const kind of ['closed', 'warned'] as const) {
    const leaf = by(listed[kind], { serial: GOOD });
    const revoked = link(listed[kind], ROOTS[kind], { serial: BAD_CA });
    await refuses(sending(leaf, revoked), 'ek.revoked');
    await judge.admits(sending(leaf, link(listed[kind], ROOTS[kind])));
  }
});

test('A64 refuses a certificate without a current revocation list', async () => {
  for (const cas of [silent, stale, early, endless]) {
    await refuses(under(cas, 'closed', GOOD), 'ek.revocation_unknown');
    expect(await notesOn(under(cas, 'warned', GOOD))).toEqual([
      expect.stringMatching(/^whether .* was revoked is not known: /),
    ]);
  }
});

test('A64 refuses a certificate that an expired revocation list names', async () => {
  await refuses(under(stale, 'closed', BAD), 'ek.revoked');
  await refuses(under(stale, 'warned', BAD), 'ek.revoked');
});

test('A64 ignores a list that another key signed under the name of the CA', async () => {
  for (const serial of [GOOD, BAD]) await refuses(under(namesake, 'closed', serial), 'ek.revocation_unknown');
  expect(await notesOn(under(namesake, 'warned', BAD))).toHaveLength(1);
  // Nor can who may put it there keep out a machine.
  await judge.admits(under(slandered, 'closed', GOOD));
});

test('A64 calls no certificate good by a list that is partial, weakly signed or has an unknown critical extension', async () => {
  for (const cas of [critical, criticalEntry, delta, partial, indirect, sha1])
    await refuses(under(cas, 'closed', GOOD), 'ek.revocation_unknown');
  // The number may be that of another CA's certificate.
  for (const cas of [critical, criticalEntry]) await refuses(under(cas, 'closed', BAD), 'ek.revocation_unknown');
});

test('A64 refuses a certificate that an indirect list names', async () => {
  for (const mode of ['closed', 'warned'] as const) await refuses(under(indirect, mode, BAD), 'ek.revoked');
});

test('A64 refuses a certificate that a list names, even one that is partial, weakly signed or of a CA without cRLSign', async () => {
  for (const cas of [delta, partial, sha1]) await refuses(under(cas, 'warned', BAD), 'ek.revoked');
  const mute = link(listed.warned, ROOTS.warned, { keyUsage: ['keyCertSign'] });
  await refuses(sending(by(listed.warned, { serial: BAD }), mute), 'ek.revoked');
  expect(await notesOn(sending(by(listed.warned, { serial: GOOD }), mute))).toHaveLength(1);
});

test('A64 calls no certificate good by a list of a CA without cRLSign', async () => {
  const mute = link(listed.closed, ROOTS.closed, { keyUsage: ['keyCertSign'] });
  await refuses(sending(by(listed.closed, { serial: GOOD }), mute), 'ek.revocation_unknown');
});

test('A64 ignores lists for a bundle with crl_policy = "off", and for no other', async () => {
  for (const cas of [listed, silent]) await judge.admits(under(cas, 'off', BAD));
  const leaf = by(listed.off, { serial: GOOD });
  await judge.admits(sending(leaf, link(listed.off, ROOTS.off, { serial: BAD_CA })));
  await refuses(sending(by(listed.closed, { serial: BAD }), link(listed.closed, ROOTS.closed), leaf), 'ek.revoked');
});

test('A64 refuses with mode = "both" a revoked certificate of a listed machine', async () => {
  await both.refuses({ device: under(listed, 'closed', BAD) }, 'ek.revoked');
  await both.admits(under(listed, 'closed', GOOD));
  // The list alone will do where either is asked for, which is in the log.
  await either.admits(under(listed, 'closed', BAD));
  await either.until(() =>
    either.records.some(({ message }) =>
      /the allow-list admits the machine despite its certificate: .* was revoked at/.test(message),
    ),
  );
});

let listener: Server;
let connections = 0;
beforeAll(
  () =>
    new Promise<void>((resolve) => {
      listener = createServer((socket) => {
        connections += 1;
        socket.destroy();
      }).listen(0, '127.0.0.1', resolve);
    }),
);
afterAll(() => listener.close());

test('A64 fetches nothing from an address in a certificate', async () => {
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the listener has no port');
  const url = tlv(0x86, Buffer.from(`http://127.0.0.1:${address.port}/file`));
  const addresses: CertificateRecipe = {
    extraExtensions: [
      {
        oid: '1.3.6.1.5.5.7.1.1',
        value: sequence(sequence(oid('1.3.6.1.5.5.7.48.2'), url), sequence(oid('1.3.6.1.5.5.7.48.1'), url)),
      },
      { oid: '2.5.29.31', value: sequence(sequence(explicit(0, explicit(0, url)))) },
    ],
  };
  const ca = (of: Issuer): Uint8Array => link(of, ROOTS.closed, addresses);
  await judge.admits(sending(by(listed.closed, { serial: GOOD, ...addresses }), ca(listed.closed)));
  await refuses(sending(by(listed.closed, { serial: BAD, ...addresses }), ca(listed.closed)), 'ek.revoked');
  await refuses(sending(by(silent.closed, { serial: GOOD, ...addresses }), ca(silent.closed)), 'ek.revocation_unknown');
  await refuses(sending(by(authority('Nobody'), addresses)), 'ek.unknown_issuer');
  expect(connections).toBe(0);
  // The listener would have told.
  connect(address.port, '127.0.0.1').on('error', () => {});
  await judge.until(() => connections === 1);
});
