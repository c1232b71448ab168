/** The hash algorithms of PCR banks, under the names that tpm2-tools give them. */
import { getHashes, hash } from 'node:crypto';
import { hex } from '../../bytes/bytes.ts';

/** One hash algorithm that PCRs are extended with. */
export interface Bank {
  /** TPM_ALG_ID (TPM 2.0 Library Part 2, 6.3). */
  readonly id: number;
  /** `sha256`; `0x1234` for an algorithm that is not known here. */
  readonly name: string;
  readonly digestBytes: number;
  /** Its name in node:crypto. Undefined: nothing of this bank can be computed here. */
  readonly digest: string | undefined;
}

const AVAILABLE: ReadonlySet<string> = new Set(getHashes());

const BANKS: ReadonlyMap<number, Bank> = new Map(
  (
    [
      [0x0004, 'sha1', 20, 'sha1'],
      [0x000b, 'sha256', 32, 'sha256'],
      [0x000c, 'sha384', 48, 'sha384'],
      [0x000d, 'sha512', 64, 'sha512'],
      [0x0012, 'sm3_256', 32, 'sm3'],
      [0x0027, 'sha3_256', 32, 'sha3-256'],
      [0x0028, 'sha3_384', 48, 'sha3-384'],
      [0x0029, 'sha3_512', 64, 'sha3-512'],
    ] as const
  ).map(([id, name, digestBytes, digest]) => [
    id,
    { id, name, digestBytes, digest: AVAILABLE.has(digest) ? digest : undefined },
  ]),
);

export const SHA1: Bank = BANKS.get(0x0004) as Bank;

export function knownBank(id: number): Bank | undefined {
  return BANKS.get(id);
}

export function bankByName(name: string): Bank | undefined {
  return [...BANKS.values()].find((bank) => bank.name === name);
}

export function unknownBank(id: number, digestBytes: number): Bank {
  return { id, name: `0x${id.toString(16).padStart(4, '0')}`, digestBytes, digest: undefined };
}

/** Whether the digest is that of the bytes. */
export function isDigestOf(digest: Uint8Array, bank: Bank, bytes: Uint8Array): boolean {
  return bank.digest !== undefined && hex(digest) === hash(bank.digest, bytes, 'hex');
}

/** @throws RangeError for a bank that cannot be computed */
export function digestOf(bank: Bank, bytes: Uint8Array): Uint8Array {
  if (bank.digest === undefined) throw new RangeError(`${bank.name} cannot be computed`);
  return hash(bank.digest, bytes, 'buffer');
}
