/** Finds the machine's endorsement key: which one, its certificate, and the key itself. Changes nothing in the TPM. */
import { equalBytes } from '../tpm/bytes.ts';
import type { TpmCommands } from '../tpm/commands.ts';
import { TpmError } from '../tpm/errors.ts';
import { ESYS_TR, type KeyHandle } from '../tpm/handles.ts';
import { publicKeyOf, samePublicKey } from '../tpm/public-key.ts';
import { decode, encode } from '../tpm/structures/codec.ts';
import { TPM_HT_FIRST, TPM_RH } from '../tpm/structures/constants.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import { handleName, objectName, qualifiedName } from '../tpm/structures/name.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplate, type EkTemplateName, ekTemplateOf, sameButUnique } from '../tpm/templates.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { creationTemplate, EndorsementError, nvName, readCertificate, readChain } from './endorsement-certificate.ts';
import type { HierarchyPasswords } from './hierarchy-passwords.ts';
import { handlesIn, NvReader } from './nv-index.ts';

export { EndorsementError } from './endorsement-certificate.ts';

export type KeyChoice = 'auto' | 'rsa' | 'ecc';

export interface Endorsement {
  readonly template: EkTemplate;
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
  readonly nameAlg: number;
  readonly name: Uint8Array;
  /** DER, the key's own first; empty when the TPM has none for it. */
  readonly certificates: readonly Uint8Array[];
  /** TPM handle when the key is persistent; undefined when it was created from its template. */
  readonly persistentHandle: number | undefined;
  /** What an operator should know, one sentence each. */
  readonly notes: readonly string[];
}

export interface LoadedEndorsement {
  readonly endorsement: Endorsement;
  readonly object: KeyHandle;
}

/** A machine has one identity, so the order is fixed. */
const ORDER: readonly EkTemplateName[] = ['L-1', 'H-1', 'L-2', 'H-2', 'H-3', 'H-4', 'H-6'];
const LAST_PERSISTENT = 0x81ffffff;
/** Certificates of one payload: the key's own and what the TPM has of its chain. */
const MAX_CERTIFICATES = 10;

/** How a TPM says that it does not implement what a template asks for. */
const UNSUPPORTED: readonly string[] = ['ASYMMETRIC', 'CURVE', 'HASH', 'KDF', 'KEY_SIZE', 'SCHEME', 'SYMMETRIC', 'TYPE']
  .concat('VALUE')
  .map((name) => `TPM_RC_${name}`);

/** True when the TPM cannot make such a key at all. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof TpmError && error.command === 'TPM2_CreatePrimary' && UNSUPPORTED.includes(error.name);
}

/**
 * The first key of the order that has a certificate, else the first that can be made.
 *
 * @param names the templates to look for, in order
 * @throws EndorsementError when there is none, or when ESYS and we do not see the same key
 */
export async function loadEndorsement(
  run: TpmCommands,
  choice: KeyChoice,
  passwords: HierarchyPasswords,
  names: readonly EkTemplateName[] = ORDER,
): Promise<LoadedEndorsement> {
  const templates = names
    .flatMap((name) => EK_TEMPLATES.filter((template) => template.name === name))
    .filter(({ algorithm }) => choice === 'auto' || algorithm === choice);
  const nv = new NvReader(run, passwords);
  for (const template of templates) {
    const certificate = await readCertificate(nv, template);
    if (certificate !== undefined) return load(run, nv, passwords, template, certificate);
  }
  let unsupported: unknown;
  for (const template of templates) {
    try {
      return await load(run, nv, passwords, template, undefined);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      unsupported = error;
    }
  }
  throw new EndorsementError(`the TPM can make none of the endorsement keys ${templates.map(({ name }) => name)}`, {
    cause: unsupported,
  });
}

