/** Reads the signature algorithms of certificates and lists, and verifies signatures with them. */
import type { PublicKey } from '../public-key/public-key.ts';
import { NODE_SIGNATURES, type SignatureSteps } from '../public-key/signature-steps.ts';
import { type DerElement, type DerReader, TAG } from './der.ts';

/** The hashes in signatures of certificates. */
export type Hash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** How a certificate or list is signed; `other` has the dotted object identifier. */
export type SignatureAlgorithm =
  | { readonly scheme: 'rsa-pkcs1' | 'ecdsa'; readonly hash: Hash }
  | { readonly scheme: 'rsa-pss'; readonly hash: Hash; readonly saltBytes: number }
  | { readonly scheme: 'other'; readonly identifier: string };

/** Oddities of signature algorithms. */
export type SignatureOddity = 'rsa-signature-parameters-absent' | 'ecdsa-signature-parameters-present';

/** RFC 4055 §5 and RFC 5758 §3.2. The SHA-1 forms of RFC 3279 are here so that a refusal can name them. */
const SCHEMES: Readonly<Record<string, { scheme: 'rsa-pkcs1' | 'ecdsa'; hash: Hash }>> = {
  '1.2.840.113549.1.1.5': { scheme: 'rsa-pkcs1', hash: 'sha1' },
  '1.2.840.113549.1.1.11': { scheme: 'rsa-pkcs1', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { scheme: 'rsa-pkcs1', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { scheme: 'rsa-pkcs1', hash: 'sha512' },
  '1.2.840.10045.4.1': { scheme: 'ecdsa', hash: 'sha1' },
  '1.2.840.10045.4.3.2': { scheme: 'ecdsa', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { scheme: 'ecdsa', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { scheme: 'ecdsa', hash: 'sha512' },
};

const RSASSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';

const HASHES: Readonly<Record<string, Hash>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** Reads the AlgorithmIdentifier of a signature. */
export function readSignatureAlgorithm(
  element: DerElement,
  onOddity: (oddity: SignatureOddity) => void,
): SignatureAlgorithm {
  const reader = element.enter();
  const identifier = reader.objectIdentifier('algorithm');
  const known = SCHEMES[identifier];
  if (known !== undefined) {
    const parameters = reader.atEnd ? undefined : reader.next('parameters');
    reader.finish();
    const isNull = parameters?.tag === TAG.NULL && parameters.content.length === 0;
    if (parameters !== undefined && !isNull && known.scheme === 'rsa-pkcs1')
      parameters.fail('parameters that are not NULL');
    // RFC 3279 §2.2.1 requires NULL with RSA, RFC 5758 §3.2 nothing with ECDSA. Some shipped CAs do the opposite.
    if (known.scheme === 'rsa-pkcs1' && parameters === undefined) onOddity('rsa-signature-parameters-absent');
    if (known.scheme === 'ecdsa' && parameters !== undefined) onOddity('ecdsa-signature-parameters-present');
    return known;
  }
  return (identifier === RSASSA_PSS ? readPss(reader) : undefined) ?? { scheme: 'other', identifier };
}

/** RSASSA-PSS-params (RFC 4055 §3.1). Undefined if a parameter is not supported. */
function readPss(algorithm: DerReader): SignatureAlgorithm | undefined {
  const reader = algorithm.enter(TAG.SEQUENCE, 'parameters');
  algorithm.finish();
  const hash = readHash(reader.takeIf(0xa0, 'hashAlgorithm')?.enter());
  const mask = reader.takeIf(0xa1, 'maskGenAlgorithm')?.enter();
  const maskHash = mask === undefined ? 'sha1' : readMask(mask);
  const salt = reader.takeIf(0xa2, 'saltLength')?.enter();
  const saltBytes = salt === undefined ? 20 : readSmallInteger(salt);
  const trailer = reader.takeIf(0xa3, 'trailerField')?.enter();
  const trailerField = trailer === undefined ? 1 : readSmallInteger(trailer);
  reader.finish();
  // tooth A85 [maskHash !== hash -> false]: the mask of RSA-PSS may have another hash than the text
  if (hash === undefined || maskHash !== hash || saltBytes === undefined || trailerField !== 1) return undefined;
  return { scheme: 'rsa-pss', hash, saltBytes };
}

function readHash(wrapper: DerReader | undefined): Hash | undefined {
  if (wrapper === undefined) return 'sha1';
  const algorithm = wrapper.enter(TAG.SEQUENCE, 'hash');
  wrapper.finish();
  return HASHES[algorithm.objectIdentifier('algorithm')];
}

function readMask(wrapper: DerReader): Hash | undefined {
  const algorithm = wrapper.enter(TAG.SEQUENCE, 'mask');
  wrapper.finish();
  return algorithm.objectIdentifier('algorithm') === MGF1 ? readHash(algorithm) : undefined;
}

function readSmallInteger(wrapper: DerReader): number | undefined {
  const content = wrapper.integer('value');
  wrapper.finish();
  return content.length === 1 ? content[0] : undefined;
}

/** Why a signature of this kind proves nothing, or cannot be checked. Undefined for a sound algorithm. */
export function unsoundness(algorithm: SignatureAlgorithm): 'weak_signature' | 'unsupported_signature' | undefined {
  if (algorithm.scheme === 'other') return 'unsupported_signature';
  return algorithm.hash === 'sha1' ? 'weak_signature' : undefined;
}

/** For people: `ecdsa-sha256`. */
export function describeSignature(algorithm: SignatureAlgorithm): string {
  return algorithm.scheme === 'other' ? algorithm.identifier : `${algorithm.scheme}-${algorithm.hash}`;
}

/** Verifies a signature over `signed`. Also false if the key does not fit the algorithm. */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  signed: Uint8Array,
  signature: Uint8Array,
  signer: PublicKey,
  steps: SignatureSteps = NODE_SIGNATURES,
): boolean {
  const use = signer.numbers.type === 'rsa' ? signer.numbers.use : undefined;
  switch (algorithm.scheme) {
    case 'rsa-pkcs1':
      return use === 'any' && steps.verifies(signer, algorithm, signed, signature);
    case 'rsa-pss':
      return (use === 'any' || use === 'pss') && steps.verifies(signer, algorithm, signed, signature);
    case 'ecdsa':
      return steps.verifies(signer, algorithm, signed, signature);
    case 'other':
      return false;
  }
}
