/** Signatures: in the one form the key has, over a strong hash, by numbers that are in range. */
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { bigEndian, concat, fromHex } from '../../src/bytes/bytes.ts';
import { curve } from '../../src/tpm/structures/algorithms.ts';
import { TPM_ALG, TPM_ECC } from '../../src/tpm/structures/constants.ts';
import type { Scheme } from '../../src/tpm/structures/scheme.ts';
import type { EccSignature, TpmtSignature } from '../../src/tpm/structures/signature.ts';
import type { Forgery } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { eccAk, rsaAk, signed, softwareDevice } from '../support/software-device.ts';

const judge = useJudge();
const { SHA1, SHA256, SHA384, RSASSA, RSAPSS, ECDSA, ECDAA, ECSCHNORR, SM2 } = TPM_ALG;
const RSASSA_SHA256: Scheme = { scheme: RSASSA, hashAlg: SHA256 };
const RSAPSS_SHA256: Scheme = { scheme: RSAPSS, hashAlg: SHA256 };
const ORDER = curve(TPM_ECC.NIST_P256)?.order ?? 0n;

const ecdsa = (edit: (signature: EccSignature) => TpmtSignature): Forgery => ({
  sign: (_, honest) => edit(honest as EccSignature),
});
const number = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, '0')) ?? new Uint8Array();

test('A22 refuses a valid signature with the padding of another scheme', async () => {
  for (const [own, other] of [
    [RSASSA_SHA256, RSAPSS_SHA256],
    [RSAPSS_SHA256, RSASSA_SHA256],
  ] as const) {
    const ak = rsaAk({ scheme: own });
    const sign: Forgery['sign'] = (quoted) => signed(ak.privateKey, other, quoted);
    await judge.refuses({ device: softwareDevice({ ak }), forgery: { sign } }, 'quote.scheme');
  }
});

test('A22 refuses ECDSA numbers under the name of another scheme', async () => {
  for (const sigAlg of ['ecdaa', 'ecschnorr', 'sm2'] as const)
    await judge.refuses(
      ecdsa((signature) => ({ ...signature, sigAlg })),
      'quote.scheme',
    );
});

test('A22 refuses an HMAC in place of a signature', () => {
  const { publicArea } = eccAk();
  const key = publicArea.type === 'ecc' ? publicArea.unique.x : '';
  const sign: Forgery['sign'] = (quoted) => ({
    sigAlg: 'hmac',
    hash: SHA256,
    digest: Uint8Array.from(createHmac('sha256', key).update(quoted).digest()),
  });
  return judge.refuses({ sign }, 'quote.scheme');
});

test('A22 refuses a null signature and an empty one', async () => {
  await judge.refuses({ sign: () => ({ sigAlg: 'null' }) }, 'quote.scheme');
  await judge.refuses({ signature: () => Uint8Array.of(0, 0x10, 0, 0, 0, 0) }, 'quote.malformed');
  await judge.refuses({ signature: () => new Uint8Array() }, 'quote.malformed');
});

test('A22 refuses an RSA signature for an ECC key', () => {
  const { privateKey } = rsaAk();
  return judge.refuses({ sign: (quoted) => signed(privateKey, RSASSA_SHA256, quoted) }, 'quote.scheme');
});

test('A22 refuses an attestation key without a fixed scheme or with one that is not accepted', async () => {
  const ecc = (scheme: Scheme) => judge.refuses({ device: softwareDevice({ ak: eccAk({ scheme }) }) }, 'ak.scheme');
  const rsa = (scheme: Scheme) => judge.refuses({ device: softwareDevice({ ak: rsaAk({ scheme }) }) }, 'ak.scheme');
  await ecc({ scheme: TPM_ALG.NULL });
  for (const scheme of [ECSCHNORR, SM2, TPM_ALG.ECDH]) await ecc({ scheme, hashAlg: SHA256 });
  await ecc({ scheme: ECDAA, hashAlg: SHA256, count: 0 });
  await rsa({ scheme: TPM_ALG.NULL });
  await rsa({ scheme: TPM_ALG.OAEP, hashAlg: SHA256 });
  await rsa({ scheme: TPM_ALG.RSAES });
});

