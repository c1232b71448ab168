/** Makes chains of CAs with full names, like those of vendors, from the anchor down to the leaf. */
import type { CertificateRecipe, ExtensionRecipe, NameEntry, NameRecipe } from './certificate-recipe.ts';
import { oid, sequence } from './der-writer.ts';
import type { EkEvidence } from './ek-verdict.ts';
import { type KeyAlgorithm, type KeyPair, keyPair, mintAuthority, mintEkCertificate, spkiOf } from './pki.ts';

const TYPES: Readonly<Record<string, string>> = {
  C: '2.5.4.6',
  CN: '2.5.4.3',
  L: '2.5.4.7',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  ST: '2.5.4.8',
};

/** A distinguished name from attributes such as `CN=…`, in this order, one in each relative name. */
export const dn = (...attributes: readonly string[]): readonly NameEntry[] =>
  attributes.map((text) => {
    const [type = '', ...value] = text.split('=');
    return { type: TYPES[type] ?? type, text: value.join('=') };
  });

export interface Authority {
  readonly subject: NameRecipe;
  readonly key: KeyPair;
  /** The other fields of its certificate. */
  readonly recipe?: CertificateRecipe;
}

/** The DER of a CA certificate. Self-signed if no issuer is given. */
export const certified = (ca: Authority, by: Authority = ca): Uint8Array =>
  mintAuthority('', ca.key, { issuer: '', key: by.key }, { subject: ca.subject, issuer: by.subject, ...ca.recipe }).der;

/** The DER of an EK certificate. Its key is on P-256 unless the recipe has another. */
export const endorsed = (by: Authority, recipe: CertificateRecipe = {}, algorithm: KeyAlgorithm = 'p256'): Uint8Array =>
  mintEkCertificate(
    { issuer: '', key: by.key },
    { issuer: by.subject, publicKey: spkiOf(keyPair(algorithm, 'ek').publicKey), ...recipe },
  ).der;

/** A chain: each CA certifies the next, and the last one the leaf. The first CA is self-signed and is the anchor. */
export function chained(
  authorities: readonly Authority[],
  leaf: CertificateRecipe = {},
  algorithm?: KeyAlgorithm,
): EkEvidence {
  const [anchor = new Uint8Array(), ...intermediates] = authorities.map((ca, i) => certified(ca, authorities[i - 1]));
  const last = authorities.at(-1);
  if (last === undefined) throw new RangeError('a chain without a CA');
  return { leaf: endorsed(last, leaf, algorithm), intermediates, anchors: [anchor] };
}

/** Certificate policies, which have no effect without policy constraints (RFC 5280 §4.2.1.4). */
export const policies = (critical: boolean): ExtensionRecipe => ({
  oid: '2.5.29.32',
  critical,
  value: sequence(sequence(oid('1.2.840.113741.1.5.2.1'))),
});
