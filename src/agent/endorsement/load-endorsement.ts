/** Finds the machine's endorsement key and its certificates, and loads the key. Stores nothing in the TPM. */
import { equalBytes } from '../../bytes/bytes.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import type { KeyHandle } from '../../tpm/device/handles.ts';
import { encode } from '../../tpm/structures/codec.ts';
import { objectName } from '../../tpm/structures/name.ts';
import { tpmtPublic } from '../../tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplate, type EkTemplateName, ekTemplateOf } from '../../tpm/templates.ts';
import type { HierarchyPasswords } from '../passwords/hierarchy-passwords.ts';
import type { CertificateFile } from './ek-certificate-file.ts';
import { EndorsementKeys } from './endorsement-keys.ts';
import { type Found, findKey, keyOfFile, type SearchedTpm } from './endorsement-search.ts';
import { EndorsementError, EndorsementStorage } from './endorsement-storage.ts';
import { NvReader } from './nv-index.ts';
import { nvName, nvNoteText } from './nv-note.ts';

export { EndorsementError } from './endorsement-storage.ts';

/** The kind of key to use; `auto` allows every kind. */
export type KeyChoice = 'auto' | 'rsa' | 'ecc';

/** The endorsement key of this machine. */
export interface Endorsement {
  readonly template: EkTemplate;
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
  readonly nameAlg: number;
  readonly name: Uint8Array;
  /** DER, with the EK certificate first; empty when neither the TPM nor a file has one. */
  readonly certificates: readonly Uint8Array[];
  /** Where the EK certificate was found, for messages: an NV index, the chain in the TPM, or a file. */
  readonly certificateSource: string | undefined;
  /** TPM handle when the key is persistent; undefined when it was created from its template. */
  readonly persistentHandle: number | undefined;
  /** Remarks for the operator, one sentence each. */
  readonly notes: readonly string[];
}

export interface LoadedEndorsement {
  readonly endorsement: Endorsement;
  readonly object: KeyHandle;
}

/** The templates that an agent uses. The order is fixed, so that a machine keeps one identity. */
export const AGENT_EK_TEMPLATES: readonly EkTemplateName[] = ['L-1', 'H-1', 'L-2', 'H-2', 'H-3', 'H-4', 'H-6'];
/** Most certificates in one payload: the EK certificate and its chain. */
const MAX_CERTIFICATES = 10;

export interface EndorsementSearch {
  /** The templates to look for, in order; default: all that an agent uses. */
  readonly names?: readonly EkTemplateName[] | undefined;
  /** Decides the key, whatever certificates the TPM has. */
  readonly certificateFile?: CertificateFile | undefined;
}

/**
 * Loads the key of the certificate file. Without a file it takes the first key with a certificate in its NV index or in
 * the chain; otherwise the first key that the TPM can make.
 *
 * @throws EndorsementError when there is no key, or when ESYS sees another key than we do
 * @throws CertificateFileError when the certificate is not for a key of this TPM
 */
export async function loadEndorsement(
  run: TpmCommands,
  choice: KeyChoice,
  passwords: HierarchyPasswords,
  { names = AGENT_EK_TEMPLATES, certificateFile }: EndorsementSearch = {},
): Promise<LoadedEndorsement> {
  const templates = templatesOf(choice, names);
  const storage = new EndorsementStorage(run, new NvReader(run, passwords));
  const tpm = { storage, keys: new EndorsementKeys(run, passwords) };
  const found =
    certificateFile === undefined ? await findKey(tpm, templates) : await keyOfFile(tpm, templates, certificateFile);
  return { endorsement: await endorsementOf(run, tpm, found), object: found.key.object };
}

/** The templates that an agent looks for, by the configured choice, in its order. */
export function templatesOf(
  choice: KeyChoice,
  names: readonly EkTemplateName[] = AGENT_EK_TEMPLATES,
): readonly EkTemplate[] {
  return names
    .flatMap((name) => EK_TEMPLATES.filter((template) => template.name === name))
    .filter(({ algorithm }) => choice === 'auto' || algorithm === choice);
}

/** Collects what an agent sends about a key that was found. @throws EndorsementError as `loadEndorsement` */
export async function endorsementOf(
  run: TpmCommands,
  tpm: SearchedTpm,
  { template, key, certificates, source }: Found,
): Promise<Endorsement> {
  const { publicArea, persistentHandle } = key;
  await expectKey(run, key.object, objectName(publicArea));
  const chain = await tpm.storage.chain();
  const notes = tpm.storage.notes.map(nvNoteText);
  if (ekTemplateOf(publicArea) === undefined) {
    notes.push(`${nvName(template.templateNvIndex)} makes this endorsement key differ from every template of the TCG`);
  }
  const [own] = certificates;
  const above =
    own === undefined ? [] : chain.certificates.filter((der) => !certificates.some((c) => equalBytes(c, der)));
  return {
    template,
    publicArea: encode(tpmtPublic, publicArea),
    nameAlg: publicArea.nameAlg,
    name: objectName(publicArea),
    certificates: [...certificates, ...above].slice(0, MAX_CERTIFICATES),
    certificateSource: source,
    persistentHandle,
    notes,
  };
}

/**
 * Checks that ESYS has the key `name`, because ESYS salts sessions to the key that it knows. Otherwise an interposer on
 * the bus could answer us with one public area and ESYS with another, and decrypt the session.
 *
 * @throws EndorsementError
 */
export async function expectKey(run: TpmCommands, object: KeyHandle, name: Uint8Array): Promise<void> {
  if (equalBytes(await run.trGetName({ object }), name)) return;
  throw new EndorsementError(
    'the TPM shows two different endorsement keys: take the machine out, because its bus is tampered with or its chip is broken',
  );
}
