import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeEkPem, encodeEkPem } from '../../src/evidence/ek-pem.ts';
import {
  decodePluginPayload,
  decodePluginResponse,
  encodePluginPayload,
  encodePluginResponse,
  type PluginPayload,
} from '../../src/evidence/legacy-messages.ts';
import { begin, finish } from '../../src/verifier/legacy-verify.ts';
import type { BundleRules, Policy } from '../../src/verifier/policy.ts';
import { trustStoreFrom } from '../../src/x509/file/trust-store.ts';
import { describeCorpus, readCorpusBytes } from '../support/corpus.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { bundle, SOFTWARE, testPolicy } from '../support/policy.ts';
import { softwareDevice } from '../support/software-device.ts';

const FOLDER = 'spire-tpm-plugin-wire';
const NOW = new Date('2026-12-01T00:00:00Z');
/** As the server plugin of that project answered, and as the hash file was named. */
const PUB_HASH = '989a46de5c44c6ec52e74eed73e82e29c8ad77167c212d8fa473c5d4f74129ae';

const base = testPolicy({ isListed: () => true, wire: 'spire-tpm-plugin' });

const findingsOf = (payload: Uint8Array, policy: Policy): readonly string[] => {
  const begun = begin(payload, policy, randomBytes, NOW);
  return begun.outcome === 'rejected' ? begun.verdict.findings.map(({ code }) => code) : [];
};

describeCorpus('a recorded exchange', () => {
  const file = (name: string): Uint8Array => readCorpusBytes(`${FOLDER}/${name}`);
  const certified = (rules: Partial<BundleRules> = SOFTWARE): Policy => {
    const files = ['ca-issuer.pem', 'ca-root.pem'].map((name) => ({ name, bytes: file(name) }));
    return testPolicy({ bundles: [bundle(trustStoreFrom(files).anchors, rules)], wire: 'spire-tpm-plugin' });
  };
  const listed: Policy = { ...base, isListed: (hash) => hash === PUB_HASH };
  const rows = () =>
    [
      { name: 'with-certificate', admittedBy: 'certificate', policy: certified() },
      { name: 'hash-only', admittedBy: 'hash', policy: listed },
    ] as const;

  test('is challenged, and the right answer gives the ID and the hash that project gave', () => {
    for (const { name, admittedBy, policy } of rows()) {
      const begun = begin(file(`${name}/1-payload.json`), policy, randomBytes, NOW);
      if (begun.outcome !== 'challenged') throw new Error(JSON.stringify(begun.verdict));
      const [agentId, values = ''] = Buffer.from(file(`${name}/4-attributes.txt`))
        .toString()
        .split('\n');
      expect(finish(begun.pending, encodePluginResponse({ Secret: begun.pending.secret }), NOW)).toMatchObject({
        verdict: 'trusted',
        device: {
          agentId,
          selectors: expect.arrayContaining([values.slice(1, -1), 'proof:credential-only']),
          ek: { algorithm: 'rsa-2048', template: 'L-1', pubHash: PUB_HASH, admittedBy },
          ak: { algorithm: 'rsa-2048' },
        },
        notes: expect.arrayContaining([expect.stringMatching(/^wire: .* no quote/)]),
      });
    }
  });

  test('whose secret was right for its own challenge is none for ours', () => {
    for (const { name, policy } of rows()) {
      const begun = begin(file(`${name}/1-payload.json`), policy, randomBytes, NOW);
      if (begun.outcome !== 'challenged') throw new Error(JSON.stringify(begun.verdict));
      const response = file(`${name}/3-response.json`);
      expect(decodePluginResponse(response).Secret.length).toBe(begun.pending.secret.length);
      expect(finish(begun.pending, response, NOW)).toMatchObject({ findings: [{ code: 'credential.secret' }] });
    }
  });

  test('of which one byte was changed is refused for the part it lies in', () => {
    const flip = (bytes: Uint8Array, at: number): Uint8Array =>
      bytes.with(at < 0 ? bytes.length + at : at, (bytes.at(at) ?? 0) ^ 1);
    const edits: readonly [edit: (payload: PluginPayload) => PluginPayload, ...codes: readonly string[]][] = [
      [pemEdit((pem) => ({ ...pem, certificate: flip(pem.certificate ?? new Uint8Array(), -1) })), 'ek.chain'],
      [pemEdit((pem) => ({ ...pem, publicKey: flip(pem.publicKey, 100) })), 'ek.key_mismatch'],
      [akEdit('Public', (bytes) => flip(bytes, 100)), 'creation.name', 'creation.signature'],
      [akEdit('Public', (bytes) => flip(bytes, 0)), 'ak.malformed'],
      // Of TPMA_OBJECT: fixedTPM's byte, and restricted's.
      [akEdit('Public', (bytes) => bytes.with(7, 0x70)), 'ak.not_resident', 'creation.name'],
      [akEdit('Public', (bytes) => bytes.with(5, 0x04)), 'ak.unrestricted', 'creation.name'],
      // Its last byte but two is outsideInfo's size; further in lies the parent's Name.
      [akEdit('CreateData', (bytes) => flip(bytes, 60)), 'creation.data'],
      [akEdit('CreateData', (bytes) => flip(bytes, -1)), 'creation.data', 'creation.malformed'],
      [akEdit('CreateAttestation', (bytes) => flip(bytes, 0)), 'creation.magic', 'creation.signature'],
      [akEdit('CreateAttestation', (bytes) => flip(bytes, 5)), 'creation.signature', 'creation.type'],
      [akEdit('CreateAttestation', (bytes) => flip(bytes, -40)), 'creation.name', 'creation.signature'],
      [akEdit('CreateAttestation', (bytes) => flip(bytes, -1)), 'creation.data', 'creation.signature'],
      [akEdit('CreateAttestation', (bytes) => flip(bytes, 7)), 'creation.malformed', 'creation.signature'],
      [akEdit('CreateSignature', (bytes) => flip(bytes, -1)), 'creation.signature'],
      [akEdit('CreateSignature', (bytes) => bytes.with(1, 0x16)), 'creation.scheme'],
      [akEdit('CreateSignature', (bytes) => flip(bytes, 5)), 'creation.malformed'],
    ];
    const policy = certified();
    const payload = decodePluginPayload(file('with-certificate/1-payload.json'));
    expect(findingsOf(encodePluginPayload(payload), policy)).toEqual([]);
    for (const [i, [edit, ...codes]] of edits.entries())
      expect([...findingsOf(encodePluginPayload(edit(payload)), policy)].sort(), `edit ${i}`).toEqual(codes);
  });

  test('is refused under policies that ask for what it does not have', () => {
    const payload = file('with-certificate/1-payload.json');
    expect(findingsOf(payload, { ...certified(), wire: 'tpm-attestor' })).toEqual(['evidence.wire']);
    expect(findingsOf(payload, certified({}))).toEqual(['ek.software_tpm']);
    expect(findingsOf(payload, { ...certified(), ekTemplates: ['L-2'] })).toEqual(['ek.algorithm']);
    expect(findingsOf(payload, { ...listed, isListed: () => false })).toEqual(['ek.not_listed']);
  });
});

