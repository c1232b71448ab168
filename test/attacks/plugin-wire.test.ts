/** spire-tpm-plugin's wire: whoever speaks it is held to the same of both keys as on our own. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import type { PluginPayload } from '../../src/evidence/legacy-messages.ts';
import { TPMA_OBJECT } from '../../src/tpm/structures/attributes.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { objectName } from '../../src/tpm/structures/name.ts';
import { pcrSelection } from '../../src/tpm/structures/pcr.ts';
import type { TpmtPublic } from '../../src/tpm/structures/public.ts';
import type { FindingCode } from '../../src/verifier/findings.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { keyPair, mintEkChain, pem, spkiOf } from '../support/pki.ts';
import { type PluginForgery, pluginForger } from '../support/plugin-forger.ts';
import { digest, eccAk, rsaAk, type SoftwareDevice, signed, softwareDevice } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'attack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** This wire carries the endorsement certificate alone: the CA above it must be an anchor. */
const caPath = join(folder, 'ca.pem');
const { root, intermediate } = mintEkChain();
writeFileSync(caPath, pem(root.der, intermediate.der));

// Its control speaks our own wire: one server takes both.
const judge = useJudge({ caPath, config: 'wire = "spire-tpm-plugin"' });
const strict = useJudge({ caPath });

const zeros = (count: number): Uint8Array => new Uint8Array(count);
const ECDSA = { scheme: TPM_ALG.ECDSA, hashAlg: TPM_ALG.SHA256 };

async function refuses(
  forgery: PluginForgery | { readonly device: SoftwareDevice; readonly forgery?: PluginForgery },
  ...codes: readonly FindingCode[]
): Promise<void> {
  const [device, forged] = 'device' in forgery ? [forgery.device, forgery.forgery] : [softwareDevice(), forgery];
  await judge.refused(await judge.judge(pluginForger(device, forged)), ...codes);
}

const ofAk =
  (part: 'Public' | 'CreateData' | 'CreateAttestation' | 'CreateSignature', edit: (bytes: Uint8Array) => Uint8Array) =>
  (payload: PluginPayload): PluginPayload => ({ ...payload, AK: { ...payload.AK, [part]: edit(payload.AK[part]) } });
const longer = (bytes: Uint8Array): Uint8Array => concat(bytes, zeros(1));
const shorter = (bytes: Uint8Array): Uint8Array => bytes.slice(0, -1);
const without =
  (bit: number) =>
  (area: TpmtPublic): TpmtPublic => ({ ...area, objectAttributes: area.objectAttributes & ~bit });

test('refuses the legacy wire unless it is turned on', async () => {
  await strict.refused(await strict.judge(pluginForger(softwareDevice())), 'evidence.wire');
  const { records } = strict;
  expect(records.find(({ fields }) => fields['finding'] === 'evidence.wire')?.fields['remedy']).toContain(
    'wire = "spire-tpm-plugin"',
  );
});

test('admits on both wires under one ID, and marks the legacy wire by a selector and a warning', async () => {
  for (const ak of [eccAk(), rsaAk()]) {
    const device = softwareDevice({ ak });
    const own = await judge.judge(forger(device));
    const other = await judge.judge(pluginForger(device));
    if (own.outcome !== 'admitted' || other.outcome !== 'admitted') throw new Error('not admitted');
    expect(other).toEqual({ ...own, selectors: [...own.selectors, 'proof:credential-only'] });
  }
  await judge.until(() => judge.records.some(({ message }) => /^relaxed policy: wire: .* no quote/.test(message)));
  expect(judge.records.find(({ message }) => /^wire: .*relay/.test(message))?.level).toBe('warn');
});

test('A08 refuses a creation certificate whose magic is not TPM_GENERATED', async () => {
  await refuses({ certifyInfo: (bytes) => bytes.with(0, 0xfe) }, 'creation.magic');
  await refuses({ certifyInfo: (bytes) => bytes.with(3, 0x46) }, 'creation.magic');
});

test('A09 refuses a quote, or another signed structure, in place of a creation certificate', async () => {
  const name = objectName(softwareDevice().ak.publicArea);
  const pcrs = { pcrSelect: [pcrSelection(TPM_ALG.SHA256, [0])], pcrDigest: digest('sha256') };
  await refuses({ attest: (honest) => ({ ...honest, type: 'quote', attested: pcrs }) }, 'creation.type');
  const certified = { name, qualifiedName: name };
  await refuses({ attest: (honest) => ({ ...honest, type: 'certify', attested: certified }) }, 'creation.type');
});

