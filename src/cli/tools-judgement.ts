/** Judges a quote that other tools made: the files of `tpm2_quote` and `tpm2_createak`. */
import type { KeyObject } from 'node:crypto';
import { readToolsKey, readToolsPcrValues } from '../evidence/tpm2-tools.ts';
import { publicAreaOf } from '../tpm/public-key.ts';
import { curveByJwk } from '../tpm/structures/algorithms.ts';
import { decode, encode } from '../tpm/structures/codec.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import { pcrSelection } from '../tpm/structures/pcr.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import type { Scheme } from '../tpm/structures/scheme.ts';
import { SIGNATURE_ALG, tpmtSignature } from '../tpm/structures/signature.ts';
import { akTemplate } from '../tpm/templates.ts';
import { judgeAttestationKey } from '../verifier/attestation-key.ts';
import type { PcrRequirement } from '../verifier/policy.ts';
import { verifyQuote } from '../verifier/quote.ts';
import { Findings } from '../verifier/verdict.ts';
import { quotedSelection } from './evidence-judgement.ts';
import { UsageError } from './failure.ts';
import { type Judgement, quoteJudgement } from './judgement.ts';

/** TPM2B_PUBLIC_KEY_RSA of tpm2-tss. */
const MAX_RSA_BITS = 4096;

export interface ToolsQuote {
  /** TPMS_ATTEST. */
  readonly message: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
  /** As `tpm2_quote -o` wrote them. */
  readonly pcrValues: Uint8Array;
  /** TPM2B_PUBLIC, TPMT_PUBLIC or PEM. */
  readonly ak: Uint8Array;
}

/** @throws UsageError for a file that is not what its option says */
export function judgeToolsQuote(files: ToolsQuote, nonce: Uint8Array, pcrs: PcrRequirement | undefined): Judgement {
  const notes = [
    'scope "quote": where the key lives, and so whose PCRs these are, is not proved; reset counters may be obfuscated',
  ];
  const ak = attempt('--ak', () => readToolsKey(files.ak));
  let publicArea: TpmtPublic;
  if (ak.kind === 'public area') publicArea = ak.publicArea;
  else {
    publicArea = areaOf(ak.key, schemeOf(files.signature));
    notes.push('a PEM does not say whether the key is restricted: an unrestricted one signs forged quotes');
  }
  const findings = new Findings();
  const key = judgeAttestationKey(encode(tpmtPublic, publicArea), findings);
  const selection = quotedSelection(files.message);
  const pcrValues =
    selection === undefined ? [] : attempt('--pcr-values', () => readToolsPcrValues(files.pcrValues, selection));
  const expectation = {
    extraData: nonce,
    pcrSelection: pcrs === undefined ? undefined : [pcrSelection(pcrs.hash, pcrs.indices)],
    // Of a key whose parent is not known.
    qualifiedSigner: undefined,
  };
  const quote =
    key === undefined
      ? undefined
      : verifyQuote(key, { quoted: files.message, signature: files.signature, pcrValues }, expectation, findings);
  return quoteJudgement(quote, true, findings.list, ['ak', 'quote'], notes);
}

function attempt<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    throw new UsageError(`the file of ${option} cannot be read: ${cause.message}`, { cause });
  }
}

/**
 * A public area around a bare key, so that the same code judges it. What only the TPM could say stands as in our own
 * template, and the form of its signatures is what the signature at hand claims: neither is proved, and a note says so.
 */
function areaOf(key: KeyObject, scheme: Scheme | undefined): TpmtPublic {
  const area = key.asymmetricKeyType === 'ec' ? eccArea(key, scheme) : rsaArea(key, scheme);
  if (area === undefined)
    throw new UsageError('the key of --ak is neither RSA of at most 4096 bits nor on a NIST curve');
  return area;
}

function eccArea(key: KeyObject, scheme: Scheme | undefined): TpmtPublic | undefined {
  const template = akTemplate('ecc', '');
  const curveId = jwkCurve(key)?.id;
  if (template.type !== 'ecc' || curveId === undefined) return undefined;
  const parameters = { ...template.parameters, curveId, ...(scheme === undefined ? {} : { scheme }) };
  return publicAreaOf(key, { ...template, parameters });
}

/** Node's JWK has NIST curves and a few more, and throws for every other. */
function jwkCurve(key: KeyObject): ReturnType<typeof curveByJwk> {
  try {
    return curveByJwk(key.export({ format: 'jwk' }).crv ?? '');
  } catch {
    return undefined;
  }
}

function rsaArea(key: KeyObject, scheme: Scheme | undefined): TpmtPublic | undefined {
  const template = akTemplate('rsa', '');
  const { modulusLength: keyBits, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (template.type !== 'rsa' || key.asymmetricKeyType !== 'rsa' || keyBits === undefined) return undefined;
  // What a public area has room for; the judge has narrower limits.
  if (keyBits > MAX_RSA_BITS || (publicExponent ?? 0n) > 0xffffffffn) return undefined;
  const exponent = Number(publicExponent ?? 0n);
  const parameters = { ...template.parameters, keyBits, exponent, ...(scheme === undefined ? {} : { scheme }) };
  return publicAreaOf(key, { ...template, parameters });
}

/** Undefined when the bytes are no signature, which the judge says better, or one that no public area can name. */
function schemeOf(signature: Uint8Array): Scheme | undefined {
  try {
    const decoded = decode(tpmtSignature, signature);
    if (decoded.sigAlg !== 'rsassa' && decoded.sigAlg !== 'rsapss' && decoded.sigAlg !== 'ecdsa') return undefined;
    return { scheme: SIGNATURE_ALG[decoded.sigAlg], hashAlg: decoded.hash };
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
