/** Keys: made in the TPM, held by the TPM of the certificate, strong enough, of the kinds asked for. */
import { createPublicKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { STATUS } from '../../src/spire/status.ts';
import { TPMA_OBJECT } from '../../src/tpm/structures/attributes.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_ECC } from '../../src/tpm/structures/constants.ts';
import { handleName, objectName, qualifiedName } from '../../src/tpm/structures/name.ts';
import { type EccPublic, type RsaPublic, type TpmtPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import type { FindingCode } from '../../src/verifier/findings.ts';
import { protobufField } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { keyPair, mintEkChain, spkiOf } from '../support/pki.ts';
import { type AttestationKeyPair, eccAk, rsaAk, softwareDevice } from '../support/software-device.ts';

const judge = useJudge();
const eccJudge = useJudge({ config: 'ek_algorithms = ["rsa", "ecc"]' });
const zeros = (count: number): Uint8Array => new Uint8Array(count);

const without =
  (bit: number) =>
  (area: TpmtPublic): TpmtPublic => ({ ...area, objectAttributes: area.objectAttributes & ~bit });
const including =
  (bit: number) =>
  (area: TpmtPublic): TpmtPublic => ({ ...area, objectAttributes: area.objectAttributes | bit });
const refusesAk = (ak: AttestationKeyPair, ...codes: readonly FindingCode[]): Promise<void> =>
  judge.refuses({ device: softwareDevice({ ak }) }, ...codes);

/** The machine's EK with another public area around the same key. */
function refusesEk(edit: (area: RsaPublic) => TpmtPublic, ...codes: readonly FindingCode[]): Promise<void> {
  const device = softwareDevice();
  const publicArea = edit(device.ek.publicArea as RsaPublic);
  return judge.refuses({ device: { ...device, ek: { ...device.ek, publicArea } } }, ...codes);
}

test('A13 refuses an attestation key that is not restricted or cannot sign', async () => {
  await refusesAk(eccAk({ edit: without(TPMA_OBJECT.restricted) }), 'ak.unrestricted');
  await refusesAk(eccAk({ edit: without(TPMA_OBJECT.sign) }), 'ak.unrestricted');
  await refusesAk(rsaAk({ edit: without(TPMA_OBJECT.restricted) }), 'ak.unrestricted');
});

test('A14 refuses an attestation key that may have been imported or may leave the TPM', async () => {
  const { fixedTPM, fixedParent, sensitiveDataOrigin } = TPMA_OBJECT;
  for (const bit of [fixedTPM, fixedParent, sensitiveDataOrigin, fixedTPM | fixedParent | sensitiveDataOrigin])
    await refusesAk(eccAk({ edit: without(bit) }), 'ak.not_resident');
});

test('A14 refuses an attestation key with other attributes: decrypt, encryptedDuplication, stClear, x509sign or undefined bits', async () => {
  const { decrypt, encryptedDuplication, stClear, x509sign } = TPMA_OBJECT;
  for (const bit of [decrypt, encryptedDuplication, stClear, x509sign, 0x0000_0001, 0x0010_0000])
    await refusesAk(eccAk({ edit: including(bit) }), 'ak.attributes');
});

test('A14 refuses the attestation key of another machine', () => {
  const device = softwareDevice({ ak: eccAk({ label: 'other machine' }) });
  return judge.refuses({ device, forgery: { secret: () => zeros(32) } }, 'credential.secret');
});

test('A15 refuses an answer without the secret', async () => {
  await judge.refuses({ secret: () => zeros(0) }, 'credential.secret');
  await judge.refuses({ secret: () => zeros(32) }, 'credential.secret');
});

test('A15 refuses an answer that comes before the payload', async () => {
  const stream = judge.open();
  stream.sendChallengeResponse(Uint8Array.of(1));
  await judge.turnedAway(stream.next(), STATUS.INVALID_ARGUMENT, 'the first message is not a payload');
});

test('A16 refuses a payload that states the Name of the attestation key', () => {
  const name = objectName(eccAk({ label: 'other machine' }).publicArea);
  return judge.refuses({ payloadBytes: (bytes) => concat(bytes, protobufField(7, name)) }, 'evidence.malformed');
});

test('A17 refuses a Name algorithm of SHA-1, none or an unknown one', async () => {
  for (const nameAlg of [TPM_ALG.SHA1, TPM_ALG.NULL, 0x7fff])
    await refusesAk(eccAk({ edit: (area) => ({ ...area, nameAlg }) }), 'ak.name_algorithm');
});

test('A17 refuses a qualified signer whose digest has the wrong length', () =>
  judge.refuses(
    { attest: (quote) => ({ ...quote, qualifiedSigner: quote.qualifiedSigner.slice(0, 22) }) },
    'quote.qualified_signer',
  ));

test('A18 refuses the certificate of another machine with a key of the sender', async () => {
  const [genuine, impostor] = [softwareDevice(), softwareDevice({ label: 'impostor' })];
  await judge.refuses({ device: { ...impostor, certificates: genuine.certificates } }, 'ek.key_mismatch');
  const both = [...genuine.certificates, ...impostor.certificates];
  await judge.refuses({ device: { ...impostor, certificates: both } }, 'ek.key_mismatch');
});

test('A18 refuses a self-made certificate in front of the certificate of another machine', async () => {
  const [genuine, impostor] = [softwareDevice(), softwareDevice({ label: 'impostor' })];
  const signer = keyPair('p256', 'impostor CA').privateKey;
  const publicKey = spkiOf(createPublicKey(impostor.ek.privateKey.export({ format: 'pem', type: 'pkcs8' })));
  const { leaf } = mintEkChain({ leaf: { publicKey, signer } });
  await judge.refuses({ device: { ...impostor, certificates: [leaf.der, ...genuine.certificates] } }, 'ek.chain');
});

test('A18 refuses a second endorsement key beside the certified one', async () => {
  const impostor = encode(tpmtPublic, softwareDevice({ label: 'impostor' }).ek.publicArea);
  await judge.refuses({ payloadBytes: (bytes) => concat(protobufField(3, impostor), bytes) }, 'evidence.malformed');
  await judge.refuses({ payloadBytes: (bytes) => concat(bytes, protobufField(3, impostor)) }, 'evidence.malformed');
});

test('A20 refuses a secret that is too long, too short or of an earlier challenge', async () => {
  let earlier: Uint8Array = zeros(32);
  await judge.admits(softwareDevice(), {
    secret: (secret) => {
      earlier = secret.slice();
      return secret;
    },
  });
  await judge.refuses({ secret: () => earlier }, 'credential.secret');
  await judge.refuses({ secret: (secret) => concat(secret, zeros(1)) }, 'credential.secret');
  await judge.refuses({ secret: (secret) => secret.slice(0, 31) }, 'credential.secret');
});

test('A20 refuses an endorsement key with a symmetric cipher of no template', async () => {
  const symmetric =
    (changed: RsaPublic['parameters']['symmetric']) =>
    (area: RsaPublic): TpmtPublic => ({
      ...area,
      parameters: { ...area.parameters, symmetric: changed },
    });
  await refusesEk(symmetric({ algorithm: TPM_ALG.AES, keyBits: 256, mode: TPM_ALG.CFB }), 'ek.template');
  await refusesEk(symmetric({ algorithm: TPM_ALG.AES, keyBits: 128, mode: TPM_ALG.ECB }), 'ek.template');
  await refusesEk(symmetric(null), 'ek.template');
});

test('A21 refuses an endorsement key with attributes or a policy of no template', async () => {
  const { restricted, userWithAuth, sign, adminWithPolicy, fixedTPM } = TPMA_OBJECT;
  for (const bit of [restricted, adminWithPolicy, fixedTPM]) await refusesEk(without(bit), 'ek.template');
  for (const bit of [userWithAuth, sign]) await refusesEk(including(bit), 'ek.template');
  await refusesEk((area) => ({ ...area, authPolicy: zeros(0) }), 'ek.template');
  await refusesEk((area) => ({ ...area, authPolicy: zeros(32) }), 'ek.template');
  await refusesEk((area) => ({ ...area, nameAlg: TPM_ALG.SHA1 }), 'ek.template');
});

test('A21 refuses an endorsement key of a kind that is not in ek_algorithms', async () => {
  const device = softwareDevice({ ek: 'L-2' });
  await judge.refuses({ device }, 'ek.algorithm');
  await eccJudge.admits(device);
});

test('A24 refuses a weak RSA attestation key', async () => {
  const rsa = (edit: (area: RsaPublic) => RsaPublic) => rsaAk({ edit: (area) => edit(area as RsaPublic) });
  const exponent = (value: number) => rsa((area) => ({ ...area, parameters: { ...area.parameters, exponent: value } }));
  const short = rsaAk({ algorithm: 'rsa1024' });
  await refusesAk(short, 'ak.weak_key');
  for (const value of [1, 2, 3, 65536]) await refusesAk(exponent(value), 'ak.weak_key');
  await refusesAk(
    rsa((area) => ({ ...area, unique: area.unique.with(255, 0x02) })),
    'ak.weak_key',
  );
  const shortModulus = (short.publicArea as RsaPublic).unique;
  await refusesAk(
    rsa((area) => ({ ...area, unique: concat(zeros(128), shortModulus) })),
    'ak.weak_key',
  );
  await refusesAk(
    rsa((area) => ({ ...area, unique: shortModulus })),
    'ak.weak_key',
  );
  await refusesAk(
    rsa((area) => ({ ...area, unique: concat(area.unique, area.unique) })),
    'ak.weak_key',
  );
});

test('A24 refuses an attestation key that is not a point of an accepted curve', async () => {
  const ecc = (edit: (area: EccPublic) => EccPublic) => eccAk({ edit: (area) => edit(area as EccPublic) });
  const onCurve = (curveId: number) => ecc((area) => ({ ...area, parameters: { ...area.parameters, curveId } }));
  for (const curveId of [TPM_ECC.BN_P256, TPM_ECC.SM2_P256, TPM_ECC.NIST_P384, 0x0001])
    await refusesAk(onCurve(curveId), 'ak.weak_key');
  const point = (edit: (unique: EccPublic['unique']) => EccPublic['unique']) =>
    ecc((area) => ({ ...area, unique: edit(area.unique) }));
  await refusesAk(
    point(({ x, y }) => ({ x: y, y: x })),
    'ak.weak_key',
  );
  await refusesAk(
    point(() => ({ x: zeros(32), y: zeros(32) })),
    'ak.weak_key',
  );
  await refusesAk(
    point(() => ({ x: zeros(0), y: zeros(0) })),
    'ak.weak_key',
  );
  await refusesAk(
    point(({ x, y }) => ({ x: concat(Uint8Array.of(1), x), y })),
    'ak.weak_key',
  );
});

test('A24 refuses a weak endorsement key', async () => {
  await refusesEk((area) => ({ ...area, unique: concat(zeros(8), area.unique.slice(8)) }), 'ek.weak_key');
  await refusesEk((area) => ({ ...area, unique: area.unique.with(255, 0x02) }), 'ek.weak_key');
  await refusesEk((area) => ({ ...area, unique: area.unique.slice(128) }), 'ek.weak_key');
  await refusesEk(
    (area) => ({ ...area, parameters: { ...area.parameters, exponent: 3 } }),
    'ek.template',
    'ek.weak_key',
  );
});

test('A24 admits every kind of attestation key that is strong enough', async () => {
  const SHA384 = TPM_ALG.SHA384;
  const strong = [
    rsaAk(),
    rsaAk({ scheme: { scheme: TPM_ALG.RSAPSS, hashAlg: TPM_ALG.SHA256 } }),
    rsaAk({ algorithm: 'rsa3072' }),
    eccAk({ algorithm: 'p384', scheme: { scheme: TPM_ALG.ECDSA, hashAlg: SHA384 } }),
    eccAk({ edit: (area) => ({ ...area, nameAlg: SHA384 }) }),
    rsaAk({
      edit: (area) => ({ ...(area as RsaPublic), parameters: { ...(area as RsaPublic).parameters, exponent: 65537 } }),
    }),
  ];
  const ids = new Set<string>();
  for (const ak of strong) ids.add(await judge.admits(softwareDevice({ ak })));
  expect(ids.size).toBe(1);
});

test('A52 refuses an attestation key outside the endorsement hierarchy, whose counters are obscured', async () => {
  const { publicArea } = eccAk();
  for (const hierarchy of [0x4000_0001, 0x4000_0007, 0x4000_000c])
    await judge.refuses(
      {
        attest: (quote) => ({
          ...quote,
          qualifiedSigner: qualifiedName(handleName(hierarchy), objectName(publicArea)),
        }),
      },
      'quote.qualified_signer',
    );
  await judge.refuses(
    { attest: (quote) => ({ ...quote, qualifiedSigner: objectName(publicArea) }) },
    'quote.qualified_signer',
  );
  await judge.refuses({ attest: (quote) => ({ ...quote, qualifiedSigner: zeros(0) }) }, 'quote.qualified_signer');
});
