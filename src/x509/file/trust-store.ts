/** Reads CA certificates from files, and groups them as trust anchors. */
import { finished, type Pausable } from '../../bytes/pausable.ts';
import { type Certificate, parseCertificate } from '../certificate.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { type FileKind, kindSentence, strangerKind } from './file-kind.ts';
import { unmarked } from './file-text.ts';
import { looksLikePem, pemBlocks } from './pem.ts';

/** The trust anchors: CA certificates that the operator configured, roots or not. */
export interface AnchorSet {
  readonly certificates: readonly Certificate[];
  /** By canonical subject. One name may have any number of keys and certificates. */
  readonly bySubject: ReadonlyMap<string, readonly Certificate[]>;
}

/** The contents of a file: PEM or DER. */
export interface TrustStoreFile {
  /** Its name in problems. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A file, or one certificate or revocation list in it, that cannot be parsed. The other items are still used. */
export interface TrustStoreProblem {
  readonly name: string;
  readonly message: string;
  /** The kind of a file of the wrong kind, if it is recognized. The message names it, too. */
  readonly kind?: FileKind | undefined;
}

/** The CA certificates of several files, and the problems of the items that could not be parsed. */
export interface TrustStore {
  readonly anchors: AnchorSet;
  readonly problems: readonly TrustStoreProblem[];
}

/** The parsed items of a file, and the problems of the others. */
export interface FileContents<T> {
  readonly items: readonly T[];
  readonly problems: readonly TrustStoreProblem[];
}

/** Reads the configured CA certificates. Each file holds one DER certificate or any number of PEM blocks. */
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

/** Collects the anchors of all files. A certificate that is there twice counts once. */
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
 * Reads a file: one item in DER, or any number of PEM blocks with this label. An item that `read` refuses with a
 * MalformedCertificateError becomes a problem; the other items are still returned.
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
      // Only a file that cannot be parsed is examined for its kind.
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

/** Makes these certificates trust anchors. Each may end a path, root or not. */
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
