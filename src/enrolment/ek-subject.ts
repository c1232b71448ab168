/** An endorsement key that `ek doctor` examines, from a TPM or from a file. */

import type { EndorsementInventory, InventoriedKey } from '../agent/endorsement/endorsement-inventory.ts';
import type { KeyChoice } from '../agent/endorsement/load-endorsement.ts';
import { nvName } from '../agent/endorsement/nv-note.ts';
import { certificateAddresses } from '../tpm/certificate-services.ts';
import { keyAlgorithmName, publicAreaOf, publicKeyHash, publicKeyOf } from '../tpm/public-key.ts';
import { decode } from '../tpm/structures/codec.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplateName, ekTemplateOf } from '../tpm/templates.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { IntakeOddity } from '../x509/intake.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import type { EkFile } from './ek-file.ts';
import { type DoctorFinding, remarkOf, remarkOfError } from './ek-remarks.ts';
import { handleText } from './endorsement-report.ts';
import { certificateIndexRemarks } from './nv-remarks.ts';

export interface EkSubject {
  /** The template of a key in a TPM, or the file of a saved key. */
  readonly id: string;
  readonly file: string | null;
  /** For a saved key, the first template of the TCG that it fits; null when it fits none. */
  readonly template: EkTemplateName | null;
  /** What an agent would send. Undefined when the key fits no template, or the TPM's key is unknown. */
  readonly publicArea: TpmtPublic | undefined;
  readonly algorithm: string | null;
  readonly pubHash: string | null;
  readonly persistentHandle: string | null;
  /** DER, the key's own first. */
  readonly certificates: readonly Uint8Array[];
  readonly certificateSource: string | null;
  /** Deviations around the certificate, such as a header or padding. */
  readonly intake: readonly IntakeOddity[];
  /** True when the agent takes this key by the given option `ek`; always true for a saved key. */
  readonly taken: boolean;
  /** The values of `ek` that select the key. */
  readonly takenBy: readonly KeyChoice[];
  /** Addresses at which the manufacturer may publish its certificate. */
  readonly addresses: readonly string[];
  readonly remarks: readonly DoctorFinding[];
}

/** @param manufacturerId of the TPM, eight hexadecimal digits */
export function subjectsOfTpm(
  inventory: EndorsementInventory,
  choice: KeyChoice,
  manufacturerId: string,
): readonly EkSubject[] {
  return inventory.keys.map((key) => subjectOfTpm(key, inventory, choice, manufacturerId));
}

function subjectOfTpm(
  { template, index, endorsement, error, takenBy }: InventoriedKey,
  { chain, refused }: EndorsementInventory,
  choice: KeyChoice,
  manufacturerId: string,
): EkSubject {
  const { name, certificateNvIndex } = template;
  const stored = index?.state === 'certificate' ? index : undefined;
  const publicArea =
    endorsement === undefined ? certifiedArea(stored?.der, template.publicArea) : sentArea(endorsement.publicArea);
  const certificates =
    endorsement?.certificates ?? (stored === undefined ? [] : [stored.der, ...(chain?.certificates ?? [])]);
  const ofIndex =
    certificates[0] !== undefined && stored !== undefined && Buffer.compare(certificates[0], stored.der) === 0;
  const source = endorsement?.certificateSource ?? (stored === undefined ? null : nvName(certificateNvIndex));
  const remarks = [
    ...(error === undefined ? [] : [remarkOfError(error, 'tpm.key', name, refused)]),
    ...certificateIndexRemarks(template, index),
  ];
  return {
    ...{ id: name, file: null, template: name, publicArea, ...namesOf(publicArea) },
    persistentHandle: endorsement?.persistentHandle === undefined ? null : handleText(endorsement.persistentHandle),
    ...{ certificates, certificateSource: source, intake: ofIndex ? (stored?.oddities ?? []) : [] },
    ...{ taken: takenBy.includes(choice), takenBy, remarks },
    addresses: certificates.length === 0 ? addressesOf(publicArea, manufacturerId) : [],
  };
}

export function subjectOfFile(path: string, file: EkFile): EkSubject {
  const { publicKey, certificate, intermediates, spkiHash, key, oddities } = file;
  const fitting = EK_TEMPLATES.map((template) => publicAreaOf(publicKey, template.publicArea)).find(Boolean);
  const publicArea = file.publicArea ?? fitting;
  return {
    ...{ id: path, file: path, publicArea, pubHash: spkiHash },
    template: (publicArea === undefined ? undefined : ekTemplateOf(publicArea))?.name ?? null,
    algorithm: publicArea === undefined ? `${key.algorithm}-${key.bits}` : keyAlgorithmName(publicArea),
    persistentHandle: null,
    certificates: certificate === undefined ? [] : [certificate, ...intermediates],
    certificateSource: certificate === undefined ? null : path,
    intake: oddities.filter(isOfIntake),
    ...{ taken: true, takenBy: [] },
    addresses: certificate === undefined ? certificateAddresses(publicKey).map(({ url }) => url) : [],
    remarks: oddities
      .filter(isOfIntake)
      .map((oddity) =>
        remarkOf(
          oddity === 'TCG-header' ? 'nv.tcg_header' : 'nv.padding',
          `${path} has around its certificate: ${oddity}`,
          path,
        ),
      ),
  };
}

function isOfIntake(oddity: string): oddity is IntakeOddity {
  return oddity === 'TCG-header' || /^\d+-trailing-bytes-/.test(oddity);
}

function sentArea(bytes: Uint8Array): TpmtPublic {
  return decode(tpmtPublic, bytes);
}

/** The public area by the key in a certificate, for use when the TPM did not give its own. */
function certifiedArea(der: Uint8Array | undefined, template: TpmtPublic): TpmtPublic | undefined {
  const publicKey = der === undefined ? undefined : read(der)?.publicKey;
  return publicKey === undefined ? undefined : publicAreaOf(publicKey, template);
}

function namesOf(publicArea: TpmtPublic | undefined): Pick<EkSubject, 'algorithm' | 'pubHash'> {
  const key = publicArea === undefined ? undefined : publicKeyOf(publicArea);
  return {
    algorithm: publicArea === undefined ? null : keyAlgorithmName(publicArea),
    pubHash: key === undefined ? null : publicKeyHash(key),
  };
}

function addressesOf(publicArea: TpmtPublic | undefined, manufacturerId: string): readonly string[] {
  const key = publicArea === undefined ? undefined : publicKeyOf(publicArea);
  return key === undefined ? [] : certificateAddresses(key, manufacturerId).map(({ url }) => url);
}

function read(der: Uint8Array): ReturnType<typeof parseCertificate> | undefined {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (error instanceof MalformedCertificateError) return undefined;
    throw error;
  }
}
