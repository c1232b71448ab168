/** Certificates that a stranger sends to make the server work, and honest machines beside them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { publicKeyHash, publicKeyOf, spkiOf as spkiOfKey } from '../../src/tpm/public-key.ts';
import { TPMA_OBJECT } from '../../src/tpm/structures/attributes.ts';
import { costlyChains } from '../support/costly-chains.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { type Issuer, keyPair, mintAuthority, mintEkCertificate, mintEkChain, pem } from '../support/pki.ts';
import { eccAk, type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'costly-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const ROOT: Issuer = { issuer: 'Test TPM Root CA', key: keyPair('p256', 'root') };
const ANONYMOUS = { authorityKeyId: null, subjectKeyId: null };
const machine = softwareDevice();
const machineKey = publicKeyOf(machine.ek.publicArea);
if (machineKey === undefined) throw new Error('the machine has no key');
const publicKey = spkiOfKey(machineKey);
const withCertificates = (...certificates: readonly Uint8Array[]): SoftwareDevice => ({ ...machine, certificates });
const leafBy = (issuer: Issuer, recipe = {}): Uint8Array => mintEkCertificate(issuer, { publicKey, ...recipe }).der;

/** CAs of one name, with other keys and without key identifiers. */
const namesake = (i: number): Issuer => ({ issuer: 'Namesake Root CA', key: keyPair('p384', `namesake ${i}`) });
const crowd = Array.from({ length: 14 }, (_, i) =>
  mintAuthority(namesake(i).issuer, namesake(i).key, namesake(i), ANONYMOUS),
);
const root = mintEkChain().root.der;
const many = file('many.pem', pem(root, ...crowd.map(({ der }) => der)));

/** A chain of seven certificates. */
const links = Array.from({ length: 6 }, (_, i): Issuer => ({ issuer: `Link ${i}`, key: keyPair('p384', `link ${i}`) }));
const [first = ROOT] = links;
const last = links.at(-1) ?? ROOT;
const authorities = links.map(({ issuer, key }, i) => mintAuthority(issuer, key, links[i + 1] ?? last).der);
const top = file('top.pem', pem(authorities.at(-1) ?? root));
const bundles = Array.from({ length: 11 }, (_, i) => {
  const rules = i < 10 ? 'models = ["none"]' : '';
  return `bundle "b${i}" {\n  ca_path = ${JSON.stringify(top)}\n  ${rules}\n}\n`;
});

const judge = useJudge();
const crowded = useJudge({ caPath: many });
const bundled = useJudge({ config: bundles.join('') });
const { mode, listed } = { mode: 'mode = "both"', listed: file('listed', `${publicKeyHash(machineKey)}\n`) };
const listing = useJudge({ config: `${mode}\nhash_path = ${JSON.stringify(listed)}`, control: () => forger(machine) });

test('A79 refuses every known kind of costly chain', async () => {
  for (const { name, certificates } of costlyChains(publicKey, ROOT)) {
    const judgement = await judge.judge(forger(withCertificates(...certificates)));
    expect({ name, outcome: judgement.outcome }).toEqual({ name, outcome: 'refused' });
  }
  await judge.admits(machine);
});

test('A79 gives up a chain when too many CAs share the name of its issuer and have no key identifier', async () => {
  await crowded.admits(withCertificates(leafBy(namesake(11), ANONYMOUS)));
  await crowded.refuses({ device: withCertificates(leafBy(namesake(12), ANONYMOUS)) }, 'ek.chain');
});

test('A79 admits a chain of seven certificates while eleven bundles share its names', async () => {
  const certificates = [leafBy(first), ...authorities.slice(0, -1)];
  expect(await bundled.selectors(withCertificates(...certificates))).toContain('ca:b10');
});

test('A79 admits a machine that sends CAs of strangers beside its own, and refuses it without its own', async () => {
  // As dear as theirs: it would find the budget spent on them.
  const intermediate: Issuer = { issuer: 'Test TPM Intermediate CA', key: keyPair('p521', 'intermediate') };
  const leaf = leafBy(intermediate, ANONYMOUS);
  const own = mintAuthority(intermediate.issuer, intermediate.key, ROOT, ANONYMOUS).der;
  const strangers = Array.from({ length: 8 }, (_, i) => {
    const key = keyPair('p521', `stranger ${i}`);
    return mintAuthority(intermediate.issuer, key, { issuer: ROOT.issuer, key }, ANONYMOUS).der;
  });
  await judge.admits(withCertificates(leaf, ...strangers, own));
  await judge.admits(withCertificates(leaf, own, ...strangers));
  await judge.refuses({ device: withCertificates(leaf, ...strangers) }, 'ek.chain');
});

test('A79 checks no chain when the attestation key is refused already', async () => {
  const loose = eccAk({
    edit: (area) => ({ ...area, objectAttributes: area.objectAttributes & ~TPMA_OBJECT.restricted }),
  });
  const unchained = withCertificates(...machine.certificates.slice(0, 1));
  await judge.refuses({ device: unchained }, 'ek.unknown_issuer');
  await judge.refuses({ device: { ...unchained, ak: loose } }, 'ak.unrestricted');
});

test('A79 looks at the allow-list before the chain when both must admit', async () => {
  const stranger = softwareDevice({ label: 'unlisted' });
  const [leaf = new Uint8Array()] = stranger.certificates;
  await listing.refuses({ device: { ...stranger, certificates: [leaf] } }, 'ek.not_listed');
  await listing.refuses({ device: withCertificates(...machine.certificates.slice(0, 1)) }, 'ek.unknown_issuer');
});
