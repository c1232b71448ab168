/** Reads the EK and CA certificates of the corpus, and the results that its manifests expect. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TrustStore, trustStoreFrom } from '../../src/x509/file/trust-store.ts';
import { corpusRows } from './corpus.ts';

const FOLDER: string = join(
  process.env['TPM_CORPUS_DIR'] ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url)),
  'ek-certificates',
);

export interface LeafRow {
  readonly file: string;
  readonly sha256: string;
  readonly certificateSha256: string;
  readonly signature: string;
  readonly role: 'ek' | 'aik' | 'devid';
  readonly tpm: { readonly tpmManufacturer: string; readonly tpmModel: string; readonly tpmVersion: string } | null;
  readonly keyUsage: readonly string[] | null;
  readonly extKeyUsage: readonly string[] | null;
  readonly tpmFamily: string | null;
  readonly issuer: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly spkiSha256: string;
  readonly oddities: readonly string[];
  readonly expected: {
    readonly isEk: boolean;
    /** For certificates of Google's private CA: whether they count as EK certificates if that profile is accepted. */
    readonly isEkUnderProfile?: boolean;
    readonly verifies: boolean;
    readonly chain: readonly string[] | null;
    readonly validTogether?: readonly [string, string] | null;
  };
}

export interface AuthorityRow {
  readonly file: string;
  readonly sha256: string;
  readonly role: 'root' | 'intermediate';
  readonly signature?: string;
  readonly issuer: string;
  readonly subject: string;
  readonly oddities: readonly string[];
  readonly pathLen?: number | null;
  readonly extKeyUsage?: readonly string[] | null;
  readonly expected: { readonly parse: 'ok' | null; readonly verifies: boolean };
}

export const leafRows: readonly LeafRow[] = corpusRows('ek-certificates/manifest.json', 'leaves');
export const authorityRows: readonly AuthorityRow[] = corpusRows('ek-certificates/ca/manifest.json', 'certificates');
export const oddAuthorityRows: readonly AuthorityRow[] = corpusRows('ek-certificates/ca/manifest.json', 'odd');

/** The path of a file or folder in a manifest. */
export const certificateFolder = (name: string): string => join(FOLDER, name);

/** The bytes of a file in a manifest. */
export const certificateFile = (file: string): Uint8Array => new Uint8Array(readFileSync(join(FOLDER, file)));

/** The names of the files in `ca` with CA certificates of a role, of one vendor or of all. */
export const authorityFiles = (role: AuthorityRow['role'], vendor = ''): readonly string[] =>
  readdirSync(join(FOLDER, 'ca')).filter((file) => file.startsWith(vendor) && file.endsWith(`-${role}s.pem`));

/** All CA certificates of a role, of one vendor or of all. */
export function authorities(role: AuthorityRow['role'], vendor = ''): TrustStore {
  const names = authorityFiles(role, vendor);
  return trustStoreFrom(names.map((name) => ({ name, bytes: certificateFile(`ca/${name}`) })));
}
