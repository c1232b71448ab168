/** Judges a quote made by tpm2-tools, from the files of `tpm2_quote` and `tpm2_createak`. Pure. */
import type { KeyObject } from 'node:crypto';
import { MalformedError } from '../bytes/malformed.ts';
import { readToolsPcrValues } from '../evidence/tools-pcr-values.ts';
import { readToolsMessage, readToolsSignature } from '../evidence/tools-quote.ts';
import type { ToolsKey } from '../evidence/tpm2-tools.ts';
import { publicAreaOf } from '../tpm/public-key.ts';
import { curveByJwk } from '../tpm/structures/algorithms.ts';
import { encode } from '../tpm/structures/codec.ts';
import { pcrSelection, type TpmlPcrSelection } from '../tpm/structures/pcr.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import { akTemplate } from '../tpm/templates.ts';
import { type AttestationKey, judgeAttestationKey, judgeBareKey } from './attestation-key.ts';
import { quotedSelection } from './evidence-judgement.ts';
import { type Judgement, quoteJudgement, type Unjudged } from './judgement.ts';
import type { PcrRequirement } from './policy.ts';
import { verifyQuote } from './quote.ts';
import { SIGNED_FINDING } from './signed-structure.ts';
import { Findings } from './verdict.ts';

/** More than sixteen banks of PCR values take in their longest form. */
export const MAX_QUOTE_FILE_BYTES: number = 256 * 1024;

const BARE_KEY = 'a bare key does not say whether it is restricted, and an unrestricted key can sign forged quotes';

/** The size of TPM2B_PUBLIC_KEY_RSA in tpm2-tss. */
const MAX_RSA_BITS = 4096;

/** Message, signature and PCR values come from the node and are untrusted. The key comes from the verifier. */
export interface ToolsQuote {
  /** TPMS_ATTEST or TPM2B_ATTEST. */
  readonly message: Uint8Array;
  /** TPMT_SIGNATURE, or the output of `tpm2_quote -f plain`. */
  readonly signature: Uint8Array;
  /** The output of `tpm2_quote -o`, in any of its formats. */
  readonly pcrValues: Uint8Array;
  readonly ak: ToolsAk;
}

/** The verifier's AK: a whole public area, or a bare key. */
export interface ToolsAk {
  readonly kind: ToolsKey['kind'];
  /** For a bare key, all fields except the key are from a template and are not judged. */
  readonly publicArea: TpmtPublic;
}

/** Undefined for a kind of key that cannot sign quotes. */
export function toolsAkOf(key: ToolsKey): ToolsAk | undefined {
  if (key.kind === 'public area') return key;
  const publicArea = key.key.asymmetricKeyType === 'ec' ? eccArea(key.key) : rsaArea(key.key);
  return publicArea === undefined ? undefined : { kind: key.kind, publicArea };
}

/** @param pcrs the PCRs that must be quoted; undefined accepts any */
export function judgeToolsQuote(
  { ak, ...files }: ToolsQuote,
  nonce: Uint8Array,
  pcrs: PcrRequirement | undefined,
): Judgement {
  const unjudged: Unjudged = ak.kind === 'public area' ? {} : { ak: BARE_KEY };
  const notes = [
    'scope "quote": nothing proves which TPM holds the key, and so which machine has these PCRs; reset counters may be obfuscated',
    ...Object.values(unjudged),
  ];
  const findings = new Findings();
  const key = attestationKeyOf(ak, findings);
  const tooLong = (['message', 'signature'] as const).filter((part) => files[part].length > MAX_QUOTE_FILE_BYTES);
  for (const part of tooLong)
    findings.add(SIGNED_FINDING.quote.malformed, `the ${part} is longer than ${MAX_QUOTE_FILE_BYTES} bytes`);
  const quoted = readToolsMessage(files.message);
  const selection = quotedSelection(quoted);
  const expectation = {
    extraData: nonce,
    pcrSelection: pcrs === undefined ? undefined : [pcrSelection(pcrs.hash, pcrs.indices)],
    // The parent of the key is not known, so its qualified Name is not known either.
    qualifiedSigner: undefined,
  };
  const quote =
    key === undefined || tooLong.length > 0
      ? undefined
      : verifyQuote(
          key,
          {
            quoted,
            signature: readToolsSignature(files.signature),
            pcrValues: selection === undefined ? [] : pcrValuesOf(files.pcrValues, selection, findings),
          },
          expectation,
          findings,
        );
  return quoteJudgement(
    quote,
    true,
    findings.list,
    ak.kind === 'public area' ? ['ak', 'quote'] : ['quote'],
    notes,
    unjudged,
  );
}

/** Undefined, with a finding, if they cannot be read. */
function pcrValuesOf(
  bytes: Uint8Array,
  selection: TpmlPcrSelection,
  findings: Findings,
): readonly Uint8Array[] | undefined {
  try {
    return readToolsPcrValues(bytes, selection);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    findings.add('quote.pcr_values', `the PCR values cannot be read: ${error.reason}`);
    return undefined;
  }
}

function attestationKeyOf({ kind, publicArea }: ToolsAk, findings: Findings): AttestationKey | undefined {
  return kind === 'public area'
    ? judgeAttestationKey(encode(tpmtPublic, publicArea), findings)
    : judgeBareKey(publicArea, findings);
}

function eccArea(key: KeyObject): TpmtPublic | undefined {
  const template = akTemplate('ecc', '');
  const curveId = jwkCurve(key)?.id;
  if (template.type !== 'ecc' || curveId === undefined) return undefined;
  return publicAreaOf(key, { ...template, parameters: { ...template.parameters, curveId } });
}

/** Undefined for a curve that Node cannot export as JWK: it throws for most curves that are not NIST curves. */
function jwkCurve(key: KeyObject): ReturnType<typeof curveByJwk> {
  try {
    return curveByJwk(key.export({ format: 'jwk' }).crv ?? '');
  } catch {
    return undefined;
  }
}

function rsaArea(key: KeyObject): TpmtPublic | undefined {
  const template = akTemplate('rsa', '');
  const { modulusLength: keyBits, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (template.type !== 'rsa' || key.asymmetricKeyType !== 'rsa' || keyBits === undefined) return undefined;
  // The limits of a public area. The judge has narrower limits.
  if (keyBits > MAX_RSA_BITS || (publicExponent ?? 0n) > 0xffffffffn) return undefined;
  const exponent = Number(publicExponent ?? 0n);
  return publicAreaOf(key, { ...template, parameters: { ...template.parameters, keyBits, exponent } });
}
