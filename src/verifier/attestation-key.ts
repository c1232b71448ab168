/** Judges the attestation key (AK): a restricted signing key that its TPM made and that can never leave it. Pure. */
import type { PublicKey } from '../public-key/public-key.ts';
import { keyAlgorithmName } from '../tpm/public-key.ts';
import { NODE_STEPS, type PublicKeySteps } from '../tpm/public-key-steps.ts';
import { algorithmName, type HashAlgorithm, hashAlgorithm } from '../tpm/structures/algorithms.ts';
import { hasReservedBits, type ObjectAttribute, TPMA_OBJECT } from '../tpm/structures/attributes.ts';
import { decode } from '../tpm/structures/codec.ts';
import { TPM_ALG } from '../tpm/structures/constants.ts';
import { objectName } from '../tpm/structures/name.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import type { Scheme } from '../tpm/structures/scheme.ts';
import { decodedOr, type Refusal } from './decoding.ts';
import type { Findings } from './verdict.ts';
import { isRocaKey, usableKey } from './weak-keys.ts';

/** A key that a quote can be verified with. */
export interface AttestationKey {
  readonly key: PublicKey;
  /** That its signatures are verified by. */
  readonly steps: PublicKeySteps;
  /**
   * The signing scheme that is fixed in the key. Undefined for a bare key, whose scheme is unknown. Also undefined for
   * a key without a fixed scheme, which is a finding of its own.
   */
  readonly scheme: Scheme | undefined;
  readonly algorithm: string;
}

/** A judged AK. Only credential activation proves that a TPM holds it. */
export interface AcceptableAk extends AttestationKey {
  /** The Name, recomputed from the public area, never taken from the evidence. */
  readonly name: Uint8Array;
  readonly nameAlg: HashAlgorithm;
}

/** With credential activation, these attributes prove that the TPM made the key and that it cannot leave the TPM. */
const RESIDENT: readonly ObjectAttribute[] = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin'];
/** Only a restricted key refuses to sign bytes that pretend to be the TPM's own. */
const RESTRICTED: readonly ObjectAttribute[] = ['restricted', 'sign'];
const FORBIDDEN: readonly ObjectAttribute[] = ['decrypt', 'encryptedDuplication', 'stClear', 'x509sign'];

const NAME_ALGORITHMS: readonly number[] = [TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512];
const SIGNATURE_HASHES: readonly number[] = NAME_ALGORITHMS;
const SCHEMES: { readonly [T in TpmtPublic['type']]: readonly number[] } = {
  rsa: [TPM_ALG.RSASSA, TPM_ALG.RSAPSS],
  ecc: [TPM_ALG.ECDSA],
  keyedHash: [],
  symCipher: [],
};

export function isAcceptedScheme(type: TpmtPublic['type'], { scheme, hashAlg }: Scheme): boolean {
  return SCHEMES[type].includes(scheme) && hashAlg !== undefined && SIGNATURE_HASHES.includes(hashAlg);
}

const MALFORMED: Refusal = { code: 'ak.malformed', sentence: 'the attestation key is not a valid public area' };
const UNSUPPORTED: Refusal = { code: 'ak.scheme', sentence: 'the attestation key uses' };

/**
 * Judges the public area of an AK: its attributes, scheme and key (Part 2, 8.3 and 12.2.4).
 *
 * @param publicBytes TPMT_PUBLIC
 * @param findings every flaw is added to it
 * @param steps by node:crypto by default
 * @returns the key, even with flaws. Undefined, with a finding, if it cannot verify any signature
 */
export function judgeAttestationKey(
  publicBytes: Uint8Array,
  findings: Findings,
  steps: PublicKeySteps = NODE_STEPS,
): AcceptableAk | undefined {
  const publicArea = decodedOr(findings, () => decode(tpmtPublic, publicBytes), MALFORMED, UNSUPPORTED);
  if (publicArea === undefined) return undefined;
  judgeAttributes(publicArea.objectAttributes, findings);
  const scheme = schemeOf(publicArea);
  if (!isAcceptedScheme(publicArea.type, scheme))
    findings.add('ak.scheme', `the attestation key signs with ${schemeName(scheme)}`);
  if (!NAME_ALGORITHMS.includes(publicArea.nameAlg))
    findings.add('ak.name_algorithm', `the attestation key's Name uses ${algorithmName(publicArea.nameAlg)}`);
  const key = judgeKey(publicArea, findings, steps);
  const nameAlg = hashAlgorithm(publicArea.nameAlg);
  if (key === undefined || nameAlg === undefined) return undefined;
  const fixed = scheme.scheme === TPM_ALG.NULL ? undefined : scheme;
  const algorithm = keyAlgorithmName(publicArea);
  return { key, steps, scheme: fixed, algorithm, name: objectName(publicArea), nameAlg };
}

/** Judges a bare public key, such as a PEM file. Only the key itself in `publicArea` counts, not its attributes. */
export function judgeBareKey(
  publicArea: TpmtPublic,
  findings: Findings,
  steps: PublicKeySteps = NODE_STEPS,
): AttestationKey | undefined {
  const key = judgeKey(publicArea, findings, steps);
  return key === undefined ? undefined : { key, steps, scheme: undefined, algorithm: keyAlgorithmName(publicArea) };
}

function judgeKey(publicArea: TpmtPublic, findings: Findings, steps: PublicKeySteps): PublicKey | undefined {
  const key = usableKey(publicArea, steps);
  if (typeof key === 'string') {
    findings.add('ak.weak_key', `the attestation key is not usable: ${key}`);
    return undefined;
  }
  if (isRocaKey(publicArea))
    findings.add('ak.roca', 'the attestation key has the fingerprint of CVE-2017-15361 (ROCA): others can compute it');
  return key;
}

/** Adds only the worst finding: if the key may exist outside the TPM, the other attributes do not matter. */
function judgeAttributes(attributes: number, findings: Findings): void {
  const isSet = (name: ObjectAttribute): boolean => (attributes & TPMA_OBJECT[name]) !== 0;
  const foreign = RESIDENT.filter((name) => !isSet(name));
  const loose = RESTRICTED.filter((name) => !isSet(name));
  const forbidden = FORBIDDEN.filter(isSet);
  if (foreign.length > 0)
    findings.add('ak.not_resident', `the attestation key may exist outside the TPM: ${foreign.join(', ')} not set`);
  else if (loose.length > 0)
    findings.add('ak.unrestricted', `the attestation key signs any data it is given: ${loose.join(', ')} not set`);
  else if (forbidden.length > 0)
    findings.add('ak.attributes', `the attestation key must not have ${forbidden.join(', ')}`);
  else if (hasReservedBits(attributes))
    findings.add('ak.attributes', 'the attestation key has reserved attributes set');
}

function schemeOf(publicArea: TpmtPublic): Scheme {
  return publicArea.type === 'symCipher' ? { scheme: TPM_ALG.NULL } : publicArea.parameters.scheme;
}

export function schemeName({ scheme, hashAlg }: Scheme): string {
  return hashAlg === undefined ? algorithmName(scheme) : `${algorithmName(scheme)} over ${algorithmName(hashAlg)}`;
}