const pemEdit =
  (edit: (pem: ReturnType<typeof decodeEkPem>) => ReturnType<typeof decodeEkPem>) =>
  (payload: PluginPayload): PluginPayload => ({ ...payload, EK: encodeEkPem(edit(decodeEkPem(payload.EK))) });

const akEdit =
  (part: Exclude<keyof PluginPayload['AK'], 'UseTCSDActivationFormat'>, edit: (bytes: Uint8Array) => Uint8Array) =>
  (payload: PluginPayload): PluginPayload => ({ ...payload, AK: { ...payload.AK, [part]: edit(payload.AK[part]) } });

test('makes no challenge when the entropy source is off by a byte', () => {
  const { payload } = pluginForger(softwareDevice());
  expect(findingsOf(payload, base)).toEqual([]);
  for (const difference of [-1, 1])
    expect(() => begin(payload, base, (bytes) => new Uint8Array(bytes + difference), NOW)).toThrow('entropy source');
});

test('takes an answer in time, none after it and none before its challenge', () => {
  const begun = begin(pluginForger(softwareDevice()).payload, base, randomBytes, NOW);
  if (begun.outcome !== 'challenged') throw new Error(JSON.stringify(begun.verdict));
  const answer = encodePluginResponse({ Secret: begun.pending.secret });
  const after = (ms: number) => finish(begun.pending, answer, new Date(NOW.getTime() + ms));
  expect(after(60_000)).toMatchObject({ verdict: 'trusted', notes: [expect.stringContaining('no quote')] });
  expect(after(60_001)).toMatchObject({ verdict: 'untrusted', findings: [{ code: 'response.late' }] });
  expect(after(-1)).toMatchObject({ verdict: 'untrusted', findings: [{ code: 'response.late' }] });
  expect(() => after(Number.NaN)).toThrow(TypeError);
  expect(() => begin(new Uint8Array(), base, randomBytes, new Date(Number.NaN))).toThrow(TypeError);
});
