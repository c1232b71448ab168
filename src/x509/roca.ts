/**
 * Detects RSA keys with the weakness of CVE-2017-15361 (ROCA). Modulo a product of small primes, the primes of the
 * affected key generator are powers of 65537, and so is each modulus. Of the odd primes up to 167, only these
 * distinguish such moduli: modulo the others, every residue except zero is a power of 65537.
 */
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157] as const;

const GENERATOR = 65_537;

/** The largest modulus checked, in bytes. With a larger one, the sums might not be exact. */
const MAX_MODULUS_BYTES = 1024;

interface Group {
  readonly primes: readonly { readonly prime: number; readonly residues: ReadonlySet<number> }[];
  readonly product: number;
  /** 256 to the power of the index, modulo the product. */
  readonly powers: Float64Array;
}

/** Each product has less than 32 bits, so the sum of 1024 octets times a residue stays below 2^53. */
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
 * Whether an RSA modulus has the fingerprint of the key generator of CVE-2017-15361, whose keys can be factored. It
 * checks any size up to 8192 bits: affected keys have 512 to 4096 bits, and odd sizes such as 2050. One in 240 million
 * sound moduli has the fingerprint, too.
 *
 * @param modulus big-endian
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
