/** Checks structures that a TPM signs about itself: that the AK signed them by its scheme, and their kind. Pure. */
import type { PlainSignature } from '../evidence/tools-quote.ts';
import type { PublicKey } from '../public-key/public-key.ts';
import { type TpmsAttest, tpmsAttest } from '../tpm/structures/attest.ts';
import { decode } from '../tpm/structures/codec.ts';
import { TPM_ALG, TPM_GENERATED, TPM_ST } from '../tpm/structures/constants.ts';
import type { Scheme } from '../tpm/structures/scheme.ts';
import { SIGNATURE_ALG, type TpmtSignature, tpmtSignature } from '../tpm/structures/signature.ts';
import { isSignature, otherKeyOf } from './ak-signature.ts';
import { type AttestationKey, isAcceptedScheme, schemeName } from './attestation-key.ts';
import { decodedOr } from './decoding.ts';
import type { FindingCode } from './findings.ts';
import type { Findings } from './verdict.ts';

/** The kinds that count as evidence. The codes of findings about them start with the kind. */
export type SignedKind = 'quote' | 'creation';

const TYPES: Readonly<Record<SignedKind, number>> = {
  quote: TPM_ST.ATTEST_QUOTE,
  creation: TPM_ST.ATTEST_CREATION,
};

type Flaw = 'malformed' | 'magic' | 'type' | 'scheme' | 'signature';

export const SIGNED_FINDING: Readonly<Record<SignedKind, Readonly<Record<Flaw, FindingCode>>>> = {
  quote: {
    malformed: 'quote.malformed',
    magic: 'quote.magic',
    type: 'quote.type',
    scheme: 'quote.scheme',
    signature: 'quote.signature',
  },
  creation: {
    malformed: 'creation.malformed',
    magic: 'creation.magic',
    type: 'creation.type',
    scheme: 'creation.scheme',
    signature: 'creation.signature',
  },
};

/** Decodes the structure without verifying its signature. Undefined, with a finding, if it is not of this kind. */
export function readSigned<K extends SignedKind>(
  kind: K,
  bytes: Uint8Array,
  findings: Findings,
): Extract<TpmsAttest, { readonly type: K }> | undefined {
  if (bytes.length >= 6) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // Checked before decoding, so that the two classic forgeries get their own findings.
    // tooth A08: signed bytes without TPM_GENERATED_VALUE are accepted
    if (view.getUint32(0) !== TPM_GENERATED) {
      findings.add(
        SIGNED_FINDING[kind].magic,
        'the signed bytes do not begin with the magic number of structures that a TPM makes',
      );
      return undefined;
    }
    if (view.getUint16(4) !== TYPES[kind]) {
      findings.add(
        SIGNED_FINDING[kind].type,
        `the signed structure has type 0x${view.getUint16(4).toString(16)}, not a ${kind}'s`,
      );
      return undefined;
    }
  }
  const sentence = `the ${kind} is not a valid TPMS_ATTEST`;
  const attest = decodedOr(findings, () => decode(tpmsAttest, bytes), {
    code: SIGNED_FINDING[kind].malformed,
    sentence,
  });
  return attest as Extract<TpmsAttest, { readonly type: K }> | undefined;
}

/**
 * Verifies the AK's signature, and adds a finding if it does not hold.
 *
 * @param signature TPMT_SIGNATURE, or the bare numbers that tpm2-tools writes instead
 * @returns the scheme, whose hash also makes the digests in the signed structure. Undefined if neither the key nor a
 * valid signature tells it
 */
export function verifySignature(
  kind: SignedKind,
  ak: AttestationKey,
  bytes: Uint8Array,
  signature: Uint8Array | PlainSignature,
  findings: Findings,
): Scheme | undefined {
  if (!(signature instanceof Uint8Array)) return verifyPlain(kind, ak, bytes, signature, findings);
  const decoded = decodedOr(
    findings,
    () => decode(tpmtSignature, signature),
    { code: SIGNED_FINDING[kind].malformed, sentence: 'the signature is not a valid TPMT_SIGNATURE' },
    { code: SIGNED_FINDING[kind].scheme, sentence: 'the signature is' },
  );
  if (decoded === undefined) return ak.scheme;
  const form = { scheme: SIGNATURE_ALG[decoded.sigAlg], ...('hash' in decoded ? { hashAlg: decoded.hash } : {}) };
  const other = otherForm(ak, form);
  if (other !== undefined) {
    findings.add(SIGNED_FINDING[kind].scheme, `the signature is ${schemeName(form)}, ${other}`);
    return undefined;
  }
  if (isSignature(ak, bytes, decoded)) return form;
  // A signature that cannot be checked is not called false.
  if (isCheckable(form)) addFalse(kind, ak, decoded, findings);
  else findings.add(SIGNED_FINDING[kind].scheme, `the signature is ${schemeName(form)}, which is not supported`);
  return ak.scheme;
}

