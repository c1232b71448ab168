/** What the manufacturer says of an endorsement key: certificate, chain, and how the key is made where not by default. */
import { concat, hex } from '../tpm/bytes.ts';
import type { TpmCommands } from '../tpm/commands.ts';
import { decode } from '../tpm/structures/codec.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import type { EkTemplate } from '../tpm/templates.ts';
import { type Intake, type IntakeOddity, takeCertificate, takeChain } from '../x509/intake.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { handlesIn, type NvContents } from './nv-index.ts';

/** Where the chain lies: one blob over as many indices as it needs (EK Credential Profile 2.6, 2.2.1.5.2). */
export const CHAIN_INDICES = { first: 0x01c00100, last: 0x01c001ff } as const;

/** For people. */
export const CHAIN_NAME = 'the certificate chain in the TPM';

/** Certificates of a TPM in the order in which they lie there; a blob that cannot be read is `problem`, for the log. */
export interface Chain {
  readonly certificates: readonly Uint8Array[];
  /** Padding behind them. */
  readonly oddities: readonly IntakeOddity[];
  readonly problem?: string;
}

/** The TPM has no usable endorsement key, or somebody stands between it and us. */
export class EndorsementError extends Error {
  override readonly name: string = 'EndorsementError';
  readonly code: 'ERR_ENDORSEMENT' = 'ERR_ENDORSEMENT' as const;
}

/**
 * DER of the template's certificate; undefined when the TPM has none. An index that holds one repeated 00 or ff was
 * reserved and never filled.
 *
 * @throws EndorsementError when the index holds something else
 */
export async function readCertificate(nv: NvContents, template: EkTemplate): Promise<Uint8Array | undefined> {
  const stored = await nv.read(template.certificateNvIndex);
  try {
    return stored === undefined ? undefined : storedCertificate(stored)?.der.slice();
  } catch (cause) {
    if (!(cause instanceof MalformedCertificateError)) throw cause;
    throw new EndorsementError(`${nvName(template.certificateNvIndex)} holds no certificate: ${cause.message}`, {
      cause,
    });
  }
}

/** Undefined for contents that were never filled. @throws {MalformedCertificateError} */
export function storedCertificate(stored: Uint8Array): Intake | undefined {
  const [first] = stored;
  if (first === undefined) return undefined;
  if ((first === 0x00 || first === 0xff) && stored.every((byte) => byte === first)) return undefined;
  return takeCertificate(stored);
}

/** The certificates above the endorsement key's own, and sometimes that one. */
export async function readChain(run: TpmCommands, nv: NvContents): Promise<Chain> {
  const parts: Uint8Array[] = [];
  for (const index of await handlesIn(run, CHAIN_INDICES.first, CHAIN_INDICES.last)) {
    const part = await nv.read(index);
    if (part !== undefined) parts.push(part);
  }
  try {
    return takeChain(concat(...parts));
  } catch (cause) {
    if (!(cause instanceof MalformedCertificateError)) throw cause;
    // The server may have the chain itself.
    return {
      certificates: [],
      oddities: [],
      problem: `the certificate chain in the TPM cannot be read: ${cause.message}`,
    };
  }
}

/**
 * What the key is made from: the template of the TCG, unless the manufacturer stored another one, or a nonce for its
 * `unique` (EK Credential Profile 2.6, 2.2.1.4 and 2.2.1.5).
 *
 * @throws EndorsementError when what is stored cannot be used
 */
export async function creationTemplate(nv: NvContents, template: EkTemplate): Promise<TpmtPublic> {
  const stored = await nv.read(template.templateNvIndex);
  const publicArea = stored === undefined ? template.publicArea : storedTemplate(template, stored);
  const nonce = template.nonceNvIndex === undefined ? undefined : await nv.read(template.nonceNvIndex);
  return nonce === undefined ? publicArea : withNonce(publicArea, nonce);
}

function storedTemplate({ templateNvIndex, algorithm }: EkTemplate, stored: Uint8Array): TpmtPublic {
  try {
    const publicArea = decode(tpmtPublic, stored);
    if (publicArea.type !== algorithm) throw new MalformedError('TPMT_PUBLIC.type', 0, `${publicArea.type} key`);
    return publicArea;
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    throw new EndorsementError(`${nvName(templateNvIndex)} holds no EK template: ${cause.message}`, { cause });
  }
}

/** The nonce comes first, zeros fill the rest; an ECC key has it in x. */
function withNonce(publicArea: TpmtPublic, nonce: Uint8Array): TpmtPublic {
  const filled = (bytes: number): Uint8Array => {
    if (nonce.length > bytes) throw new EndorsementError(`the EK nonce in the TPM is longer than ${bytes} bytes`);
    return concat(nonce, new Uint8Array(bytes - nonce.length));
  };
  if (publicArea.type === 'rsa') return { ...publicArea, unique: filled(publicArea.parameters.keyBits / 8) };
  if (publicArea.type === 'ecc') return { ...publicArea, unique: { x: filled(32), y: new Uint8Array(32) } };
  return publicArea;
}

/** `NV index 0x01c00002` */
export function nvName(index: number): string {
  return `NV index 0x${hex(Uint8Array.of(index >>> 24, index >>> 16, index >>> 8, index))}`;
}
