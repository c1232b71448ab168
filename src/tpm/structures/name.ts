/** Computes Names and Qualified Names (TPM 2.0 Library Part 1, section 16). */
import { hash } from 'node:crypto';
import { concat } from '../../bytes/bytes.ts';
import { hashAlgorithm } from './algorithms.ts';
import { encode } from './codec.ts';
import { type TpmsNvPublic, tpmsNvPublic } from './nv-public.ts';
import { type TpmtPublic, tpmtPublic } from './public.ts';

function digestName(nameAlg: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const algorithm = hashAlgorithm(nameAlg);
  if (algorithm === undefined) throw new RangeError(`0x${nameAlg.toString(16)} is not a known name algorithm`);
  return concat(Uint8Array.of(nameAlg >> 8, nameAlg & 0xff), hash(algorithm.name, concat(...parts), 'buffer'));
}

/** Name of an object: nameAlg ‖ H(TPMT_PUBLIC). @throws RangeError for a nameAlg without a digest (TPM_ALG_NULL). */
export function objectName(publicArea: TpmtPublic): Uint8Array {
  return digestName(publicArea.nameAlg, encode(tpmtPublic, publicArea));
}

/** Name of an NV index: nameAlg ‖ H(TPMS_NV_PUBLIC). */
export function nvName(publicArea: TpmsNvPublic): Uint8Array {
  return digestName(publicArea.nameAlg, encode(tpmsNvPublic, publicArea));
}

/** Name of an entity without a public area (hierarchy, PCR, session): its handle. */
export function handleName(handle: number): Uint8Array {
  const name = new Uint8Array(4);
  new DataView(name.buffer).setUint32(0, handle);
  return name;
}

/**
 * Qualified Name: nameAlg ‖ H(Qualified Name of the parent ‖ Name). The parent of a primary object is its hierarchy.
 * The Qualified Name of a hierarchy is its handle. @param name begins with the two bytes of its algorithm
 */
export function qualifiedName(parentQualifiedName: Uint8Array, name: Uint8Array): Uint8Array {
  return digestName(((name[0] ?? 0) << 8) | (name[1] ?? 0), parentQualifiedName, name);
}
