import type { Certificate, Oddity } from '../certificate.ts';

/** Of the oddities those that strict DER (X.690) or RFC 5280 forbid, and shipped certificates have all the same. */
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

/** What was tolerated in reading these certificates, by name, each once. */
export function tolerancesOf(certificates: readonly Certificate[]): readonly string[] {
  const found = certificates.flatMap(({ oddities }) => oddities.filter((oddity) => BREACHES.has(oddity)));
  return [...new Set(found)].sort();
}
