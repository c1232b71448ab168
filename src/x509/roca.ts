/**
 * CVE-2017-15361: primes of the affected key generator are powers of 65537 modulo a product of small primes, and so is
 * the product of two of them. Of the odd primes up to 167 these are the ones for which that says something: to all
 * others every residue but zero is a power of 65537.
 */
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157] as const;

const GENERATOR = 65_537;

/** Of the moduli that are read, in bytes: larger sums might not be exact. */
const MAX_MODULUS_BYTES = 1024;

interface Group {
  readonly primes: readonly { readonly prime: number; readonly residues: ReadonlySet<number> }[];
  readonly product: number;
  /** 256 to the power of each index, modulo the product. */
  readonly powers: Float64Array;
}

/** Products of less than 32 bits: 1024 of them, each times an octet, add up to less than 2^53. */
const GROUPS: readonly Group[] = [0, 1, 2, 3].map((group) => {
  const primes = PRIMES.filter((_, i) => i % 4 === group);
  const product = primes.reduce((all, prime) => all * prime, 1);
  const powers = new Float64Array(MAX_MODULUS_BYTES);
  for (let i = 0, power = 1; i < powers.length; i++, power = (power * 256) % product) powers[i] = power;
  return { primes: primes.map((prime) => ({ prime, residues: powersModulo(prime) })), product, powers };
});

function powersModulo(prime: number): ReadonlySet<number> {
  const residues = new Set<number>();
  for (let power = 1; !residues.has(power); power = (power * GENERATOR) % prime) residues.add(power);
  return residues;
}

/**
 * Whether an RSA modulus, big-endian, looks made by the key generator of CVE-2017-15361, whose keys can be factored.
 * Any size up to 8192 bits is asked about: affected keys of 512 to 4096 bits are known, and odd ones such as 2050. Of
 * sound moduli one in 240 million looks so as well.
 */
export function hasRocaFingerprint(modulus: Uint8Array): boolean {
  if (modulus.length === 0 || modulus.length > MAX_MODULUS_BYTES) return false;
  return GROUPS.every(({ primes, product, powers }) => {
    let sum = 0;
    for (let i = 0, at = modulus.length - 1; at >= 0; i++, at--) sum += (modulus[at] ?? 0) * (powers[i] ?? 0);
    const rest = sum % product;
    return primes.every(({ prime, residues }) => residues.has(rest % prime));
  });
}
