/** A TPM manufacturer for tests: makes root, intermediate and EK certificates, valid or with faults. */
import { Buffer } from 'node:buffer';
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type Certificate, parseCertificate } from '../../src/x509/certificate.ts';
import { type AnchorSet, anchorsOf } from '../../src/x509/file/trust-store.ts';
import { type CertificateRecipe, commonName, mintCertificate } from './certificate-recipe.ts';

export type KeyAlgorithm = 'p256' | 'p384' | 'p521' | 'rsa1024' | 'rsa2048' | 'rsa3072' | 'rsa4096';
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const keys = new Map<string, KeyPair>();

/** A key pair. Each algorithm and label gets one key pair per process. */
export function keyPair(algorithm: KeyAlgorithm, label: string): KeyPair {
  const name = `${algorithm} ${label}`;
  const known = keys.get(name);
  if (known !== undefined) return known;
  const made = algorithm.startsWith('rsa')
    ? generateKeyPairSync('rsa', { modulusLength: Number(algorithm.slice(3)) })
    : generateKeyPairSync('ec', { namedCurve: `P-${algorithm.slice(1)}` });
  keys.set(name, made);
  return made;
}

export interface Minted {
  readonly der: Uint8Array;
  readonly certificate: Certificate;
}

export const keyIdOf = (spki: Uint8Array): Uint8Array => new Uint8Array(createHash('sha1').update(spki).digest());
export const spkiOf = (key: KeyObject): Uint8Array => key.export({ format: 'der', type: 'spki' });

export const EK_USAGE = '2.23.133.8.1';

export interface EkChainRecipe {
  /** The algorithm of the CAs' keys, and of the EK unless `leaf.publicKey` is given. */
  readonly keyAlgorithm?: KeyAlgorithm;
  readonly root?: CertificateRecipe;
  readonly intermediate?: CertificateRecipe;
  readonly leaf?: CertificateRecipe;
}

export interface EkChain {
  readonly root: Minted;
  readonly intermediate: Minted;
  readonly leaf: Minted;
  readonly rootKey: KeyPair;
  readonly intermediateKey: KeyPair;
  /** The root alone. */
  readonly anchors: AnchorSet;
}

/** Makes root, intermediate and EK certificate. They are valid, except for what the recipes change. */
export function mintEkChain(recipe: EkChainRecipe = {}): EkChain {
  const algorithm = recipe.keyAlgorithm ?? 'p256';
  const rootKey = keyPair(algorithm, 'root');
  const intermediateKey = keyPair(algorithm, 'intermediate');
  const root = mintAuthority('Test TPM Root CA', rootKey, { issuer: 'Test TPM Root CA', key: rootKey }, recipe.root);
  const intermediate = mintAuthority(
    'Test TPM Intermediate CA',
    intermediateKey,
    { issuer: 'Test TPM Root CA', key: rootKey },
    recipe.intermediate,
  );
  const issuer = { issuer: 'Test TPM Intermediate CA', key: intermediateKey };
  const leaf = mintEkCertificate(issuer, { publicKey: spkiOf(keyPair(algorithm, 'ek').publicKey), ...recipe.leaf });
  return {
    root,
    intermediate,
    leaf,
    rootKey,
    intermediateKey,
    get anchors(): AnchorSet {
      return anchorsOf([root.certificate]);
    },
  };
}

export interface Issuer {
  readonly issuer: string;
  readonly key: KeyPair;
}

/** A CA certificate under the given common name. */
export function mintAuthority(
  subject: string,
  key: KeyPair,
  { issuer, key: signer }: Issuer,
  recipe: CertificateRecipe = {},
): Minted {
  return minted(
    mintCertificate({
      subject: commonName(subject),
      issuer: commonName(issuer),
      publicKey: spkiOf(key.publicKey),
      signer: signer.privateKey,
      basicConstraints: { ca: true },
      keyUsage: ['keyCertSign', 'cRLSign'],
      authorityKeyId: keyIdOf(spkiOf(signer.publicKey)),
      subjectKeyId: keyIdOf(spkiOf(key.publicKey)),
      ...recipe,
    }),
  );
}

/** An EK certificate like those of hardware TPMs: no subject, and the TCG attributes in a critical alternative name. */
export function mintEkCertificate(
  { issuer, key }: Issuer,
  recipe: CertificateRecipe & { publicKey: Uint8Array },
): Minted {
  const isRsa =
    createPublicKey({ key: Buffer.from(recipe.publicKey), format: 'der', type: 'spki' }).asymmetricKeyType === 'rsa';
  return minted(
    mintCertificate({
      subject: [],
      issuer: commonName(issuer),
      signer: key.privateKey,
      basicConstraints: { ca: false },
      keyUsage: [isRsa ? 'keyEncipherment' : 'keyAgreement'],
      extKeyUsage: [EK_USAGE],
      san: {},
      family: '2.0',
      authorityKeyId: keyIdOf(spkiOf(key.publicKey)),
      ...recipe,
    }),
  );
}

/** The certificate is parsed at first use: some tests make certificates that cannot be parsed. */
export function minted(der: Uint8Array): Minted {
  let certificate: Certificate | undefined;
  return {
    der,
    get certificate(): Certificate {
      certificate ??= parseCertificate(der);
      return certificate;
    },
  };
}

export function pem(...certificates: readonly Uint8Array[]): string {
  return certificates
    .map((der) => {
      const lines =
        Buffer.from(der)
          .toString('base64')
          .match(/.{1,64}/g) ?? [];
      return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
    })
    .join('');
}
