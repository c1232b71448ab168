import { finished, type Pausable } from '../../bytes/pausable.ts';
import { type Certificate, parseCertificate } from '../certificate.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { type FileKind, kindSentence, strangerKind } from './file-kind.ts';
import { unmarked } from './file-text.ts';
import { looksLikePem, pemBlocks } from './pem.ts';

/** Certificates that are trusted because somebody configured them, whether roots or not. */
export interface AnchorSet {
  readonly certificates: readonly Certificate[];
  /** By the canonical form of their subject: one name, any number of keys and certificates. */
  readonly bySubject: ReadonlyMap<string, readonly Certificate[]>;
}

/** A file that was read: PEM or DER. */
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

/** CA certificates read from files, and what could not be read. */
export interface TrustStore {
  readonly anchors: AnchorSet;
  readonly problems: readonly TrustStoreProblem[];
}

/** What of a file could be read, and what could not. */
export interface FileContents<T> {
  readonly items: readonly T[];
  readonly problems: readonly TrustStoreProblem[];
}

/** Reads configured CA certificates: each file one DER certificate or any number of PEM blocks. */
export function trustStoreFrom(files: readonly TrustStoreFile[]): TrustStore {
  const contents = files.map((file) => finished(certificatesIn(file)));
  return { anchors: finished(anchorsIn(contents)), problems: contents.flatMap(({ problems }) => problems) };
}

export function certificatesIn(file: TrustStoreFile): Pausable<FileContents<Certificate>> {
  return contentsOf(file, 'CERTIFICATE', function* read(der) {
    yield;
    return parseCertificate(der);
  });
}

/** The same certificate twice counts once. */
export function* anchorsIn(contents: readonly FileContents<Certificate>[]): Pausable<AnchorSet> {
  const certificates = new Map<string, Certificate>();
  for (const { items } of contents) {
    for (const certificate of items) {
      certificates.set(certificate.fingerprint, certificate);
      yield;
    }
  }
  return anchorsOf([...certificates.values()]);
}

/**
 * What a file holds: one item in DER, or any number of PEM blocks with this label. What cannot be read is a problem, and
 * so is what `read` refuses with a MalformedCertificateError; the rest is there all the same.
 */
export function* contentsOf<T>(
  { name, bytes: stored }: TrustStoreFile,
  label: 'CERTIFICATE' | 'X509 CRL',
  read: (der: Uint8Array) => Pausable<T>,
): Pausable<FileContents<T>> {
  const items: T[] = [];
  const problems: TrustStoreProblem[] = [];
  const wanted = label === 'CERTIFICATE' ? 'authority' : 'crl';
  const attempt = function* attempt(where: string, bytes: Uint8Array, work: () => Pausable<void>): Pausable<void> {
    try {
      yield* work();
    } catch (error) {
      if (!(error instanceof MalformedCertificateError)) throw error;
      // Only what cannot be read is looked at again, to say what it is.
      const kind = strangerKind(bytes, wanted);
      problems.push({ name: where, message: kind === undefined ? error.message : kindSentence(kind), kind });
    }
  };
  const adding = (der: Uint8Array) =>
    function* add(): Pausable<void> {
      items.push(yield* read(der));
    };
  const bytes = unmarked(stored);
  yield* attempt(name, bytes, function* all() {
    if (!looksLikePem(bytes)) return yield* adding(bytes)();
    for (const { der, line } of yield* pemBlocks(bytes, label)) yield* attempt(`${name}:${line}`, der, adding(der));
  });
  return { items, problems };
}

/** Trusts these certificates. Each ends a path, whether it is a root or not. */
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
