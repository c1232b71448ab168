/**
 * Extracts endorsement keys from the answers of cloud services and management tools, in JSON or YAML. It verifies
 * nothing.
 */
import { Buffer } from 'node:buffer';
import { base64Octets } from './pem.ts';
import { readPlainYaml } from './plain-yaml.ts';

export type Service = 'intel' | 'aws' | 'azure' | 'google' | 'vsphere' | 'windows';

export interface ServiceAnswer {
  readonly service: Service;
  /** Certificates, each PEM or DER. A machine with several keys has several. */
  readonly certificates: readonly Uint8Array[];
  /** Public keys in PEM, DER or as a TPM's public area. They are the key of the first certificate. */
  readonly keys: readonly Uint8Array[];
  /** Whether the answer has another key of this machine. It is ignored. */
  readonly hasFurtherKey: boolean;
}

interface AnswerForm {
  readonly service: Service;
  /** Paths to the object with the members. The first path that has some counts. */
  readonly places: readonly (readonly string[])[];
  readonly certificates?: readonly string[];
  /** The first of these members that is present counts. */
  readonly keys?: readonly string[];
  /** The form matches only if a key is present: another service uses the same name for its certificate. */
  readonly needsKey?: true;
}

/** Names of members as the services document them. */
const FORMS: readonly AnswerForm[] = [
  // compute.instances.getShieldedInstanceIdentity. Its signingKey is the attestation key, so it is not read.
  {
    service: 'google',
    places: [['encryptionKey'], ['eccP256EncryptionKey']],
    certificates: ['ekCert'],
    keys: ['ekPub'],
  },
  // vim.vm.device.VirtualTPM: the certificates of all its keys, in no particular order.
  { service: 'vsphere', places: [[]], certificates: ['endorsementKeyCertificate'] },
  // vcenter.trusted_infrastructure…tpm.EndorsementKeys.
  {
    service: 'vsphere',
    places: [[]],
    certificates: ['certificate'],
    keys: ['public_area', 'public_key'],
    needsKey: true,
  },
  // ekop.intel.com.
  { service: 'intel', places: [[]], certificates: ['certificate'] },
  // ec2:GetInstanceTpmEkPub. The command line tool writes KeyValue, the API keyValue.
  { service: 'aws', places: [[]], keys: ['KeyValue', 'keyValue'] },
  // Enrolments and attestation mechanisms of the Device Provisioning Service.
  {
    service: 'azure',
    places: [['attestation', 'tpm'], ['attestationMechanism', 'tpm'], ['tpm'], []],
    keys: ['endorsementKey'],
  },
  // Get-TpmEndorsementKeyInfo | ConvertTo-Json
  {
    service: 'windows',
    places: [[]],
    certificates: ['ManufacturerCertificates', 'AdditionalCertificates'],
    keys: ['PublicKey'],
  },
];

/** The deepest nesting of lists and RawData in a member. */
const MAX_DEPTH = 4;

/** Undefined if the text matches no service's form, or the members do not hold keys or certificates. */
export function readServiceAnswer(text: string): ServiceAnswer | undefined {
  const parsed = parse(text);
  const answer = Array.isArray(parsed) && parsed.length === 1 ? parsed[0] : parsed;
  for (const form of FORMS) {
    const found = form.places.flatMap((place) => membersAt(answer, place, form));
    const [first] = found;
    if (first !== undefined) return { service: form.service, ...first, hasFurtherKey: found.length > 1 };
  }
  return undefined;
}

/** The value of a text that is one JSON string. Several tools print that with `--query`. */
export function readJsonString(text: string): string | undefined {
  const parsed = text.trimStart().startsWith('"') ? parse(text) : undefined;
  return typeof parsed === 'string' ? parsed : undefined;
}

function parse(text: string): unknown {
  if (!/^\s*[[{"]/.test(text)) return readPlainYaml(text);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function membersAt(
  answer: unknown,
  place: readonly string[],
  { certificates: certificateNames = [], keys: keyNames = [], needsKey }: AnswerForm,
): readonly Pick<ServiceAnswer, 'certificates' | 'keys'>[] {
  const where = place.reduce(member, answer);
  const certificates = certificateNames.flatMap((name) => filesIn(member(where, name)));
  const keys = keyNames.map((name) => filesIn(member(where, name))).find((files) => files.length > 0) ?? [];
  const isOne = needsKey ? keys.length > 0 : certificates.length + keys.length > 0;
  return isOne ? [{ certificates, keys }] : [];
}

function member(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null && Object.hasOwn(of, name)
    ? (of as Record<string, unknown>)[name]
    : undefined;
}

/** Reads a string, a list of octets, a .NET object with RawData, or a list of these. */
function filesIn(value: unknown, depth = 0): readonly Uint8Array[] {
  if (depth > MAX_DEPTH) return [];
  if (typeof value === 'string') {
    const file = octetsOfText(value);
    return file === undefined ? [] : [file];
  }
  if (Array.isArray(value)) {
    if (value.length > 0 && value.every(isOctet)) return [Uint8Array.from(value)];
    return value.flatMap((item) => filesIn(item, depth + 1));
  }
  return filesIn(member(value, 'RawData') ?? '', depth + 1);
}

function isOctet(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 256;
}

/**
 * Decodes base64 or base64url, whose padding may be percent-encoded, or decimal octets, as PowerShell prints them.
 * Returns PEM as UTF-8. Undefined for any other text.
 */
export function octetsOfText(text: string): Uint8Array | undefined {
  if (text.includes('-----BEGIN ')) return Uint8Array.from(Buffer.from(text, 'utf8'));
  const compact = text.replace(/\s+/g, ' ').trim();
  if (/^\d{1,3}( \d{1,3})+$/.test(compact)) {
    const octets = compact.split(' ').map(Number);
    return octets.every(isOctet) ? Uint8Array.from(octets) : undefined;
  }
  const padded = compact.replaceAll(' ', '').replace(/(%3D|=){0,2}$/i, '');
  const base64 = padded.replaceAll('-', '+').replaceAll('_', '/');
  return base64Octets(base64.padEnd(Math.ceil(base64.length / 4) * 4, '='));
}
