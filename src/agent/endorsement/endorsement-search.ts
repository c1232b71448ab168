/**
 * Selects the machine's endorsement key: by a certificate file, by the certificates in the TPM, by the order of
 * templates.
 */
import type { KeyObject } from 'node:crypto';
import { keyAlgorithmName, publicAreaOf, publicKeyHash, publicKeyOf, samePublicKey } from '../../tpm/public-key.ts';
import type { TpmtPublic } from '../../tpm/structures/public.ts';
import { type EkTemplate, sameButUnique } from '../../tpm/templates.ts';
import { type Certificate, parseCertificate } from '../../x509/certificate.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';
import { type CertificateFile, CertificateFileError } from './ek-certificate-file.ts';
import { CHAIN_NAME } from './endorsement-chain.ts';
import { type EndorsementKeys, type FoundKey, isUnsupported, madeFrom } from './endorsement-keys.ts';
import { EndorsementError, type EndorsementStorage } from './endorsement-storage.ts';
import { nvName } from './nv-note.ts';

const KEY_TYPES = { rsa: 'rsa', ecc: 'ec' } as const;

export interface SearchedTpm {
  readonly storage: EndorsementStorage;
  readonly keys: EndorsementKeys;
}

export interface Found {
  readonly template: EkTemplate;
  readonly key: FoundKey;
  /** The certificate of the key comes first; empty when there is none. */
  readonly certificates: readonly Uint8Array[];
  readonly source: string | undefined;
}

/**
 * The first key of the templates with a certificate in its NV index or in the chain; otherwise the first key that the
 * TPM can make. An unusable index counts as absent. It stays unusable, so the machine keeps its identity.
 *
 * @throws EndorsementError
 */
export async function findKey(tpm: SearchedTpm, templates: readonly EkTemplate[]): Promise<Found> {
  for (const template of templates) {
    const found = await certifiedKey(tpm, template);
    if (found !== undefined) return found;
  }
  let unsupported: unknown;
  for (const template of templates) {
    try {
      const inPublic = await tpm.storage.creationTemplate(template);
      const key = (await tpm.keys.persistent(madeFrom(inPublic))) ?? (await tpm.keys.make(inPublic));
      return { template, key, certificates: [], source: undefined };
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      unsupported = error;
    }
  }
  throw noneCanBeMade(templates, unsupported);
}

/**
 * The key of a template, if the TPM has a certificate for it in its index or in the chain. An index that only the owner
 * may read counts as a certificate. So a machine has the same identity with and without the owner password.
 *
 * @throws EndorsementError
 */
export async function certifiedKey(tpm: SearchedTpm, template: EkTemplate): Promise<Found | undefined> {
  const index = await tpm.storage.certificate(template);
  const found =
    (index.state === 'certificate' ? await keyOfIndex(tpm, template, index.der) : undefined) ??
    (await keyOfChain(tpm, template));
  return found ?? (index.state === 'withheld' ? await keyWithout(tpm, template) : undefined);
}

function noneCanBeMade(templates: readonly EkTemplate[], cause?: unknown): EndorsementError {
  return new EndorsementError(`the TPM can make no endorsement key of the templates ${namesOf(templates)}`, { cause });
}

function namesOf(templates: readonly EkTemplate[]): string {
  return templates.map(({ name }) => name).join(', ');
}

async function keyOfIndex(tpm: SearchedTpm, template: EkTemplate, der: Uint8Array): Promise<Found | undefined> {
  const { certificateNvIndex: index, name } = template;
  const { publicKey } = parseCertificate(der);
  const isCertified = (publicArea: TpmtPublic): boolean => publicKey !== undefined && isKeyOf(publicArea, publicKey);
  const inPublic = await tpm.storage.creationTemplate(template);
  const canFit = publicKey !== undefined && publicAreaOf(publicKey, inPublic) !== undefined;
  const key =
    (await tpm.keys.persistent(({ publicArea }) => isCertified(publicArea))) ??
    (canFit ? await madeKey(tpm, inPublic, isCertified) : undefined);
  if (key !== undefined) return { template, key, certificates: [der], source: nvName(index) };
  const certifiedHash = publicKey === undefined ? undefined : publicKeyHash(publicKey);
  const certified = certifiedHash === undefined ? 'a key of another kind' : `the key with pub_hash ${certifiedHash}`;
  tpm.storage.note({
    index,
    code: 'other_key',
    message: `holds a certificate for ${certified}, which is not the key ${name} of this TPM, and is ignored`,
    remedy:
      'Undefine the index, or add the pub_hash to hash_path. The certificate is from before a change of the endorsement seed, or copied from another machine.',
    ...(certifiedHash === undefined ? {} : { certifiedHash }),
  });
  return undefined;
}