async function load(
  run: TpmCommands,
  nv: NvReader,
  passwords: HierarchyPasswords,
  template: EkTemplate,
  certificate: Uint8Array | undefined,
): Promise<LoadedEndorsement> {
  const inPublic = await creationTemplate(nv, template);
  const isKey = certificate === undefined ? madeFrom(inPublic) : certifiedBy(certificate, inPublic);
  const persistent = (await persistentKeys(run)).find(isKey);
  const found = persistent ?? (await create(run, passwords, inPublic));
  const object = 'object' in found ? found.object : await run.keyFromTpm({ tpmHandle: found.tpmHandle });
  const { publicArea } = found;
  await expectKey(run, object, objectName(publicArea));

  const notes: string[] = [];
  if (ekTemplateOf(publicArea) === undefined) {
    notes.push(`${nvName(template.templateNvIndex)} makes this endorsement key differ from every template of the TCG`);
  }
  const certificates: Uint8Array[] = [];
  if (certificate !== undefined) {
    if (!hasKey(certificate, publicArea)) {
      notes.push(
        `the certificate in ${nvName(template.certificateNvIndex)} is not for the endorsement key of this TPM`,
      );
    }
    const chain = await readChain(run, nv);
    if (chain.problem !== undefined) notes.push(chain.problem);
    certificates.push(certificate, ...chain.certificates.slice(0, MAX_CERTIFICATES - 1));
  }
  const endorsement: Endorsement = {
    template,
    publicArea: encode(tpmtPublic, publicArea),
    nameAlg: publicArea.nameAlg,
    name: objectName(publicArea),
    certificates,
    persistentHandle: persistent?.tpmHandle,
    notes,
  };
  return { endorsement, object };
}

/**
 * Sessions are salted to the key that ESYS knows. An interposer on the bus that answers our own question for the public
 * area with one key and ESYS's with another would read what the session hides.
 *
 * @throws EndorsementError
 */
export async function expectKey(run: TpmCommands, object: KeyHandle, name: Uint8Array): Promise<void> {
  if (equalBytes(await run.trGetName({ object }), name)) return;
  throw new EndorsementError(
    'the TPM shows two different endorsement keys: the bus between it and us is tampered with',
  );
}

interface CreatedKey {
  readonly object: KeyHandle;
  readonly publicArea: TpmtPublic;
}

async function create(run: TpmCommands, passwords: HierarchyPasswords, inPublic: TpmtPublic): Promise<CreatedKey> {
  const { objectHandle, outPublic } = await passwords.authorize(run, 'endorsement', undefined, (session) =>
    run.createPrimary({
      primaryHandle: ESYS_TR.RH_ENDORSEMENT,
      sessions: [session],
      inPublic: encode(tpmtPublic, inPublic),
    }),
  );
  return { object: objectHandle, publicArea: decode(tpmtPublic, outPublic) };
}

interface PersistentKey {
  readonly tpmHandle: number;
  readonly publicArea: TpmtPublic;
  readonly qualifiedName: Uint8Array;
}

async function persistentKeys(run: TpmCommands): Promise<readonly PersistentKey[]> {
  const keys: PersistentKey[] = [];
  for (const tpmHandle of await handlesIn(run, TPM_HT_FIRST.PERSISTENT, LAST_PERSISTENT)) {
    const object = await run.keyFromTpm({ tpmHandle });
    try {
      const read = await run.readPublic({ objectHandle: object });
      keys.push({ tpmHandle, publicArea: decode(tpmtPublic, read.outPublic), qualifiedName: read.qualifiedName });
    } catch (error) {
      // An object of a kind not known here is not ours.
      if (!(error instanceof MalformedError)) throw error;
    } finally {
      await run.trClose({ object }).catch(() => {});
    }
  }
  return keys;
}

type Recognition = (key: PersistentKey) => boolean;

function certifiedBy(certificate: Uint8Array, template: TpmtPublic): Recognition {
  // Of a certificate that cannot be read nothing is known but where it lay.
  if (certifiedKey(certificate) === undefined) return madeFrom(template);
  return ({ publicArea }) => hasKey(certificate, publicArea);
}

function madeFrom(template: TpmtPublic): Recognition {
  return ({ publicArea, qualifiedName: qualified }) => {
    if (!sameButUnique(publicArea, template)) return false;
    return equalBytes(qualified, qualifiedName(handleName(TPM_RH.ENDORSEMENT), objectName(publicArea)));
  };
}

function hasKey(certificate: Uint8Array, publicArea: TpmtPublic): boolean {
  const certified = certifiedKey(certificate);
  const key = publicKeyOf(publicArea);
  return certified !== undefined && key !== undefined && samePublicKey(certified, key);
}

function certifiedKey(certificate: Uint8Array): ReturnType<typeof publicKeyOf> {
  try {
    return parseCertificate(certificate).publicKey;
  } catch (error) {
    // The judge says what is wrong with it.
    if (error instanceof MalformedCertificateError) return undefined;
    throw error;
  }
}
