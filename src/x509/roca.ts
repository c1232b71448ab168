import { Buffer } from 'node:buffer';

/**
 * CVE-2017-15361: primes of the affected key generator are powers of 65537 modulo a product of small primes, and so is
 * the product of two of them. Of the odd primes up to 167 these are the ones for which that says something: to all
 * others every residue but zero is a power of 65537.
 */
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157] as const;

const GENERATOR = 65_537;

const PRODUCT: bigint = PRIMES.reduce((product, prime) => product * BigInt(prime), 1n);

/** For each prime, the residues that affected moduli have. */
const MARKED: readonly { readonly prime: bigint; readonly residues: ReadonlySet<bigint> }[] = PRIMES.map((prime) => ({
  prime: BigInt(prime),
  residues: powersModulo(prime),
}));

function powersModulo(prime: number): ReadonlySet<bigint> {
  const residues = new Set<bigint>();
  for (let power = 1; !residues.has(BigInt(power)); power = (power * GENERATOR) % prime) residues.add(BigInt(power));
  return residues;
}

/**
 * Whether an RSA modulus, big-endian, looks made by the key generator of CVE-2017-15361, whose keys can be factored.
 * Any size is asked about: affected keys of 512 to 4096 bits are known, and odd ones such as 2050. Of sound moduli one
 * in 240 million looks so as well.
 */
export function hasRocaFingerprint(modulus: Uint8Array): boolean {
  if (modulus.length === 0) return false;
  const hex = Buffer.from(modulus.buffer, modulus.byteOffset, modulus.byteLength).toString('hex');
  // One long division; what is left has 100 bits.
  const rest = BigInt(`0x${hex}`) % PRODUCT;
  return MARKED.every(({ prime, residues }) => residues.has(rest % prime));
}
