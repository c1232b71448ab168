/** Judges a quote that other tools made: the files of `tpm2_quote` and `tpm2_createak`. */
import type { KeyObject } from 'node:crypto';
import { MalformedError } from '../../bytes/malformed.ts';
import { readToolsPcrValues } from '../../evidence/tools-pcr-values.ts';
import { readToolsMessage, readToolsSignature } from '../../evidence/tools-quote.ts';
import { readToolsKey, type ToolsKey } from '../../evidence/tpm2-tools.ts';
import { publicAreaOf } from '../../tpm/public-key.ts';
import { curveByJwk } from '../../tpm/structures/algorithms.ts';
import { encode } from '../../tpm/structures/codec.ts';
import { pcrSelection, type TpmlPcrSelection } from '../../tpm/structures/pcr.ts';
import { type TpmtPublic, tpmtPublic } from '../../tpm/structures/public.ts';
import { akTemplate } from '../../tpm/templates.ts';
import { type AttestationKey, judgeAttestationKey, judgeBareKey } from '../../verifier/attestation-key.ts';
import type { PcrRequirement } from '../../verifier/policy.ts';
import { verifyQuote } from '../../verifier/quote.ts';
import { Findings } from '../../verifier/verdict.ts';
import { UsageError } from '../terminal/failure.ts';
import { quotedSelection } from './evidence-judgement.ts';
import { type Judgement, quoteJudgement, type Unjudged } from './judgement.ts';
import { MAX_QUOTE_FILE_BYTES } from './tools-files.ts';

const BARE_KEY = 'a bare key does not say whether it is restricted, and an unrestricted key can sign forged quotes';

/** TPM2B_PUBLIC_KEY_RSA of tpm2-tss. */
const MAX_RSA_BITS = 4096;

/** Message, signature and PCR values are the node's word; the key is the verifier's own. */
export interface ToolsQuote {
  /** TPMS_ATTEST or TPM2B_ATTEST. */
  readonly message: Uint8Array;
  /** TPMT_SIGNATURE, or as `tpm2_quote -f plain` writes it. */
  readonly signature: Uint8Array;
  /** As `tpm2_quote -o` wrote them, in any form. */
  readonly pcrValues: Uint8Array;
  /** As {@link readToolsKey} reads it. */
  readonly ak: Uint8Array;
}

/** @throws UsageError for a key that cannot be read: without one nothing is judged */
export function judgeToolsQuote(files: ToolsQuote, nonce: Uint8Array, pcrs: PcrRequirement | undefined): Judgement {
  const ak = readKey(files.ak);
  const unjudged: Unjudged = ak.kind === 'public area' ? {} : { ak: BARE_KEY };
  const notes = [
    'scope "quote": nothing proves which TPM holds the key, and so which machine has these PCRs; reset counters may be obfuscated',
    ...Object.values(unjudged),
  ];
  const findings = new Findings();
  const key = attestationKeyOf(ak, findings);
  const tooLong = (['message', 'signature'] as const).filter((part) => files[part].length > MAX_QUOTE_FILE_BYTES);
  for (const part of tooLong)
    findings.add('quote.malformed', `the ${part} is longer than ${MAX_QUOTE_FILE_BYTES} bytes`);
  const quoted = readToolsMessage(files.message);
  const selection = quotedSelection(quoted);
  const expectation = {
    extraData: nonce,
    pcrSelection: pcrs === undefined ? undefined : [pcrSelection(pcrs.hash, pcrs.indices)],
    // Of a key whose parent is not known.
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

/** Undefined, with a finding, when they cannot be read. */
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

function attestationKeyOf(ak: ToolsKey, findings: Findings): AttestationKey | undefined {
  return ak.kind === 'public area'
    ? judgeAttestationKey(encode(tpmtPublic, ak.publicArea), findings)
    : judgeBareKey(areaOf(ak.key), findings);
}

function readKey(bytes: Uint8Array): ToolsKey {
  try {
    return readToolsKey(bytes);
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    throw new UsageError(
      `the file of --ak cannot be read: ${cause.message}; give the attestation key as tpm2_createak -u or tpm2_readpublic -o writes it, with -f tss, tpmt, pem or der`,
      { cause },
    );
  }
}

/** A public area around the numbers of a bare key, which are all that is looked at. */
function areaOf(key: KeyObject): TpmtPublic {
  const area = key.asymmetricKeyType === 'ec' ? eccArea(key) : rsaArea(key);
  if (area === undefined)
    throw new UsageError(
      `the key of --ak, ${key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType}, is not supported; give an RSA key of at most 4096 bits, or a key on P-256, P-384 or P-521`,
    );
  return area;
}

function eccArea(key: KeyObject): TpmtPublic | undefined {
  const template = akTemplate('ecc', '');
  const curveId = jwkCurve(key)?.id;
  if (template.type !== 'ecc' || curveId === undefined) return undefined;
  return publicAreaOf(key, { ...template, parameters: { ...template.parameters, curveId } });
}

/** Node's JWK has NIST curves and a few more, and throws for every other. */
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
  // What a public area has room for; the judge has narrower limits.
  if (keyBits > MAX_RSA_BITS || (publicExponent ?? 0n) > 0xffffffffn) return undefined;
  const exponent = Number(publicExponent ?? 0n);
  return publicAreaOf(key, { ...template, parameters: { ...template.parameters, keyBits, exponent } });
}
