import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Attestor, type AttestorOptions } from '../../src/agent/attest.ts';
import { hex } from '../../src/bytes/bytes.ts';
import {
  decodePluginChallenge,
  decodePluginPayload,
  encodePluginChallenge,
} from '../../src/evidence/legacy-messages.ts';
import { makeCredential } from '../../src/tpm/make-credential.ts';
import { TPMA_OBJECT } from '../../src/tpm/structures/attributes.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { objectName } from '../../src/tpm/structures/name.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate, EK_TEMPLATES } from '../../src/tpm/templates.ts';
import { begin, finish } from '../../src/verifier/legacy-verify.ts';
import type { Policy } from '../../src/verifier/policy.ts';
import { attestTo, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { ekTemplate, leftInTpm } from '../support/open-tpm.ts';
import { commandsInPcap } from '../support/pcap.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { readTraffic } from '../support/tpm-traffic.ts';

let tpm: SoftwareTpm;
let recording: string;

const attestorFor = (options: Partial<AttestorOptions> = {}): Attestor =>
  new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti, wire: 'spire-tpm-plugin', ...options });
const policy = (changes: Partial<Policy> = {}): Policy => policyFor(tpm, { wire: 'spire-tpm-plugin', ...changes });
const entropy = (bytes: number): Uint8Array => Uint8Array.from(randomBytes(bytes));

/** One attestation on that wire, judged. */
async function attest(attestor: Attestor, asked: Policy = policy()) {
  let begun: ReturnType<typeof begin> | undefined;
  let sent = new Uint8Array();
  const attestation = await attestor.attest(async (payload) => {
    sent = Uint8Array.from(payload);
    begun = begin(payload, asked, entropy, new Date());
    if (begun.outcome === 'rejected') throw new Error(JSON.stringify(begun.verdict.findings));
    return begun.challenge;
  });
  if (begun?.outcome !== 'challenged') throw new Error('no challenge was made');
  const verdict = finish(begun.pending, attestation.response, new Date());
  return { ...attestation, verdict, payload: sent, secret: begun.pending.secret };
}

function record(): () => string {
  recording = join(tpm.folder, `${randomBytes(4).toString('hex')}.pcap`);
  process.env['TCTI_PCAP_FILE'] = recording;
  return () => `pcap:${tpm.tcti}`;
}

beforeEach(async () => {
  tpm = await startSwtpm({ templates: ['L-1'] });
});
afterEach(async () => {
  delete process.env['TCTI_PCAP_FILE'];
  await tpm.stop();
});

test.each([
  { ak: 'ecc', algorithm: 'ecc-P-256' },
  { ak: 'rsa', algorithm: 'rsa-2048' },
] as const)('attests with an AK of $ak, leaves nothing loaded, never fills the TPM', async ({ ak, algorithm }) => {
  const attestor = attestorFor({ ak, tcti: record() });
  const own = await attestTo(attestorFor({ wire: 'tpm-attestor', tcti: () => tpm.tcti }), policyFor(tpm));
  for (const warm of [false, true]) {
    const { verdict, ...attestation } = await attest(attestor);
    expect(verdict).toMatchObject({ verdict: 'trusted', device: { ak: { algorithm }, ek: { template: 'L-1' } } });
    expect(attestation).toMatchObject({ wire: 'spire-tpm-plugin', akAlgorithm: algorithm, warm });
    if (verdict.verdict !== 'trusted' || own.verdict.verdict !== 'trusted') throw new Error('not trusted');
    expect(verdict.device.agentId).toBe(own.verdict.device.agentId);
  }
  const traffic = readTraffic(recording);
  expect(traffic.mostTransients).toBeLessThanOrEqual(3);
  expect(traffic.mostSessions).toBe(1);
  expect(traffic.left).toEqual([]);
  expect(await leftInTpm(tpm)).toEqual([]);
});