test('A22 refuses an attestation key that is not asymmetric', () => {
  const { objectAttributes } = eccAk().publicArea;
  const header = { nameAlg: SHA256, objectAttributes, authPolicy: new Uint8Array(), unique: new Uint8Array(32) };
  const parameters = { scheme: { scheme: TPM_ALG.HMAC, hashAlg: SHA256 } };
  const ak = { publicArea: { type: 'keyedHash' as const, ...header, parameters }, privateKey: eccAk().privateKey };
  return judge.refuses({ device: softwareDevice({ ak }) }, 'ak.scheme', 'ak.weak_key');
});

test('A23 refuses an attestation key that signs over SHA-1', async () => {
  const ecc = eccAk({ scheme: { scheme: ECDSA, hashAlg: SHA1 } });
  const rsa = rsaAk({ scheme: { scheme: RSASSA, hashAlg: SHA1 } });
  for (const ak of [ecc, rsa]) await judge.refuses({ device: softwareDevice({ ak }) }, 'ak.scheme');
});

test('A23 refuses a signature over SHA-1, or another hash, by a key that has SHA-256', async () => {
  for (const hashAlg of [SHA1, SHA384]) {
    const { privateKey } = eccAk();
    await judge.refuses({ sign: (quoted) => signed(privateKey, { scheme: ECDSA, hashAlg }, quoted) }, 'quote.scheme');
  }
});

test('A23 refuses a signature that states another hash than it was made with', () =>
  judge.refuses(
    ecdsa((signature) => ({ ...signature, hash: SHA384 })),
    'quote.scheme',
  ));

test('A23 refuses an RSA signature over SM3, at which OpenSSL throws, and logs every other finding as well', async () => {
  for (const sigAlg of ['rsassa', 'rsapss'] as const) {
    const ak = rsaAk({ scheme: sigAlg === 'rsassa' ? RSASSA_SHA256 : RSAPSS_SHA256 });
    const sign: Forgery['sign'] = () => ({ sigAlg, hash: TPM_ALG.SM3_256, sig: new Uint8Array(256) });
    await judge.refuses({ device: softwareDevice({ ak }), forgery: { sign } }, 'quote.scheme');
    const secret: Forgery['secret'] = () => new Uint8Array(32);
    const forgery = { sign, secret };
    await judge.refuses({ device: softwareDevice({ ak }), forgery }, 'credential.secret', 'quote.scheme');
  }
});

test('A25 refuses ECDSA numbers that are zero, out of range or longer than the field', async () => {
  const edits: readonly ((signature: EccSignature) => EccSignature)[] = [
    (s) => ({ ...s, signatureR: new Uint8Array(32) }),
    (s) => ({ ...s, signatureS: new Uint8Array(32) }),
    (s) => ({ ...s, signatureR: new Uint8Array() }),
    (s) => ({ ...s, signatureR: new Uint8Array(32), signatureS: new Uint8Array(32) }),
    (s) => ({ ...s, signatureR: number(ORDER) }),
    (s) => ({ ...s, signatureS: number(ORDER) }),
    (s) => ({ ...s, signatureR: concat(Uint8Array.of(0), s.signatureR) }),
    (s) => ({ ...s, signatureS: concat(Uint8Array.of(1), s.signatureS) }),
    (s) => ({ ...s, signatureR: s.signatureS, signatureS: s.signatureR }),
  ];
  for (const edit of edits) await judge.refuses(ecdsa(edit), 'quote.signature');
});

test('A25 admits an ECDSA number without its leading zero, and the equivalent signature with n − s', async () => {
  const { privateKey } = eccAk();
  const stripped: Forgery['sign'] = (quoted) => {
    for (;;) {
      const signature = signed(privateKey, { scheme: ECDSA, hashAlg: SHA256 }, quoted) as EccSignature;
      if (signature.signatureR[0] === 0) return { ...signature, signatureR: signature.signatureR.slice(1) };
    }
  };
  const mirrored = ecdsa((s) => ({ ...s, signatureS: number(ORDER - bigEndian(s.signatureS)) }));
  const id = await judge.admits(softwareDevice(), { sign: stripped });
  expect(await judge.admits(softwareDevice(), mirrored)).toBe(id);
});
