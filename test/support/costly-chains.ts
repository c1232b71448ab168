/** The most expensive chains that an attacker is known to be able to send. Tests and the benchmark use all of them. */
import { MAX_CERTIFICATE_BYTES } from '../../src/x509/certificate.ts';
import type { CertificateRecipe, ExtensionRecipe, NameRecipe } from './certificate-recipe.ts';
import { integer, oid, sequence, set, tlv, utf8String } from './der-writer.ts';
import { type Issuer, type KeyAlgorithm, keyPair, mintAuthority, mintEkCertificate } from './pki.ts';

/** The most CAs that a payload can hold with the EK certificate. */
const MOST = 9;

export interface CostlyChain {
  readonly name: string;
  /** DER. The EK certificate comes first. */
  readonly certificates: readonly Uint8Array[];
}

/**
 * @param ek SubjectPublicKeyInfo of the EK
 * @param anchor a real anchor, with its key: the attacker knows its name and the CAs that it signed
 * @param algorithm the algorithm of the attacker's keys
 */
export function costlyChains(ek: Uint8Array, anchor: Issuer, algorithm: KeyAlgorithm = 'p521'): readonly CostlyChain[] {
  const signer = (name: string, label: string): Issuer => ({
    issuer: name,
    key: keyPair(algorithm, `costly ${label}`),
  });
  const leaf = (issuer: Issuer, recipe: CertificateRecipe = {}): Uint8Array =>
    mintEkCertificate(issuer, { publicKey: ek, ...ANONYMOUS, ...recipe }).der;
  const authority = (subject: string, label: string, issuer: Issuer, recipe: CertificateRecipe = {}): Uint8Array =>
    mintAuthority(subject, signer('', label).key, issuer, { ...ANONYMOUS, ...recipe }).der;
  const filled = (name: string, recipe: CertificateRecipe): CostlyChain => ({
    name,
    certificates: [
      leaf(signer('full', 'full'), recipe),
      ...many(MOST, (i) => authority('full', `full ${i}`, signer('full', 'full'), recipe)),
    ],
  });
  const above = (layer: number): Issuer => signer(layer === 4 ? anchor.issuer : `layer ${layer}`, `layer ${layer} 0`);
  return [
    {
      name: 'nine CAs of the sender in three layers under the name of an anchor',
      certificates: [
        leaf(above(1)),
        ...[1, 2, 3].flatMap((n) => many(3, (i) => authority(`layer ${n}`, `layer ${n} ${i}`, above(n + 1)))),
      ],
    },
    {
      name: 'nine CAs of the sender with the name of an anchor',
      certificates: [
        leaf(signer(anchor.issuer, 'crowd 0')),
        ...many(MOST, (i) => authority(anchor.issuer, `crowd ${i}`, signer(anchor.issuer, `crowd ${(i + 1) % MOST}`))),
      ],
    },
    {
      name: 'nine CAs of the sender in a row that ends at no anchor',
      certificates: [
        leaf(signer('row 0', 'row 0')),
        ...many(MOST, (i) => authority(`row ${i}`, `row ${i}`, signer(`row ${i + 1}`, `row ${i + 1}`))),
      ],
    },
    {
      name: 'four CAs of an anchor with one name, and five of the sender with it as well',
      certificates: [
        leaf(signer('real', 'fake 0')),
        ...many(4, (i) => authority('real', `real ${i}`, anchor)),
        ...many(5, (i) => authority('real', `fake ${i}`, signer('real', `fake ${(i + 1) % 5}`))),
      ],
    },
    filled('names that Unicode takes long to compare', {
      issuer: SLOW,
      san: null,
      extraExtensions: [alternativeNames(SLOW_NAME)],
    }),
    filled('names of as many attributes as fit', { issuer: [many(31, entry)], san: null }),
    filled('more key purposes than are read', { extKeyUsage: many(2500, (i) => `1.3.6.${i}`) }),
    filled('as many extensions as are read', { extraExtensions: many(23, unknownExtension) }),
    filled('thousands of alternative names', { san: null, extraExtensions: [alternativeNames(SHORT_NAME)] }),
    filled('thousands of directory attributes', { family: null, extraExtensions: [repeated('2.5.29.9', SHORT_NAME)] }),
    filled('thousands of addresses of an issuer', { extraExtensions: [repeated('1.3.6.1.5.5.7.1.1', ADDRESS)] }),
  ];
}

const ANONYMOUS = { authorityKeyId: null, subjectKeyId: null } as const;
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const entry = (i: number) => ({ type: '2.5.4.3', text: `\u00e9${i}` });
const unknownExtension = (i: number) => ({ oid: `1.3.6.1.4.1.99999.${i}`, critical: true, value: integer(i) });

/** Combining marks in the wrong order, which a comparison must sort, as many as a name may have. */
const SLOW_TEXT = `a${'\u0301'.repeat(15)}${'\u0316'.repeat(15)}`.repeat(15);
const SLOW: NameRecipe = ['2.5.4.3', '2.5.4.10'].map((type) => ({ type, text: SLOW_TEXT }));
const nameOf = (text: string): Uint8Array => sequence(set(sequence(oid('2.23.133.2.2'), utf8String(text))));
const SLOW_NAME = tlv(0xa4, nameOf(SLOW_TEXT));
const SHORT_NAME = tlv(0xa4, nameOf('é'));
const ADDRESS = sequence(oid('1.3.6.1.5.5.7.48.2'), tlv(0x86, utf8String('http://a')));

/** An extension that fills the largest certificate. */
function repeated(type: string, element: Uint8Array, room: number = MAX_CERTIFICATE_BYTES - 1500): ExtensionRecipe {
  return { oid: type, value: sequence(...many(Math.floor(room / element.length), () => element)) };
}

/** Leaves room for another long name. */
function alternativeNames(element: Uint8Array): ExtensionRecipe {
  return { ...repeated('2.5.29.17', element, MAX_CERTIFICATE_BYTES - 4500), critical: true };
}
