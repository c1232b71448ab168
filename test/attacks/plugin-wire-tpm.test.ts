/** spire-tpm-plugin's wire from a machine whose root user works with tpm2-tools: what a real TPM signs and opens there. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeEkPem } from '../../src/evidence/ek-pem.ts';
import {
  decodePluginChallenge,
  encodePluginPayload,
  encodePluginResponse,
  type PluginPayload,
} from '../../src/evidence/legacy-messages.ts';
import { StatusError } from '../../src/spire/status.ts';
import { publicKeyOf, spkiOf } from '../../src/tpm/public-key.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { tpm2bPublic } from '../../src/tpm/structures/public.ts';
import { type Judgement, useJudge } from '../support/judge.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { startSwtpm } from '../support/swtpm.ts';
import { AK_ATTRIBUTES, type Signed, ToolsAgent } from '../support/tools-agent.ts';

const folder = mkdtempSync(join(tmpdir(), 'attack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let agent: ToolsAgent;
const judge = useJudge(async () => {
  const tpm = await startSwtpm({ templates: ['L-1'] });
  agent = new ToolsAgent(tpm);
  const caPath = join(folder, 'ca.pem');
  writeFileSync(caPath, readFileSync(tpm.caPath, 'utf8') + pem(mintEkChain().root.der));
  return { caPath, config: 'allow_software_tpm = true\nwire = "spire-tpm-plugin"' };
});

/** As that project has it: a child of the storage key, loaded as `<ak>.ctx`; its creation in `<ak>.data`, … */
async function createAk(ak: string, attributes: string = AK_ATTRIBUTES, outsideInfo = '00'): Promise<void> {
  await agent.tool('tpm2_createprimary', '-C', 'o', '-c', 'srk.ctx');
  const parts = ['-u', `${ak}.public`, '-r', `${ak}.private`];
  const creation = ['-q', outsideInfo, '--creation-data', `${ak}.data`, '-d', `${ak}.hash`, '-t', `${ak}.ticket`];
  await agent.tool(
    'tpm2_create',
    '-C',
    'srk.ctx',
    '-G',
    'rsa2048:rsassa-sha256:null',
    '-a',
    attributes,
    ...parts,
    ...creation,
  );
  await agent.tool('tpm2_load', '-C', 'srk.ctx', ...parts, '-c', `${ak}.ctx`);
}

/** What `signer` says of the creation of `object`. */
const certified = (signer: string, object: string): Promise<Signed> =>
  agent.attested(
    'tpm2_certifycreation',
    ...['-C', `${signer}.ctx`, '-c', `${object}.ctx`, '-d', `${object}.hash`, '-t', `${object}.ticket`],
    ...['-g', 'sha256', '-f', 'tss', '--attestation', 'quoted', '-o', 'signature'],
  );

/** Names a key that has been loaded and saved as `<ak>.ctx`, with what is said of its creation. */
async function payloadOf(ak: string, { quoted, signature }: Signed, dataOf: string = ak): Promise<PluginPayload> {
  await agent.tool('tpm2_createek', '-G', 'rsa', '-c', 'ek.ctx', '-u', 'ek.pub');
  await agent.tool('tpm2_nvread', '0x01c00002', '-o', 'ek.der');
  const key = publicKeyOf(decode(tpm2bPublic, await agent.file('ek.pub')));
  if (key === undefined) throw new Error('no endorsement key');
  const EK = encodeEkPem({ publicKey: spkiOf(key), certificate: await agent.file('ek.der') });
  // The tools write a TPM2B_CREATION_DATA; on the wire it is without its size.
  const CreateData = (await agent.file(`${dataOf}.data`)).slice(2);
  const Public = await agent.publicArea(ak);
  return {
    EK,
    AK: { Public, UseTCSDActivationFormat: false, CreateData, CreateAttestation: quoted, CreateSignature: signature },
  };
}

/** An exchange by tpm2-tools alone. */
async function attest(ak: string, payload: PluginPayload): Promise<Judgement> {
  const stream = judge.host.openAttestation();
  stream.sendPayload(encodePluginPayload(payload));
  try {
    const message = await stream.next();
    if (message.kind !== 'challenge') throw new Error('no challenge');
    const Secret = await agent.activate(ak, decodePluginChallenge(message.bytes));
    return await judge.answered(stream, encodePluginResponse({ Secret }));
  } catch (error) {
    if (error instanceof StatusError) return { outcome: 'refused', code: error.code, message: error.message };
    throw error;
  }
}

beforeAll(async () => {
  await createAk('ak');
  expect(await attest('ak', await payloadOf('ak', await certified('ak', 'ak')))).toMatchObject({
    outcome: 'admitted',
    selectors: expect.arrayContaining([expect.stringMatching(/^pub_hash:/), 'proof:credential-only']),
  });
});

test('A09 refuses the answer of TPM2_Quote in place of a creation certificate', async () => {
  const quote = await agent.quote('ak', 'sha256:0', new Uint8Array(32));
  await judge.refused(await attest('ak', await payloadOf('ak', quote)), 'creation.type');
});

test('A14 refuses the creation certificate of another key of the same TPM', async () => {
  await createAk('second', AK_ATTRIBUTES, 'ff');
  const other = await certified('ak', 'second');
  await judge.refused(await attest('ak', await payloadOf('ak', other, 'second')), 'creation.name');
  await judge.refused(await attest('ak', await payloadOf('ak', other)), 'creation.name', 'creation.data');
  const byOther = await certified('second', 'ak');
  await judge.refused(await attest('ak', await payloadOf('ak', byOther)), 'creation.signature');
});

test('A13 refuses a resident key that certifies its creation but is not restricted', async () => {
  await createAk('loose', AK_ATTRIBUTES.replace('|restricted', ''));
  const own = await certified('loose', 'loose');
  await judge.refused(await attest('loose', await payloadOf('loose', own)), 'ak.unrestricted');
});

test('A14 refuses on the legacy wire a key from a file, whose creation no TPM certifies', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await agent.write('software.pem', privateKey.export({ format: 'pem', type: 'pkcs1' }).toString());
  const key = ['-G', 'rsa2048', '-r', 'software.pem', '-c', 'software.ctx', '-a', 'userwithauth|sign'];
  await agent.tool('tpm2_loadexternal', '-C', 'n', ...key);
  for (const part of ['hash', 'ticket', 'data']) await agent.write(`software.${part}`, await agent.file(`ak.${part}`));
  await expect(certified('software', 'software')).rejects.toThrow(/ticket|0x1e0|0x4e0|0x5e0/i);
  const none = { quoted: new Uint8Array(), signature: new Uint8Array() };
  await judge.refused(
    await attest('software', await payloadOf('software', none)),
    'ak.not_resident',
    'ak.scheme',
    'creation.malformed',
  );
});
