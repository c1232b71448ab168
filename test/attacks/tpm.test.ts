/** What a real TPM lets its owner do: there the server's checks are all that is left. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { commitment } from '../../src/evidence/binding.ts';
import { type ChallengeResponse, decodeChallenge, decodePayload, encodeResponse } from '../../src/evidence/messages.ts';
import { StatusError } from '../../src/spire/status.ts';
import { makeCredential } from '../../src/tpm/make-credential.ts';
import { tpmsAttest } from '../../src/tpm/structures/attest.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { objectName } from '../../src/tpm/structures/name.ts';
import { tpm2bPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import { type Judgement, useJudge } from '../support/judge.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { digest, TRUST_DOMAIN } from '../support/software-device.ts';
import { startSwtpm } from '../support/swtpm.ts';
import { AK_ATTRIBUTES, type Signed, ToolsAgent } from '../support/tools-agent.ts';

const folder = mkdtempSync(join(tmpdir(), 'attack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let agent: ToolsAgent;
let other: ToolsAgent;
const judge = useJudge(async () => {
  const [tpm, second] = [
    await startSwtpm({ templates: ['L-1'] }),
    await startSwtpm({ templates: ['L-1'], identity: 1 }),
  ];
  [agent, other] = [new ToolsAgent(tpm), new ToolsAgent(second)];
  const caPath = join(folder, 'ca.pem');
  writeFileSync(caPath, readFileSync(tpm.caPath, 'utf8') + pem(mintEkChain().root.der));
  return { caPath, config: 'allow_software_tpm = true' };
});

interface Answering {
  /** Saved as `<ak>.ctx`. */
  readonly ak?: string;
  readonly payload?: Uint8Array;
  readonly secret?: (challenge: Uint8Array) => Promise<Uint8Array>;
  /** Instead of the quote asked for. */
  readonly quote?: (qualifyingData: Uint8Array, selection: string) => Promise<Signed>;
  readonly response?: (honest: ChallengeResponse) => ChallengeResponse;
}

/** An exchange by tpm2-tools alone, honest where nothing else is said. */
async function attest({ ak = 'ak', payload, secret, quote, response }: Answering = {}): Promise<Judgement> {
  const sent = payload ?? (await agent.payload(ak));
  const stream = judge.host.openAttestation();
  stream.sendPayload(sent);
  let challenge: Uint8Array;
  try {
    const message = await stream.next();
    if (message.kind !== 'challenge') throw new Error('no challenge');
    challenge = message.bytes;
  } catch (error) {
    if (error instanceof StatusError) return { outcome: 'refused', code: error.code, message: error.message };
    throw error;
  }
  const selection = agent.selectionOf(challenge);
  const qualifyingData = commitment(TRUST_DOMAIN, sent, challenge);
  const honest: ChallengeResponse = {
    secret: await (secret?.(challenge) ?? agent.activate(ak, decodeChallenge(challenge))),
    ...(await (quote?.(qualifyingData, selection) ?? agent.quote(ak, selection, qualifyingData))),
    pcrValues: await agent.pcrValues(selection),
  };
  return judge.answered(stream, encodeResponse(response?.(honest) ?? honest));
}

/** Makes a credential for the keys in the payload, as a server would that looks at no attributes. */
function credentialFor(payload: Uint8Array, secret: Uint8Array): ReturnType<typeof makeCredential> {
  const { ekPublic, akPublic } = decodePayload(payload);
  return makeCredential(decode(tpmtPublic, ekPublic), objectName(decode(tpmtPublic, akPublic)), secret, (count) =>
    Uint8Array.from(randomBytes(count)),
  );
}

beforeAll(async () => {
  expect(await attest()).toMatchObject({ outcome: 'admitted' });
});

test('A09 refuses the answers of TPM2_GetTime, TPM2_NV_Certify and TPM2_Certify in place of a quote', async () => {
  const output = ['-o', 'signature', '-f', 'tss', '--attestation', 'quoted'];
  const time = (data: Uint8Array) => agent.attested('tpm2_gettime', '-c', 'ak.ctx', '-q', hex(data), ...output);
  await judge.refused(await attest({ quote: time }), 'quote.type');
  const index = ['-c', 'o', '--size', '32', '0x01c00002'];
  const nv = (data: Uint8Array) =>
    agent.attested('tpm2_nvcertify', '-C', 'ak.ctx', '-g', 'sha256', '-q', hex(data), ...output, ...index);
  await judge.refused(await attest({ quote: nv }), 'quote.type');
  // This tool takes no qualifying data; the structure is refused for its type before that is looked at.
  const files = ['-o', 'quoted', '-s', 'signature', '-f', 'tss'];
  const certify = () => agent.attested('tpm2_certify', '-c', 'ak.ctx', '-C', 'ak.ctx', '-g', 'sha256', ...files);
  await judge.refused(await attest({ quote: certify }), 'quote.type');
});

