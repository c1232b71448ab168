/** The calls to `node:crypto` that every verifier must make for one attestation, without any other code. */
import {
  constants,
  createCipheriv,
  createECDH,
  createHmac,
  createPublicKey,
  hash,
  type JsonWebKey,
  type KeyObject,
  publicEncrypt,
  randomBytes,
  verify,
} from 'node:crypto';
import { concat } from '../src/bytes/bytes.ts';
import { decodePayload, decodeResponse } from '../src/evidence/messages.ts';
import { publicKeyOf } from '../src/tpm/public-key.ts';
import { decode } from '../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../src/tpm/structures/public.ts';
import { tpmtSignature } from '../src/tpm/structures/signature.ts';
import { type Certificate, parseCertificate } from '../src/x509/certificate.ts';
import { importPublicKey } from '../src/x509/subject-public-key.ts';
import type { Evidence } from './evidence.ts';

export interface RawOperations {
  /** All operations for a machine that the server does not know. */
  readonly first: () => void;
  /** The signature check of the quote, with an imported key. */
  readonly signature: () => void;
  /** All operations for a known machine: the signature check of the quote, the credential, the hashes. */
  readonly repeat: () => void;
}

export function rawOperations(evidence: Evidence): RawOperations {
  const { akPublic, ekPublic } = decodePayload(evidence.payload);
  const [ek, ak] = [keyOf(ekPublic), keyOf(akPublic)];
  const [ekJwk, akJwk] = [ek.export({ format: 'jwk' }), ak.export({ format: 'jwk' })];
  // A P-256 point needs no import: the ECDH takes the point and checks it.
  const importEk = ek.asymmetricKeyType === 'rsa' ? () => imported(ekJwk) : () => ek;
  const links = linksOf(evidence);
  const quote = quoteSignature(evidence, ak);
  const credential = credentialOf(ek);
  const hashes = hashesOf(evidence);
  return {
    first: () => {
      const ekKey = importEk();
      const akKey = imported(akJwk);
      for (const link of links) link();
      credential(ekKey);
      quote(akKey);
      hashes();
    },
    signature: () => quote(ak),
    repeat: () => {
      credential(ek);
      quote(ak);
      hashes();
    },
  };
}

function keyOf(publicBytes: Uint8Array): KeyObject {
  const key = publicKeyOf(decode(tpmtPublic, publicBytes));
  if (key === undefined) throw new Error('the evidence has an invalid public key');
  return key;
}

function imported(jwk: JsonWebKey): KeyObject {
  return createPublicKey({ format: 'jwk', key: jwk });
}

/**
 * One signature check for each sent certificate. The keys of sent CAs are imported each time; those of anchors once.
 */
function linksOf({ leaf, intermediates, anchors }: Evidence): readonly (() => void)[] {
  const sent = [leaf, ...intermediates].map(parseCertificate);
  return sent.map((certificate) => {
    const bySubject = ({ subject }: Certificate): boolean => subject.canonical === certificate.issuer.canonical;
    const [between, anchor] = [sent.find(bySubject), anchors.map(parseCertificate).find(bySubject)];
    const issuer = anchor ?? between;
    if (issuer === undefined) throw new Error('the issuer of a certificate is not in the evidence');
    const { tbs, signature } = certificate;
    return () => {
      const key = anchor === undefined ? importPublicKey(issuer.subjectPublicKeyInfo) : issuer.publicKey;
      if (key === undefined || !verify('sha256', tbs, key, signature)) throw new Error('a certificate does not verify');
    };
  });
}

function quoteSignature({ response }: Evidence, ak: KeyObject): (key: KeyObject) => void {
  const { quoted, signature } = decodeResponse(response);
  const decoded = decode(tpmtSignature, signature);
  const raw =
    'sig' in decoded
      ? decoded.sig
      : 'signatureR' in decoded
        ? concat(decoded.signatureR, decoded.signatureS)
        : undefined;
  if (raw === undefined) throw new Error('the quote has an unknown kind of signature');
  const ecc = ak.asymmetricKeyType === 'ec';
  return (key) => {
    if (!verify('sha256', quoted, ecc ? { key, dsaEncoding: 'ieee-p1363' } : key, raw))
      throw new Error('the quote does not verify');
  };
}

const LABEL = Buffer.from('IDENTITY\0');

/**
 * A random secret, nonce and seed; the encryption of the seed to the EK; two key derivations; one encryption; one HMAC.
 */
function credentialOf(ek: KeyObject): (key: KeyObject) => void {
  const jwk = ek.export({ format: 'jwk' });
  const point = concat(...['BA', jwk.x, jwk.y].map((text) => Buffer.from(text ?? '', 'base64url')));
  const transport =
    ek.asymmetricKeyType === 'rsa'
      ? (key: KeyObject, seed: Uint8Array): unknown =>
          publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256', oaepLabel: LABEL }, seed)
      : (_: KeyObject, seed: Uint8Array): unknown => {
          const ephemeral = createECDH('prime256v1');
          ephemeral.setPrivateKey(seed);
          ephemeral.computeSecret(point);
          return ephemeral.getPublicKey();
        };
  const message = randomBytes(36);
  return (key) => {
    const [seed] = [randomBytes(32), randomBytes(32), randomBytes(32)];
    transport(key, seed);
    const encryptor = createCipheriv('aes-128-cfb', seed.subarray(0, 16), seed.subarray(0, 16));
    encryptor.update(message);
    encryptor.final();
    for (let i = 0; i < 3; i++) createHmac('sha256', seed).update(message).digest();
  };
}

/** The Name and Qualified Name of the AK, the hashes of EK, payload and challenge, the commitment, the PCR digest. */
function hashesOf({ payload }: Evidence): () => void {
  const { ekPublic, akPublic } = decodePayload(payload);
  const parts = [akPublic, akPublic.subarray(0, 38), ekPublic, payload, ekPublic, ekPublic, payload.subarray(0, 256)];
  return () => {
    for (const part of parts) hash('sha256', part, 'buffer');
  };
}