test.each([
  { persistentEks: true, most: 5 },
  { persistentEks: false, most: 7 },
])('later sends $most commands, persistent: $persistentEks, and the same payload', async ({ persistentEks, most }) => {
  tpm = await startSwtpm({ templates: ['L-1'], persistentEks });
  const attestor = attestorFor({ tcti: record() });
  const first = await attest(attestor);
  expect(first.commands.get('TPM2_CertifyCreation')).toBe(1);
  for (let round = 2; round <= 3; round++) {
    record();
    const { verdict, payload, commands, warm } = await attest(attestor);
    expect({ verdict: verdict.verdict, warm }).toEqual({ verdict: 'trusted', warm: true });
    expect(payload).toEqual(first.payload);
    expect([...commands.values()].reduce((sum, count) => sum + count, 0)).toBe(most);
    expect(commandsInPcap(readFileSync(recording))).toEqual(commands);
    expect([...commands.keys()]).not.toContain('TPM2_CertifyCreation');
  }
  expect(await leftInTpm(tpm)).toEqual([]);
});

test('makes its evidence anew, once, after the TPM was cleared', async () => {
  const attestor = attestorFor();
  const first = await attest(attestor);
  await tpm.tpm2('tpm2_clear', ['-c', 'p']);
  const second = await attest(attestor);
  expect(second).toMatchObject({ warm: false, verdict: { verdict: 'trusted' } });
  expect(second.commands.get('TPM2_CertifyCreation')).toBe(1);
  // The clearing shows when the challenge is there.
  expect(second.payload).toEqual(first.payload);
  const third = await attest(attestor);
  expect(third.warm).toBe(true);
  expect(third.payload).not.toEqual(first.payload);
});

test('its secret is not on the bus, but leaves without a quote, for a server of any trust domain', async () => {
  const attestor = attestorFor({ trustDomain: 'elsewhere.example', tcti: record() });
  const { verdict, commands, secret } = await attest(attestor, policy({ trustDomain: TRUST_DOMAIN }));
  // This is what makes the wire a relay oracle: on our own the commitment stops it.
  expect(verdict).toMatchObject({ verdict: 'trusted', device: { agentId: expect.stringContaining(TRUST_DOMAIN) } });
  expect([...commands.keys()]).not.toContain('TPM2_Quote');
  expect(readFileSync(recording).includes(Buffer.from(secret))).toBe(false);

  const own = new Attestor({ trustDomain: 'elsewhere.example', tcti: () => tpm.tcti });
  await expect(attestTo(own, policyFor(tpm))).rejects.toThrow('evidence.trust_domain');
});

describe('its attestation key', () => {
  test('has the public area written down here: whoever changes it changes the key of every node', async () => {
    const { payload } = await attest(attestorFor());
    const made = decode(tpmtPublic, decodePluginPayload(payload).AK.Public);
    const template = akTemplate('ecc', `/spire-tpm-plugin/${TRUST_DOMAIN}`);
    expect({ ...made, unique: undefined }).toEqual({ ...template, unique: undefined });
    const seed = createHash('sha256').update('tpm-attestor/ak/1/spire-tpm-plugin/example.org').digest('hex');
    expect(hex(encode(tpmtPublic, template))).toContain(seed);
  });

  test('is none of our own wire, of which it opens no credential', async () => {
    const own = await attestTo(attestorFor({ wire: 'tpm-attestor' }), policyFor(tpm));
    const { payload, endorsement, verdict } = await attest(attestorFor());
    if (own.verdict.verdict !== 'trusted' || verdict.verdict !== 'trusted') throw new Error('not trusted');
    const ownName = Uint8Array.from(Buffer.from(own.verdict.device.ak.name, 'hex'));
    const name = objectName(decode(tpmtPublic, decodePluginPayload(payload).AK.Public));
    expect(hex(name)).toBe(verdict.device.ak.name);
    expect(name).not.toEqual(ownName);

    const ek = decode(tpmtPublic, endorsement.publicArea);
    const challengeFor = (of: Uint8Array) => encodePluginChallenge(makeCredential(ek, of, entropy(32), entropy));
    const attestor = attestorFor();
    await expect(attestor.attest(async () => challengeFor(ownName))).rejects.toMatchObject({
      code: 'ERR_TPM',
      command: 'TPM2_ActivateCredential',
    });
    await expect(attestor.attest(async () => challengeFor(name))).resolves.toMatchObject({ warm: false });
    expect(await leftInTpm(tpm)).toEqual([]);
  });
});

