/**
 * The parts of pkijs and @peculiar/x509 that tests compare with this project. They are imported by a computed name,
 * without their type declarations, which need TypeScript's DOM library.
 */
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';

export interface PkiJs {
  readonly Certificate: { fromBER(bytes: ArrayBuffer): unknown };
  readonly CertificateChainValidationEngine: new (question: {
    readonly trustedCerts: readonly unknown[];
    readonly certs: readonly unknown[];
    readonly checkDate: Date;
  }) => { verify(): Promise<{ readonly result: boolean }> };
}

interface EncodedCertificate {
  readonly rawData: ArrayBuffer;
  readonly subject: string;
}

interface CertificateParameters {
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly signingAlgorithm: object;
  readonly extensions: readonly unknown[];
}

export interface PeculiarX509 {
  readonly X509CertificateGenerator: {
    createSelfSigned(
      parameters: CertificateParameters & { readonly name: string; readonly keys: webcrypto.CryptoKeyPair },
    ): Promise<EncodedCertificate>;
    create(
      parameters: CertificateParameters & {
        readonly subject: string;
        readonly issuer: string;
        readonly publicKey: webcrypto.CryptoKey;
        readonly signingKey: webcrypto.CryptoKey;
      },
    ): Promise<EncodedCertificate>;
  };
  readonly Extension: new (type: string, critical: boolean, value: Uint8Array) => unknown;
  readonly BasicConstraintsExtension: new (ca: boolean, pathLength: number, critical: boolean) => unknown;
  readonly KeyUsagesExtension: new (usages: number, critical: boolean) => unknown;
  readonly KeyUsageFlags: { readonly keyCertSign: number; readonly keyEncipherment: number };
  readonly ExtendedKeyUsageExtension: new (purposes: readonly string[]) => unknown;
  readonly SubjectKeyIdentifierExtension: { create(key: webcrypto.CryptoKey): Promise<unknown> };
  readonly AuthorityKeyIdentifierExtension: { create(key: webcrypto.CryptoKey): Promise<unknown> };
}

const load = (name: string): Promise<unknown> => import(/* @vite-ignore */ name);

export const pkijs: PkiJs = (await load('pkijs')) as PkiJs;
export const peculiar: PeculiarX509 = (await load('@peculiar/x509')) as PeculiarX509;