async function keyWithout(tpm: SearchedTpm, template: EkTemplate): Promise<Found | undefined> {
  const inPublic = await tpm.storage.creationTemplate(template);
  const key = (await tpm.keys.persistent(madeFrom(inPublic))) ?? (await madeKey(tpm, inPublic, () => true));
  return key === undefined ? undefined : { template, key, certificates: [], source: undefined };
}

/** On-die CAs store the EK certificate in the chain when its own index has no room. */
async function keyOfChain(tpm: SearchedTpm, template: EkTemplate): Promise<Found | undefined> {
  const leaves = (await tpm.storage.chain()).certificates.flatMap((der) => {
    const publicKey = leafKey(der);
    return publicKey?.asymmetricKeyType === KEY_TYPES[template.algorithm] ? [{ der, publicKey }] : [];
  });
  if (leaves.length === 0) return undefined;
  const inPublic = await tpm.storage.creationTemplate(template);
  const fitting = leaves.filter(({ publicKey }) => publicAreaOf(publicKey, inPublic) !== undefined);
  // Making a key to compare is slow, so do it only when a certificate fits the template.
  if (fitting.length === 0) return undefined;
  const isCertified = (publicArea: TpmtPublic): boolean =>
    fitting.some(({ publicKey }) => isKeyOf(publicArea, publicKey));
  const key = (await keptKey(tpm, inPublic, isCertified)) ?? (await madeKey(tpm, inPublic, isCertified));
  if (key === undefined) return undefined;
  const own = fitting.find(({ publicKey }) => isKeyOf(key.publicArea, publicKey));
  return { template, key, certificates: own === undefined ? [] : [own.der], source: CHAIN_NAME };
}

/** @throws CertificateFileError when no key matches the file: another key would be another machine */
export async function keyOfFile(
  tpm: SearchedTpm,
  templates: readonly EkTemplate[],
  file: CertificateFile,
): Promise<Found> {
  const { path, publicKey, certificates } = file;
  const candidates: { readonly template: EkTemplate; readonly inPublic: TpmtPublic }[] = [];
  for (const template of templates) {
    if (publicKey.asymmetricKeyType !== KEY_TYPES[template.algorithm]) continue;
    const inPublic = await tpm.storage.creationTemplate(template);
    if (publicAreaOf(publicKey, inPublic) !== undefined) candidates.push({ template, inPublic });
  }
  const subject = `the certificate in ${path} is for the key with pub_hash ${publicKeyHash(publicKey)}`;
  if (candidates.length === 0)
    throw new CertificateFileError(
      `${subject}, but the endorsement keys of the templates ${namesOf(templates)} are of another kind`,
    );
  const others = new Set<string>();
  // Persistent keys come first, because comparing them is quick.
  for (const find of [keptKey, madeKey]) {
    for (const { template, inPublic } of candidates) {
      const key = await find(tpm, inPublic, (publicArea) => {
        if (isKeyOf(publicArea, publicKey)) return true;
        others.add(`${template.name} ${hashOf(publicArea)}`);
        return false;
      });
      if (key !== undefined) return { template, key, certificates, source: path };
    }
  }
  if (others.size === 0) throw noneCanBeMade(candidates.map(({ template }) => template));
  throw new CertificateFileError(`${subject}, but this TPM has other endorsement keys: ${[...others].join(', ')}`);
}

type Acceptance = (publicArea: TpmtPublic) => boolean;

async function keptKey({ keys }: SearchedTpm, inPublic: TpmtPublic, accept: Acceptance): Promise<FoundKey | undefined> {
  return keys.persistent(({ publicArea }) => sameButUnique(publicArea, inPublic) && accept(publicArea));
}

/** Undefined when the TPM cannot make the key, or `accept` refuses it. A refused key leaves its slot. */
async function madeKey({ keys }: SearchedTpm, inPublic: TpmtPublic, accept: Acceptance): Promise<FoundKey | undefined> {
  const key = await keys.make(inPublic).catch((error) => {
    if (!isUnsupported(error)) throw error;
    return undefined;
  });
  if (key === undefined || accept(key.publicArea)) return key;
  await keys.putAside(inPublic, key);
  return undefined;
}

function isKeyOf(publicArea: TpmtPublic, publicKey: KeyObject): boolean {
  const key = publicKeyOf(publicArea);
  return key !== undefined && samePublicKey(key, publicKey);
}

/** The key of a certificate; undefined for a CA certificate, because CAs have keys of the same kinds. */
function leafKey(certificate: Uint8Array): KeyObject | undefined {
  const { basicConstraints, publicKey } = read(certificate) ?? {};
  return basicConstraints?.ca === true ? undefined : publicKey;
}

function hashOf(publicArea: TpmtPublic): string {
  const key = publicKeyOf(publicArea);
  return key === undefined ? keyAlgorithmName(publicArea) : publicKeyHash(key);
}

function read(certificate: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(certificate);
  } catch (error) {
    // The verifier reports what is wrong with the certificate.
    if (error instanceof MalformedCertificateError) return undefined;
    throw error;
  }
}
