/** Reads the sources of `ca import`: files, folders, cabinets and bundles of certificates. */
import { readdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileFailure } from '../../files/file-failure.ts';
import { readTrustFile } from '../../policy/trust-files.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { unmarked } from '../../x509/file/file-text.ts';
import { looksLikePem } from '../../x509/file/pem.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';
import { UsageError } from '../terminal/failure.ts';
import { readAuthorityBundle } from './authority-bundle.ts';
import { unpackCabinet } from './cabinet.ts';
import { CabinetError, looksLikeCabinet } from './cabinet-table.ts';

export interface ImportedCertificate {
  readonly certificate: Certificate;
  /** The file, and for a cabinet also the name inside it. */
  readonly source: string;
  /** The name of the manufacturer's folder, in the layout of Microsoft's collection. */
  readonly folder: string | undefined;
}

export interface UnreadSource {
  readonly source: string;
  readonly message: string;
}

export interface ReadSources {
  readonly certificates: readonly ImportedCertificate[];
  readonly unreadable: readonly UnreadSource[];
  /** The number of files in folders and cabinets that do not look like certificates, such as scripts and notes. */
  readonly otherFiles: number;
}

interface Candidate {
  readonly source: string;
  /** The path in the folder or cabinet. Undefined for a file that the user named. */
  readonly path: string | undefined;
  readonly bytes: Uint8Array;
}

const MAX_DEPTH = 8;
const MAX_FILES = 20_000;
const MAX_TOTAL_BYTES = 256 * 1024 * 1024;

/** Names of certificate files. An unreadable file with such a name is reported. */
const CERTIFICATE_NAME = /\.(cer|crt|der|p7b|p7c|pem)$/i;

/** `AMD/RootCA/x.crt`, the layout of Microsoft's collection. */
const MANUFACTURER_FOLDER = /(?:^|\/)([^/]+)\/(?:RootCA|IntermediateCA)\//i;

/**
 * Reads all sources. Unreadable items do not stop it.
 *
 * @throws UsageError if a path does not exist, or if there are too many files or bytes
 */
export async function readSources(paths: readonly string[]): Promise<ReadSources> {
  const certificates: ImportedCertificate[] = [];
  const unreadable: UnreadSource[] = [];
  let otherFiles = 0;
  let total = 0;
  const take = async (candidate: Candidate): Promise<void> => {
    const { source, path } = candidate;
    const bytes = unmarked(candidate.bytes);
    total += bytes.length;
    if (total > MAX_TOTAL_BYTES)
      throw new UsageError(`the sources have more than ${MAX_TOTAL_BYTES} bytes in all; import them in parts`);
    if (looksLikeCabinet(bytes)) {
      for (const { name, bytes: contents } of await unpackCabinet(bytes)) {
        const inside = { source: `${source}:${name}`, path: name, bytes: contents };
        if (looksLikeCabinet(contents)) unreadable.push({ source: inside.source, message: 'a cabinet in a cabinet' });
        else await take(inside);
      }
      return;
    }
    if (path !== undefined && !looksLikeCertificate(path, bytes)) {
      otherFiles++;
      return;
    }
    const folder = MANUFACTURER_FOLDER.exec(path ?? '')?.[1];
    const { anchors, problems } = readAuthorityBundle(source, bytes);
    certificates.push(...anchors.certificates.map((certificate) => ({ certificate, source, folder })));
    unreadable.push(...problems.map(({ name, message }) => ({ source: name, message })));
  };
  for (const { file, path } of paths.flatMap(filesOf)) {
    // Lets signals in between files.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      await take({ source: file, path, bytes: readTrustFile(file).bytes });
    } catch (cause) {
      if (cause instanceof UsageError) throw cause;
      const known = cause instanceof MalformedCertificateError || cause instanceof CabinetError;
      unreadable.push({ source: file, message: known ? cause.message : fileFailure(cause) });
    }
  }
  return { certificates, unreadable, otherFiles };
}

function looksLikeCertificate(path: string, bytes: Uint8Array): boolean {
  return CERTIFICATE_NAME.test(path) || bytes[0] === 0x30 || looksLikePem(bytes);
}

interface SourceFile {
  readonly file: string;
  readonly path: string | undefined;
}

function filesOf(source: string): readonly SourceFile[] {
  try {
    if (!statSync(source).isDirectory()) return [{ file: source, path: undefined }];
    const files: string[] = [];
    walk(source, 0, files);
    // The path includes the names of the folder and its parent: one of them may name the manufacturer.
    const root = resolve(source, '..', '..');
    return files.map((file) => ({ file, path: relative(root, resolve(file)) }));
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${resolve(source)} cannot be read: ${fileFailure(cause)}`, { cause });
  }
}

/** Ignores hidden files, and links to folders: a link may lead anywhere, even back. */
function walk(folder: string, depth: number, files: string[]): void {
  if (depth > MAX_DEPTH) throw new UsageError(`${resolve(folder)} is more than ${MAX_DEPTH} folders deep`);
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) walk(path, depth + 1, files);
    else if (entry.isFile() || (entry.isSymbolicLink() && isFile(path))) files.push(path);
    if (files.length > MAX_FILES) throw new UsageError(`more than ${MAX_FILES} files in ${resolve(folder)}`);
  }
}

/** A broken link counts as a file: reading it then reports the reason, and the other files are still read. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return true;
  }
}
