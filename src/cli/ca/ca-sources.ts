/** What `ca import` reads: files, folders, cabinets and bundles, down to the single certificate. */
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
  /** File, and the name inside a cabinet. */
  readonly source: string;
  /** The folder of a manufacturer that it lay in, in the layout of Microsoft's collection. */
  readonly folder: string | undefined;
}

export interface UnreadSource {
  readonly source: string;
  readonly message: string;
}

export interface ReadSources {
  readonly certificates: readonly ImportedCertificate[];
  readonly unreadable: readonly UnreadSource[];
  /** Files in folders and cabinets that do not look like certificates: scripts, notes. */
  readonly otherFiles: number;
}

interface Candidate {
  readonly source: string;
  /** Path below the folder or in the cabinet; undefined for a file that was named itself. */
  readonly path: string | undefined;
  readonly bytes: Uint8Array;
}

const MAX_DEPTH = 8;
const MAX_FILES = 20_000;
const MAX_TOTAL_BYTES = 256 * 1024 * 1024;

/** Names by which a file in a folder claims to be a certificate, so that an unreadable one is heard of. */
const CERTIFICATE_NAME = /\.(cer|crt|der|p7b|p7c|pem)$/i;

/** `AMD/RootCA/x.crt`, as Microsoft's collection has it. */
const MANUFACTURER_FOLDER = /(?:^|\/)([^/]+)\/(?:RootCA|IntermediateCA)\//i;

/**
 * Reads all of them, whatever is wrong with some.
 *
 * @throws UsageError for a path that is not there, and for more files than anybody's collection has
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
    // A signal is not kept waiting for a whole collection.
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
    // With the folder's own name, which may be the manufacturer's.
    const root = resolve(source, '..', '..');
    return files.map((file) => ({ file, path: relative(root, resolve(file)) }));
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${resolve(source)} cannot be read: ${fileFailure(cause)}`, { cause });
  }
}

/** Hidden files and links to folders are left out: the latter lead anywhere, also back. */
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

/** A link that cannot be followed counts as one: its reader says why, and the other files are read. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return true;
  }
}
