import type { Certificate, Oddity } from '../certificate.ts';

/** The oddities that strict DER (X.690) or RFC 5280 forbid, and that shipped certificates have nevertheless. */
const BREACHES: ReadonlySet<Oddity> = new Set([
  'serial-nonminimal',
  'serial-negative',
  'serial-zero',
  'RDN-SET-not-sorted',
  'critical-FALSE-encoded',
  'cA-FALSE-encoded',
  'keyUsage-trailing-zero-bits',
  'rsa-signature-parameters-absent',
  'ecdsa-signature-parameters-present',
  'GeneralizedTime-before-2050',
]);

/** The names of the breaches that the parser tolerated in these certificates, each once. */
export function tolerancesOf(certificates: readonly Certificate[]): readonly string[] {
  const found = certificates.flatMap(({ oddities }) => oddities.filter((oddity) => BREACHES.has(oddity)));
  return [...new Set(found)].sort();
}