/** Why the key cannot make signatures of this form. Undefined if it can. */
function otherForm({ key, scheme, algorithm }: AttestationKey, form: Scheme): string | undefined {
  if (scheme !== undefined)
    return form.scheme === scheme.scheme && form.hashAlg === scheme.hashAlg
      ? undefined
      : `the key signs with ${schemeName(scheme)}`;
  if (isAcceptedScheme(typeOf(key), form)) return undefined;
  return isAcceptedScheme(typeOf(key) === 'rsa' ? 'ecc' : 'rsa', form)
    ? `the key is ${algorithm}`
    : 'which is not supported';
}

/** Adds the finding for a false signature. Numbers of another size show that another kind of key made it. */
function addFalse(kind: SignedKind, ak: AttestationKey, signature: TpmtSignature, findings: Findings): void {
  const other = otherKeyOf(ak.key.numbers, signature);
  if (other === undefined)
    findings.add(SIGNED_FINDING[kind].signature, 'the attestation key did not make this signature');
  else
    findings.add(
      SIGNED_FINDING[kind].scheme,
      `the signature is by a key of ${other}, the attestation key is ${ak.algorithm}`,
    );
}

/**
 * Verifies a signature that does not name its form. It must have the form of the key. For a bare key, all known forms
 * are tried: the form under which the signature verifies is its form.
 */
function verifyPlain(
  kind: SignedKind,
  ak: AttestationKey,
  bytes: Uint8Array,
  signature: PlainSignature,
  findings: Findings,
): Scheme | undefined {
  const forms = plainForms(ak, signature);
  const [first] = forms;
  if (first === undefined) {
    const name = signature.plain === 'rsa' ? 'RSA' : 'ECDSA';
    findings.add(SIGNED_FINDING[kind].scheme, `the signature is a plain one by ${name}, the key is ${ak.algorithm}`);
    return undefined;
  }
  const found = forms.find((form) => isSignature(ak, bytes, form.signature));
  if (found === undefined) addFalse(kind, ak, first.signature, findings);
  else if (ak.scheme === undefined && !isAcceptedScheme(typeOf(ak.key), found.form))
    findings.add(SIGNED_FINDING[kind].scheme, `the signature is ${schemeName(found.form)}, which is not supported`);
  return ak.scheme ?? found?.form;
}

interface PlainForm {
  readonly form: Scheme;
  readonly signature: TpmtSignature;
}

const CHECKABLE: readonly number[] = [TPM_ALG.RSASSA, TPM_ALG.RSAPSS, TPM_ALG.ECDSA];
const CHECKABLE_HASHES: readonly number[] = [TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512, TPM_ALG.SHA1];

function isCheckable({ scheme, hashAlg }: Scheme): boolean {
  return CHECKABLE.includes(scheme) && CHECKABLE_HASHES.includes(hashAlg ?? 0);
}

/** The forms that the numbers can have with this key. Empty for another kind of key. */
function plainForms({ key, scheme }: AttestationKey, signature: PlainSignature): readonly PlainForm[] {
  const isRsa = signature.plain === 'rsa';
  if ((typeOf(key) === 'rsa') !== isRsa) return [];
  const algorithms = isRsa ? (['rsassa', 'rsapss'] as const) : (['ecdsa'] as const);
  return algorithms
    .flatMap((sigAlg) => CHECKABLE_HASHES.map((hash) => ({ sigAlg, hash })))
    .map(({ sigAlg, hash }) => ({
      form: { scheme: SIGNATURE_ALG[sigAlg], hashAlg: hash },
      signature: { sigAlg, hash, ...numbersOf(signature) } as TpmtSignature,
    }))
    .filter(({ form }) => scheme === undefined || (form.scheme === scheme.scheme && form.hashAlg === scheme.hashAlg));
}

function numbersOf(signature: PlainSignature): object {
  const { plain: _, ...numbers } = signature;
  return numbers;
}

function typeOf({ numbers }: PublicKey): 'rsa' | 'ecc' {
  return numbers.type === 'rsa' ? 'rsa' : 'ecc';
}