test('A10 refuses a creation certificate, its data or its signature with a byte too many or too few', async () => {
  for (const edit of [longer, shorter]) {
    await refuses({ certifyInfo: edit }, 'creation.malformed');
    await refuses({ payload: ofAk('CreateData', edit) }, 'creation.data', 'creation.malformed');
    await refuses({ payload: ofAk('CreateSignature', edit) }, 'creation.malformed');
    await refuses({ payload: ofAk('Public', edit) }, 'ak.malformed');
  }
});

test('A11 refuses JSON with an extra name, a name twice, another value or another spelling', async () => {
  const edits: readonly ((text: string) => string)[] = [
    (text) => text.replace('{"EK"', '{"Name":"","EK"'),
    (text) => text.replace('{"EK"', '{"EK":"","EK"'),
    (text) => text.replace('{"EK"', '{ "EK"'),
    (text) => text.replace('"Public"', '"public"'),
    (text) => text.replace('"Public"', '"\\u0050ublic"'),
    (text) => text.replace('false', 'true'),
    (text) => text.replace('false', 'null'),
    (text) => text.slice(0, -1),
    (text) => `${text}{}`,
    () => '{}',
    () => '{',
  ];
  for (const edit of edits) {
    const payloadBytes = (bytes: Uint8Array) => Uint8Array.from(Buffer.from(edit(Buffer.from(bytes).toString())));
    await refuses({ payloadBytes }, 'evidence.malformed');
  }
});

const PVE = { cuid: '951e201df8044442b922699be0534f1b', uuid: 'fa34b48b-5657-41e0-8bbc-4866da9f2935', vmid: 123 };
const withPve = (text: string) => (bytes: Uint8Array) =>
  Uint8Array.from(Buffer.from(Buffer.from(bytes).toString().replace(/}$/, `,"PVE":${text}}`)));

test('admits newer agents; what they claim of a virtual machine is logged and gives no selector', async () => {
  const device = softwareDevice();
  const older = await judge.judge(pluginForger(device));
  for (const text of ['null', JSON.stringify(PVE)])
    expect(await judge.judge(pluginForger(device, { payloadBytes: withPve(text) })), text).toEqual(older);
  const told = () => judge.records.filter(({ message }) => message.includes('Proxmox'));
  await judge.until(() => told().length > 0);
  expect(told()).toMatchObject([
    {
      level: 'warn',
      message: `relaxed policy: wire: the agent calls itself VM 123 (${PVE.uuid}) of Proxmox cluster ${PVE.cuid}: nothing proves that`,
    },
  ]);
});

test('A75 refuses a malformed claim of a virtual machine, which could forge the log', async () => {
  const lines = JSON.stringify({ ...PVE, uuid: 'x\n2026-01-01 [INFO] node attested' });
  const forms = [
    '{}',
    '[]',
    '1',
    '{"cuid":"","uuid":"","vmid":"1"}',
    lines,
    JSON.stringify({ ...PVE, cuid: 'a'.repeat(65) }),
  ];
  for (const text of forms) await refuses({ payloadBytes: withPve(text) }, 'evidence.malformed');
  await refuses({ payloadBytes: withPve('null,"AWS":null') }, 'evidence.malformed');
  await refuses({ payloadBytes: withPve('null,"PVE":null') }, 'evidence.malformed');
});

test('A10 refuses an answer on the legacy wire that is not its JSON', async () => {
  await refuses({ responseBytes: () => Uint8Array.from(Buffer.from('{"Secret":null}')) }, 'response.malformed');
  await refuses({ responseBytes: longer }, 'response.malformed');
  await refuses({ responseBytes: () => zeros(0) }, 'response.malformed');
});

test('A12 refuses a creation certificate that another key signed', async () => {
  const { privateKey } = eccAk({ label: 'other machine' });
  await refuses({ sign: (bytes) => signed(privateKey, ECDSA, bytes) }, 'creation.signature');
  await refuses({ payload: ofAk('CreateAttestation', (bytes) => bytes.with(30, 0xff)) }, 'creation.signature');
});

test('A13 refuses on the legacy wire an attestation key that is not restricted', async () => {
  const device = softwareDevice({ ak: eccAk({ edit: without(TPMA_OBJECT.restricted) }) });
  await refuses({ device }, 'ak.unrestricted');
});