describe('its endorsement key', () => {
  test('is the one of template L-1, whatever other the TPM has a certificate for', async () => {
    tpm = await startSwtpm({ templates: ['H-1', 'H-3'] });
    const { verdict, endorsement } = await attest(attestorFor(), policy({ isListed: () => true }));
    expect(endorsement).toMatchObject({ template: { name: 'L-1' }, certificates: [] });
    expect(verdict).toMatchObject({ verdict: 'trusted', device: { ek: { template: 'L-1', admittedBy: 'hash' } } });
    await expect(attest(attestorFor())).rejects.toThrow('ek.no_certificate');
  });

  test('is refused before anything is sent where the manufacturer has another template for it', async () => {
    tpm = await startSwtpm({ templates: [] });
    const template = ekTemplate('L-1');
    const other = encode(tpmtPublic, { ...template, objectAttributes: template.objectAttributes | TPMA_OBJECT.noDA });
    await writeFile(join(tpm.folder, 'template'), other);
    const attributes = 'ppwrite|ppread|ownerread|authread|no_da|platformcreate';
    await tpm.tpm2('tpm2_nvdefine', ['0x01c00004', '-C', 'p', '-s', `${other.length}`, '-a', attributes]);
    await tpm.tpm2('tpm2_nvwrite', ['0x01c00004', '-C', 'p', '-i', 'template']);
    let asked = false;
    const attestation = attestorFor().attest(async () => {
      asked = true;
      return new Uint8Array();
    });
    await expect(attestation).rejects.toMatchObject({
      code: 'ERR_ENDORSEMENT',
      message: expect.stringMatching(/spire-tpm-plugin needs an endorsement key of template L-1/),
    });
    expect(asked).toBe(false);
    expect(await leftInTpm(tpm)).toEqual([]);
  });

  test('is looked for among the templates of the kind that is configured, and there is none on a curve', async () => {
    expect(EK_TEMPLATES.filter(({ name }) => name === 'L-1').map(({ algorithm }) => algorithm)).toEqual(['rsa']);
    await expect(attest(attestorFor({ ek: 'ecc' }))).rejects.toMatchObject({ code: 'ERR_ENDORSEMENT' });
  });
});

test.each<[string, string, RegExp]>([
  ['no JSON', 'x', /Challenge at byte 0: not JSON/],
  ['no credential', '{"EC":{"Secret":"AAE="}}', /Challenge\.EC\.Credential at byte 0: is missing/],
  ['a credential that is cut off', '{"EC":{"Credential":"AAVhYg==","Secret":"AAFh"}}', /TPM2B_ID_OBJECT at byte 2/],
  [
    'a secret of another size',
    '{"EC":{"Credential":"AAIAAA==","Secret":"AAFhYg=="}}',
    /TPM2B_ENCRYPTED_SECRET at byte 3/,
  ],
])('a challenge with %s is a precise error, and leaves nothing loaded', async (_, challenge, message) => {
  const answer = attestorFor().attest(async () => Uint8Array.from(Buffer.from(challenge)));
  await expect(answer).rejects.toMatchObject({ code: 'ERR_MALFORMED', message: expect.stringMatching(message) });
  expect(await leftInTpm(tpm)).toEqual([]);
});

test('takes a credential whose seed is shorter than the hash, as that project makes it', async () => {
  // A seed of 16 bytes: what is encrypted to an RSA key may be shorter than the digest (Part 1, B.10.3).
  const attestor = attestorFor();
  const { payload, endorsement } = await attest(attestor);
  const ek = decode(tpmtPublic, endorsement.publicArea);
  const name = objectName(decode(tpmtPublic, decodePluginPayload(payload).AK.Public));
  const secret = entropy(32);
  const shortSeed = (bytes: number): Uint8Array => entropy(Math.min(bytes, 16));
  const challenge = encodePluginChallenge(makeCredential(ek, name, secret, shortSeed));
  expect(decodePluginChallenge(challenge).encryptedSecret.length).toBe(256);
  const { response } = await attestor.attest(async () => challenge);
  expect(Buffer.from(response).toString()).toBe(JSON.stringify({ Secret: Buffer.from(secret).toString('base64') }));
});
