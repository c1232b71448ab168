/**
 * Decodes a TSS2_RC, the result of a call into tpm2-tss.
 *
 * Bits 16–23 name the layer that answered (TCG TSS 2.0 Overview, 2.4). Codes of the TPM itself follow Part 2, 6.6:
 * format 0 carries an error or a warning; format 1 also tells the handle, parameter or session at fault.
 */
import { FORMAT_0, FORMAT_1, LAYER_CODES, RETRYABLE, WARNINGS } from './response-code-table.ts';

/** The layer that answered with a code: the TPM, or a part of tpm2-tss (TCG TSS 2.0 Overview, 2.4). */
export type Layer =
  | 'tpm'
  | 'feature'
  | 'esys'
  | 'sys'
  | 'mu'
  | 'tcti'
  | 'resource-manager'
  | 'resource-manager-tpm'
  | 'unknown';

/** `index` counts from 1, as the specification does. */
export interface FaultyArgument {
  readonly kind: 'handle' | 'parameter' | 'session';
  readonly index: number;
}

export interface ResponseCode {
  readonly rc: number;
  readonly layer: Layer;
  /** `TPM_RC_AUTH_FAIL`, `TSS2_TCTI_RC_IO_ERROR`. For a code in no table, the name ends with the number. */
  readonly name: string;
  readonly description: string;
  readonly argument?: FaultyArgument;
  /** True when the same command may succeed a little later. */
  readonly retryable: boolean;
}

const LAYERS: ReadonlyMap<number, readonly [layer: Layer, prefix: string]> = new Map([
  [0, ['tpm', 'TPM_RC']],
  [6, ['feature', 'TSS2_FAPI_RC']],
  [7, ['esys', 'TSS2_ESYS_RC']],
  [8, ['sys', 'TSS2_SYS_RC']],
  [9, ['mu', 'TSS2_MU_RC']],
  [10, ['tcti', 'TSS2_TCTI_RC']],
  [11, ['resource-manager', 'TSS2_RESMGR_RC']],
  [12, ['resource-manager-tpm', 'TSS2_RESMGR_TPM_RC']],
]);

const FORMAT_1_BIT = 0x080;
const PARAMETER_BIT = 0x040;
const VERSION_2_BIT = 0x100;
const VENDOR_BIT = 0x400;
const WARNING_BIT = 0x800;

/** @throws RangeError unless `rc` is an unsigned 32-bit integer. */
export function decodeResponseCode(rc: number): ResponseCode {
  if (!Number.isInteger(rc) || rc < 0 || rc > 0xffffffff) throw new RangeError(`${rc} is not a TSS2_RC`);
  const code = rc & 0xffff;
  const [layer, prefix] = LAYERS.get(rc >>> 16) ?? (['unknown', 'TSS2_RC'] as const);
  if (layer === 'tpm') return { rc, layer, ...tpmCode(code) };
  // A resource manager has small codes of its own. It also passes on codes of the TPM, or answers with one itself: the
  // kernel's resource manager answers TPM_RC_COMMAND_CODE in its own layer.
  const imitatesTpm = (code & (FORMAT_1_BIT | VERSION_2_BIT)) !== 0;
  if ((layer === 'resource-manager' || layer === 'resource-manager-tpm') && imitatesTpm) {
    return { rc, layer, ...tpmCode(code) };
  }
  const known = LAYER_CODES[code];
  return {
    rc,
    layer,
    name: known === undefined ? `${prefix}_${hex(rc)}` : `${prefix}_${known[0]}`,
    description: known?.[1] ?? 'a code this version does not know',
    retryable: known?.[0] === 'TRY_AGAIN',
  };
}

type TpmCode = Omit<ResponseCode, 'rc' | 'layer'>;

function tpmCode(code: number): TpmCode {
  if (code === 0) return { name: 'TPM_RC_SUCCESS', description: 'the command succeeded', retryable: false };
  if (code & FORMAT_1_BIT) return formatOne(code);
  if (code & VENDOR_BIT) return unknown(code, 'a code of this TPM’s vendor');
  // Codes without the version bit belong to TPM 1.2. A TPM 2.0 uses only this one, to refuse a tag.
  if (code === 0x01e) return { name: 'TPM_RC_BAD_TAG', description: 'the tag is not of TPM 2.0', retryable: false };
  if (!(code & VERSION_2_BIT)) return unknown(code, 'a TPM 1.2 code');
  const warning = (code & WARNING_BIT) !== 0;
  const known = (warning ? WARNINGS : FORMAT_0)[code & 0x7f];
  if (known === undefined) return unknown(code, 'a code this version does not know');
  return { name: `TPM_RC_${known[0]}`, description: known[1], retryable: warning && RETRYABLE.has(known[0]) };
}

function formatOne(code: number): TpmCode {
  const known = FORMAT_1[code & 0x3f];
  const argument = faultyArgument(code);
  return {
    ...(known === undefined
      ? unknown(code, 'a code this version does not know')
      : { name: `TPM_RC_${known[0]}`, description: known[1], retryable: false }),
    ...(argument === undefined ? {} : { argument }),
  };
}

/**
 * The argument in bits 8–11. With the P bit they number a parameter; otherwise a handle, or a session when bit 11 is
 * set. Zero is unspecified.
 */
function faultyArgument(code: number): FaultyArgument | undefined {
  const number = (code >> 8) & 0xf;
  if (code & PARAMETER_BIT) return number === 0 ? undefined : { kind: 'parameter', index: number };
  const index = number & 0x7;
  if (index === 0) return undefined;
  return { kind: number & 0x8 ? 'session' : 'handle', index };
}

function unknown(code: number, description: string): TpmCode {
  return { name: `TPM_RC_${hex(code)}`, description, retryable: false };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