test('A14 refuses on the legacy wire an imported attestation key, and one without a creation certificate', async () => {
  const { fixedTPM, fixedParent, sensitiveDataOrigin } = TPMA_OBJECT;
  const nothing = (payload: PluginPayload): PluginPayload => ({
    ...payload,
    AK: { ...payload.AK, CreateData: zeros(0), CreateAttestation: zeros(0), CreateSignature: zeros(0) },
  });
  const outside = softwareDevice({ ak: eccAk({ edit: without(fixedTPM | fixedParent | sensitiveDataOrigin) }) });
  await refuses({ device: outside }, 'ak.not_resident');
  await refuses({ device: outside, forgery: { payload: nothing } }, 'ak.not_resident', 'creation.malformed');
  await refuses({ payload: nothing }, 'creation.malformed');
});

test('A14 refuses the creation certificate of another key', async () => {
  const other = objectName(eccAk({ label: 'other machine' }).publicArea);
  await refuses(
    {
      attest: (honest) =>
        honest.type === 'creation' ? { ...honest, attested: { ...honest.attested, objectName: other } } : honest,
    },
    'creation.name',
  );
  // Of the same machine: with everything that belongs to it, but another key in front.
  const { publicArea } = rsaAk();
  await refuses(
    { device: softwareDevice({ ak: { ...rsaAk({ label: 'second' }), publicArea } }) },
    'creation.signature',
  );
});

test('A14 refuses creation data other than those certified', async () => {
  await refuses({ creationData: (bytes) => bytes.with(40, 0x77) }, 'creation.data');
  await refuses(
    {
      attest: (honest) =>
        honest.type === 'creation' ? { ...honest, attested: { ...honest.attested, creationHash: zeros(0) } } : honest,
    },
    'creation.data',
  );
  // By SHA-256, though the key's Name is by SHA-384.
  const ak = eccAk({ edit: (area) => ({ ...area, nameAlg: TPM_ALG.SHA384 }) });
  let data = zeros(0);
  const forgery: PluginForgery = {
    payload: (payload) => {
      data = payload.AK.CreateData;
      return payload;
    },
  };
  expect(await judge.judge(pluginForger(softwareDevice({ ak }), forgery))).toMatchObject({ outcome: 'admitted' });
  const shorterHash: PluginForgery['attest'] = (honest) =>
    honest.type === 'creation'
      ? { ...honest, attested: { ...honest.attested, creationHash: digest('sha256', data) } }
      : honest;
  await refuses({ device: softwareDevice({ ak }), forgery: { attest: shorterHash } }, 'creation.data');
});

test('A14 refuses on the legacy wire the attestation key of another machine', () => {
  const device = softwareDevice({ ak: eccAk({ label: 'other machine' }) });
  return refuses({ device, forgery: { secret: () => zeros(32) } }, 'credential.secret');
});

test('A18 refuses on the legacy wire the certificate of another machine with a key of the sender', async () => {
  const [genuine, impostor] = [softwareDevice(), softwareDevice({ label: 'impostor' })];
  const device = { ...impostor, certificates: genuine.certificates };
  await refuses({ device }, 'ek.key_mismatch');
  const swapped = (ek: Uint8Array): Uint8Array => {
    const [certificate = '', key = ''] = Buffer.from(ek)
      .toString()
      .split(/(?=-----BEGIN PUBLIC)/);
    return Uint8Array.from(Buffer.from(key + certificate));
  };
  await refuses({ device, forgery: { ek: swapped } }, 'ek.key_mismatch');
  expect(await judge.judge(pluginForger(genuine, { ek: swapped }))).toMatchObject({ outcome: 'admitted' });
});

