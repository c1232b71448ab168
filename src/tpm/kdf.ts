/** KDFa and KDFe (TPM 2.0 Library Part 1, 11.4.10). Pure. */
import { createHmac, hash as digestOf } from 'node:crypto';
import { concat } from '../bytes/bytes.ts';
import type { HashAlgorithm } from './structures/algorithms.ts';

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** The label and its terminating NUL. */
function terminated(label: string): Uint8Array {
  return Buffer.from(`${label}\0`, 'latin1');
}

function firstBits(bits: number, hash: HashAlgorithm, block: (counter: number) => Uint8Array): Uint8Array {
  const key = new Uint8Array(Math.ceil(bits / 8));
  for (let start = 0, counter = 1; start < key.length; start += hash.digestBytes, counter++)
    key.set(block(counter).subarray(0, key.length - start), start);
  // A size that is no whole number of bytes leaves the unused bits at the most significant end.
  if (bits % 8 !== 0) key[0] = (key[0] ?? 0) & (0xff >> (8 - (bits % 8)));
  return key;
}

/** KDFa: HMAC in counter mode. @param bits size of the key to make */
export function kdfa(
  hash: HashAlgorithm,
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Uint8Array {
  return firstBits(bits, hash, (counter) =>
    createHmac(hash.name, key)
      .update(concat(u32(counter), terminated(label), contextU, contextV, u32(bits)))
      .digest(),
  );
}

/** KDFe: hash in counter mode over an ECDH secret. @param z x-coordinate, full field width */
export function kdfe(
  hash: HashAlgorithm,
  z: Uint8Array,
  label: string,
  partyUInfo: Uint8Array,
  partyVInfo: Uint8Array,
  bits: number,
): Uint8Array {
  return firstBits(bits, hash, (counter) =>
    digestOf(hash.name, concat(u32(counter), z, terminated(label), partyUInfo, partyVInfo), 'buffer'),
  );
}
