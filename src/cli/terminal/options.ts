/** Options that several commands share, and the parsers of their values. */
import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { readCertificateFile } from '../../agent/endorsement/ek-certificate-file.ts';
import type { EndorsementSearch, KeyChoice } from '../../agent/endorsement/load-endorsement.ts';
import { HierarchyPasswords, type PasswordFiles } from '../../agent/passwords/hierarchy-passwords.ts';
import { fromHex } from '../../bytes/bytes.ts';
import { fileFailure } from '../../files/file-failure.ts';
import { type PcrRequirement, parsePcrs } from '../../verifier/policy.ts';

/** The size of TPM2B_DATA in tpm2-tss. */
const MAX_NONCE_BYTES = 64;

export interface JsonOptions {
  readonly json?: true;
}

export interface EkOptions extends TpmOptions {
  readonly ek: KeyChoice;
  readonly ekCertificate?: string;
}

export interface TpmOptions {
  readonly tcti?: string;
  readonly endorsementAuthFile?: string;
  readonly ownerAuthFile?: string;
}

export function jsonOption(): Option {
  return new Option('--json', 'print one JSON document on standard output');
}

export function tpmOptions(): readonly Option[] {
  return [
    new Option('--tcti <conf>', 'TPM as a TCTI string of tpm2-tss (default: device:/dev/tpmrm0, then device:/dev/tpm0)')
      .env('TPM_ATTESTOR_TCTI')
      .argParser(nonEmpty),
    new Option('--endorsement-auth-file <file>', 'file with the password of the endorsement hierarchy').argParser(
      readable,
    ),
    new Option('--owner-auth-file <file>', 'file with the password of the owner hierarchy').argParser(readable),
  ];
}

/** The options that choose the EK, as the agent chooses it. */
export function ekOptions(): readonly Option[] {
  return [
    new Option('--ek <kind>', 'kind of the endorsement key').choices(['auto', 'rsa', 'ecc']).default('auto'),
    new Option('--ek-certificate <file>', 'file with the certificate of the key, if the TPM has none').argParser(
      readable,
    ),
  ];
}

/** @throws CertificateFileError */
export async function searchOf({ ekCertificate: path }: EkOptions): Promise<EndorsementSearch> {
  return path === undefined ? {} : { certificateFile: await readCertificateFile(path) };
}

export function passwordsOf(options: TpmOptions): HierarchyPasswords {
  return new HierarchyPasswords(passwordFilesOf(options));
}

export function passwordFilesOf({ endorsementAuthFile, ownerAuthFile }: TpmOptions): PasswordFiles {
  return { endorsement: endorsementAuthFile, owner: ownerAuthFile };
}

export function nonceOption(description: string): Option {
  return new Option('--nonce <hex>', description).argParser((text) => {
    const nonce = fromHex(text);
    if (nonce === undefined) throw new InvalidArgumentError('Give hexadecimal digits, two for each byte.');
    if (nonce.length === 0 || nonce.length > MAX_NONCE_BYTES)
      throw new InvalidArgumentError(`Give 1 to ${MAX_NONCE_BYTES} bytes; this has ${nonce.length}.`);
    return nonce;
  });
}

export function pcrsOption(description: string): Option {
  return new Option('--pcrs <bank:list>', description).argParser((text): PcrRequirement => {
    const pcrs = parsePcrs(text);
    if (typeof pcrs === 'string') throw new InvalidArgumentError(`${capitalized(pcrs)}.`);
    return pcrs;
  });
}

export function akOption(): Option {
  return new Option('--ak <kind>', 'kind of the attestation key').choices(['ecc', 'rsa']).default('ecc');
}

export function atOption(): Option {
  return new Option('--at <time>', 'judge as of this time, RFC 3339: 2027-01-31T00:00:00Z (default: now)').argParser(
    (text): Date => {
      const [, day] = /^\d{4}-\d{2}-(\d{2})T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/i.exec(text) ?? [];
      const time = new Date(text);
      // JavaScript turns February 30 into March 2.
      const exists = new Date(`${text.slice(0, 10)}T00:00:00Z`).getUTCDate() === Number(day);
      if (day === undefined || !exists || Number.isNaN(time.getTime()))
        throw new InvalidArgumentError('Give a time such as 2027-01-31T00:00:00Z.');
      return time;
    },
  );
}

export function positiveInteger(text: string): number {
  const value = /^[1-9]\d{0,6}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new InvalidArgumentError('Give a whole number above zero.');
  return value;
}

/** Refuses an empty argument: it usually comes from a variable that was not set. */
export function nonEmpty(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must not be empty.');
  return text;
}

/** Checks now that the file is readable, so that a mistyped name fails early. The file itself is read later. */
function readable(path: string): string {
  try {
    accessSync(path, constants.R_OK);
  } catch (cause) {
    throw new InvalidArgumentError(`${resolve(path)} cannot be read: ${fileFailure(cause)}.`);
  }
  return path;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