test('A18 refuses on the legacy wire a missing or second PEM block, and text around the blocks', async () => {
  const blocks = (edit: (certificate: string, key: string) => string): PluginForgery => ({
    ek: (ek) => {
      const [certificate = '', key = ''] = Buffer.from(ek)
        .toString()
        .split(/(?=-----BEGIN PUBLIC)/);
      return Uint8Array.from(Buffer.from(edit(certificate, key)));
    },
  });
  const impostor = Buffer.from(spkiOf(keyPair('rsa2048', 'impostor L-1').publicKey)).toString('base64');
  const second = `-----BEGIN PUBLIC KEY-----\n${impostor.replace(/.{64}/g, '$&\n')}\n-----END PUBLIC KEY-----\n`;
  await refuses(
    blocks((certificate, key) => certificate + key + second),
    'evidence.malformed',
  );
  await refuses(
    blocks((certificate, key) => second + certificate + key),
    'evidence.malformed',
  );
  await refuses(
    blocks((certificate, key) => certificate + certificate + key),
    'evidence.malformed',
  );
  await refuses(
    blocks((certificate) => certificate),
    'evidence.malformed',
  );
  await refuses(
    blocks((certificate, key) => `Subject: x\n${certificate}${key}`),
    'evidence.malformed',
  );
});

test('A20 refuses on the legacy wire a secret that is too long, too short or of an earlier challenge', async () => {
  let earlier = zeros(32);
  const honest = pluginForger(softwareDevice(), {
    secret: (secret) => {
      earlier = secret;
      return secret;
    },
  });
  expect(await judge.judge(honest)).toMatchObject({ outcome: 'admitted' });
  await refuses({ secret: () => earlier }, 'credential.secret');
  await refuses({ secret: longer }, 'credential.secret');
  await refuses({ secret: shorter }, 'credential.secret');
  await refuses({ secret: () => zeros(0) }, 'credential.secret');
});

test('A21 refuses on the legacy wire an endorsement key that is not RSA-2048', async () => {
  for (const algorithm of ['rsa3072', 'rsa1024', 'p256'] as const) {
    const publicKey = spkiOf(keyPair(algorithm, 'odd').publicKey);
    await refuses({ pem: (pem) => ({ ...pem, publicKey }) }, 'ek.template');
  }
  const odd = [generateKeyPairSync('rsa-pss', { modulusLength: 2048 }), generateKeyPairSync('ed25519')];
  for (const publicKey of [...odd.map((pair) => spkiOf(pair.publicKey)), zeros(0), zeros(300)])
    await refuses({ pem: (honest) => ({ ...honest, publicKey }) }, 'ek.template');
  await refuses({ device: softwareDevice({ ek: 'L-2' }) }, 'ek.template');
});

test('A22 refuses a creation certificate signed by a scheme other than the key states', async () => {
  const { privateKey } = rsaAk();
  const pss = { scheme: TPM_ALG.RSAPSS, hashAlg: TPM_ALG.SHA256 };
  const device = softwareDevice({ ak: rsaAk() });
  await refuses({ device, forgery: { sign: (bytes) => signed(privateKey, pss, bytes) } }, 'creation.scheme');
  const sha1 = { scheme: TPM_ALG.RSASSA, hashAlg: TPM_ALG.SHA1 };
  await refuses({ device, forgery: { sign: (bytes) => signed(privateKey, sha1, bytes) } }, 'creation.scheme');
});

test('A57 refuses on the legacy wire the attestation key of an agent on our own wire, with its quotes', async () => {
  const honest = pluginForger(softwareDevice());
  expect(await judge.judge(honest)).toMatchObject({ outcome: 'admitted' });
  // All that such an agent ever signs is quotes. It would open the credential for whoever has one made for this key.
  const quote: PluginForgery['attest'] = (creation) => ({
    ...creation,
    type: 'quote',
    extraData: digest('sha256', 'the commitment of some challenge'),
    attested: {
      pcrSelect: [pcrSelection(TPM_ALG.SHA256, [0, 1, 2, 3, 4, 5, 6, 7])],
      pcrDigest: digest('sha256', 'PCRs'),
    },
  });
  await refuses({ attest: quote }, 'creation.type');
  await refuses({ payload: ofAk('CreateAttestation', () => zeros(0)) }, 'creation.signature', 'creation.malformed');
});

test('A69 refuses on the legacy wire a machine that has no certificate and is not listed', () =>
  refuses({ pem: ({ publicKey }) => ({ publicKey, certificate: undefined }) }, 'ek.no_certificate'));

test('A79 refuses on the legacy wire a message or a part that is too large', async () => {
  await refuses({ payload: ofAk('CreateAttestation', () => zeros(1025)) }, 'evidence.malformed');
  await refuses({ pem: (pem) => ({ ...pem, certificate: zeros(16 * 1024 + 1) }) }, 'evidence.malformed');
  await refuses({ payloadBytes: (bytes) => concat(bytes, zeros(64 * 1024)) }, 'evidence.malformed');
});
