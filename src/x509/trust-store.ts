import { type Certificate, parseCertificate } from './certificate.ts';
import { type FileKind, kindSentence, strangerKind } from './file-kind.ts';
import { unmarked } from './file-text.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';
import { looksLikePem, readPem } from './pem.ts';

/** Certificates that are trusted because somebody configured them, whether roots or not. */
export interface AnchorSet {
  readonly certificates: readonly Certificate[];
  /** By the canonical form of their subject: one name, any number of keys and certificates. */
  readonly bySubject: ReadonlyMap<string, readonly Certificate[]>;
}

export interface TrustStoreFile {
  /** As it is to appear in problems. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A file, or one certificate or revocation list in it, that could not be read; the others are there. */
export interface TrustStoreProblem {
  readonly name: string;
  readonly message: string;
  /** What it is instead, where that can be told; the message says so, too. */
  readonly kind?: FileKind | undefined;
}

export interface TrustStore {
  readonly anchors: AnchorSet;
  readonly problems: readonly TrustStoreProblem[];
}

/** Reads configured CA certificates: each file one DER certificate or any number of PEM blocks. */
export function trustStoreFrom(files: readonly TrustStoreFile[]): TrustStore {
  const certificates = new Map<string, Certificate>();
  const problems = readFiles(files, 'CERTIFICATE', (der) => {
    const certificate = parseCertificate(der);
    certificates.set(certificate.fingerprint, certificate);
  });
  return { anchors: anchorsOf([...certificates.values()]), problems };
}

/**
 * Hands over what the files hold: each one in DER, or any number of PEM blocks with this label. What cannot be read is
 * a problem, and so is what `add` refuses with a MalformedCertificateError; the rest is handed over all the same.
 */
export function readFiles(
  files: readonly TrustStoreFile[],
  label: 'CERTIFICATE' | 'X509 CRL',
  add: (der: Uint8Array) => void,
): readonly TrustStoreProblem[] {
  const problems: TrustStoreProblem[] = [];
  const wanted = label === 'CERTIFICATE' ? 'authority' : 'crl';
  const attempt = (name: string, bytes: Uint8Array, action: () => void): void => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof MalformedCertificateError)) throw error;
      // Only what cannot be read is looked at again, to say what it is.
      const kind = strangerKind(bytes, wanted);
      problems.push({ name, message: kind === undefined ? error.message : kindSentence(kind), kind });
    }
  };
  for (const { name, bytes: stored } of files) {
    const bytes = unmarked(stored);
    attempt(name, bytes, () => {
      if (!looksLikePem(bytes)) return add(bytes);
      for (const { der, line } of readPem(bytes, label)) attempt(`${name}:${line}`, der, () => add(der));
    });
  }
  return problems;
}

export function anchorsOf(certificates: readonly Certificate[]): AnchorSet {
  return { certificates, bySubject: groupBySubject(certificates) };
}

export function groupBySubject(certificates: readonly Certificate[]): ReadonlyMap<string, readonly Certificate[]> {
  const groups = new Map<string, Certificate[]>();
  for (const certificate of certificates) {
    const group = groups.get(certificate.subject.canonical);
    if (group === undefined) groups.set(certificate.subject.canonical, [certificate]);
    else group.push(certificate);
  }
  return groups;
}
