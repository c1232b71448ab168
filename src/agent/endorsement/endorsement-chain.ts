/** Splits the certificate chain in the TPM into certificates. An unreadable index does not spoil the others. */
import { concat } from '../../bytes/bytes.ts';
import { looksLikePem, readPem } from '../../x509/file/pem.ts';
import {
  type ChainIntake,
  type IntakeOddity,
  MAX_CHAIN_CERTIFICATES,
  takeChain,
  withoutPadding,
} from '../../x509/intake.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';

/** The name of the chain in messages. */
export const CHAIN_NAME = 'the certificate chain in the TPM';

/** The certificates in the order in which the TPM stores them. */
export interface Chain {
  readonly certificates: readonly Uint8Array[];
  /** Padding after the certificates, and PEM in place of DER. */
  readonly oddities: readonly IntakeOddity[];
}

export interface ChainPart {
  readonly index: number;
  readonly bytes: Uint8Array;
}

/**
 * @param parts contents of the indices, in ascending order; undefined for an index that cannot be read
 * @param onFault called for each index that can be read but holds no certificates
 */
export function chainOf(
  parts: readonly (ChainPart | undefined)[],
  onFault: (index: number, message: string) => void,
): Chain {
  const certificates: Uint8Array[] = [];
  const oddities: IntakeOddity[] = [];
  for (let rest = parts; rest.length > 0; ) {
    const { taken, length, fault } = longestChain(rest);
    certificates.push(...(taken?.certificates ?? []));
    oddities.push(...(taken?.oddities ?? []));
    const [first] = rest;
    if (taken === undefined && first !== undefined) onFault(first.index, fault ?? 'it holds none');
    rest = rest.slice(Math.max(length, 1));
  }
  return { certificates: certificates.slice(0, MAX_CHAIN_CERTIFICATES), oddities };
}

interface Taken {
  readonly taken?: ChainIntake;
  /** Number of parts that the chain spans. */
  readonly length: number;
  readonly fault?: string;
}

/** Takes as many parts as form one chain: a certificate may begin in one index and end in the next. */
function longestChain(parts: readonly (ChainPart | undefined)[]): Taken {
  const gap = parts.indexOf(undefined);
  let fault: string | undefined;
  for (let length = gap < 0 ? parts.length : gap; length > 0; length--) {
    try {
      const blobs = parts.slice(0, length).map((part) => part?.bytes ?? new Uint8Array());
      return { taken: takeStored(blobs), length };
    } catch (error) {
      if (!(error instanceof MalformedCertificateError)) throw error;
      fault = error.message;
    }
  }
  return { length: 0, ...(fault === undefined ? {} : { fault }) };
}

/** Some operators store PEM, which must fit into one index. */
function takeStored(blobs: readonly Uint8Array[]): ChainIntake {
  const [first = new Uint8Array()] = blobs;
  if (!looksLikePem(first)) return takeChain(concat(...blobs));
  if (blobs.length > 1) throw new MalformedCertificateError('chain', first.length, 'PEM over several indices');
  return { certificates: readPem(withoutPadding(first)).map(({ der }) => der), oddities: ['PEM'] };
}