test('A12 refuses a quote by a second attestation key of the same TPM', async () => {
  const payload = await agent.payload('ak');
  const unique = ['-u', 'second.unique'];
  await agent.write(
    'second.unique',
    concat(Uint8Array.of(32, 0), digest('sha256', 'second'), Uint8Array.of(32, 0), new Uint8Array(32)),
  );
  await agent.tool(
    'tpm2_createprimary',
    '-C',
    'e',
    '-G',
    'ecc256:ecdsa-sha256:null',
    '-a',
    AK_ATTRIBUTES,
    '-c',
    'second.ctx',
    ...unique,
  );
  const quote = (data: Uint8Array, selection: string) => agent.quote('second', selection, data);
  await judge.refused(await attest({ payload, quote }), 'quote.signature', 'quote.qualified_signer');
});

test('A13 refuses a resident key that is not restricted, which also signs forged quotes', async () => {
  const payload = await agent.payload('loose', AK_ATTRIBUTES.replace('|restricted', ''));
  const { quoted } = await agent.quote('loose', 'sha256:0', new Uint8Array(32));
  const forged = encode(tpmsAttest, { ...decode(tpmsAttest, quoted), firmwareVersion: 1n });
  await agent.write('forged', forged);
  const sign = ['-g', 'sha256', '-o', 'forged.signature', 'forged'];
  await agent.tool('tpm2_sign', '-c', 'loose.ctx', ...sign);
  await agent.payload('ak');
  await expect(agent.tool('tpm2_sign', '-c', 'ak.ctx', ...sign)).rejects.toThrow(/0x3e0|ticket/i);
  await judge.refused(await attest({ payload }), 'ak.unrestricted');
});

test('A14 refuses a key from a file, although the TPM opens credentials for it', async () => {
  // The tools cannot give it a signing scheme, which is refused on its own.
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await agent.write('software.pem', privateKey.export({ format: 'pem', type: 'sec1' }).toString());
  const load = (attributes: string) =>
    agent.tool(
      'tpm2_loadexternal',
      '-C',
      'n',
      '-G',
      'ecc',
      '-r',
      'software.pem',
      '-c',
      'software.ctx',
      '-a',
      attributes,
    );
  for (const claimed of ['fixedtpm', 'fixedparent', 'restricted'])
    await expect(load(`userwithauth|sign|${claimed}`), claimed).rejects.toThrow(/attributes/);
  await load('userwithauth|sign|sensitivedataorigin');
  const payload = await agent.payloadFor('software');
  const secret = Uint8Array.from(randomBytes(32));
  expect(await agent.activate('software', credentialFor(payload, secret))).toEqual(secret);
  await judge.refused(await attest({ payload }), 'ak.not_resident', 'ak.scheme');
});

test('A14 refuses an imported key, although the TPM opens credentials for it', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await agent.write('imported.pem', privateKey.export({ format: 'pem', type: 'sec1' }).toString());
  await agent.tool('tpm2_createprimary', '-C', 'o', '-c', 'parent.ctx');
  const parts = ['-u', 'imported.public', '-r', 'imported.private'];
  await agent.tool(
    'tpm2_import',
    '-C',
    'parent.ctx',
    '-G',
    'ecc',
    '-i',
    'imported.pem',
    ...parts,
    '-a',
    'userwithauth|sign',
  );
  await agent.tool('tpm2_load', '-C', 'parent.ctx', ...parts, '-c', 'imported.ctx');
  const payload = await agent.payloadFor('imported');
  const secret = Uint8Array.from(randomBytes(32));
  expect(await agent.activate('imported', credentialFor(payload, secret))).toEqual(secret);
  await judge.refused(await attest({ payload }), 'ak.not_resident', 'ak.scheme');
});

test("A14 refuses another TPM's attestation key, because this TPM opens no credential for it", async () => {
  await other.payload('ak');
  await agent.write('foreign.pub', encode(tpm2bPublic, decode(tpmtPublic, await other.publicArea('ak'))));
  await agent.tool('tpm2_loadexternal', '-C', 'e', '-u', 'foreign.pub', '-c', 'foreign.ctx');
  const payload = await agent.payloadFor('foreign');
  const judgement = await attest({
    payload,
    secret: async (challenge) => {
      await expect(agent.activate('foreign', decodeChallenge(challenge))).rejects.toThrow(/0x12f|auth/i);
      return new Uint8Array(32);
    },
    quote: (data, selection) => other.quote('ak', selection, data),
  });
  await judge.refused(judgement, 'credential.secret');
});

test('A29 refuses a quote over a bank that the TPM has not allocated, although the TPM makes it', async () => {
  const nothing = digest('sha256');
  const quote = async (data: Uint8Array): Promise<Signed> => {
    const signed = await agent.quote('ak', 'sha512:0,1', data);
    expect(decode(tpmsAttest, signed.quoted)).toMatchObject({ attested: { pcrDigest: nothing } });
    return signed;
  };
  const empty = (honest: ChallengeResponse) => ({ ...honest, pcrValues: [] });
  await judge.refused(await attest({ quote, response: empty }), 'quote.selection');
  const chosen = (honest: ChallengeResponse) => ({ ...honest, pcrValues: [new Uint8Array(64), new Uint8Array(64)] });
  await judge.refused(
    await attest({ quote, response: chosen }),
    'quote.selection',
    'quote.pcr_values',
    'quote.pcr_digest',
  );
});

test('A52 refuses an attestation key of the owner hierarchy, whose counters the TPM obscures', async () => {
  const payload = await agent.payload('owned', AK_ATTRIBUTES, 'o');
  await judge.refused(await attest({ ak: 'owned', payload }), 'quote.qualified_signer');
});
