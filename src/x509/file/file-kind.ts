/**
 * Recognizes files of the wrong kind, and says what to do with them. It looks at the beginning of a file, its PEM
 * labels and its outer DER tags, and decodes nothing further.
 */
import { Buffer } from 'node:buffer';
import { DerReader, TAG } from '../der.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { isTextOctet } from './file-text.ts';
import { pemLabels, readPem } from './pem.ts';
import { looksLikePkcs7 } from './pkcs7.ts';

/** What the caller wants the file to hold. */
export type Wanted =
  /** An EK certificate, perhaps with its chain. */
  | 'certificate'
  /** An EK: its certificate, or the public key alone. */
  | 'key'
  /** CA certificates: PEM or DER. */
  | 'authority'
  | 'crl'
  | Own;

/** This project's own files: evidence from `tpm quote`, and options of the server plugin. */
type Own = 'evidence' | 'policy';

/** The kind of a file that is not what the caller wants. */
export interface FileKind {
  /** Its name: `a web page (HTML or XML)`. */
  readonly what: string;
  /** An instruction to the user. */
  readonly remedy: string;
}

/** The features of a file that the rows of the table test. */
interface Look {
  /** The beginning as text, without leading white space. */
  readonly text: string;
  readonly labels: readonly string[];
  /** The tags of the elements in the outer SEQUENCE, in hexadecimal: `30 30 03`. Empty if the file is not DER. */
  readonly outer: string;
  /** The tags of the elements in the first of these, if it is a SEQUENCE. */
  readonly inner: string;
  readonly bytes: Uint8Array;
}

interface Row {
  readonly what: string | ((look: Look) => string);
  readonly remedy: string | ((wanted: Wanted) => string);
  readonly is: (look: Look) => boolean;
  /** Callers that want these kinds accept the file. */
  readonly rightFor?: readonly Wanted[];
  /**
   * The remedy if one of the project's own files was wanted. If absent, the file may be a damaged file of that kind.
   */
  readonly instead?: Readonly<Partial<Record<Own, string>>>;
}

const TEXT_BYTES = 2048;
const LABEL_BYTES = 64 * 1024;
const MAX_ELEMENTS = 12;

const EK = 'the endorsement certificate (EK certificate)';
export const BY_HASH =
  'A key without certificate is admitted by its hash: run "tpm-attestor ek hash FILE" and list that in hash_path';
const IMPORT = 'Run "tpm-attestor ca import FILE --to FOLDER" and give that folder';
const GIVE_EVIDENCE = 'Give the file that "tpm-attestor tpm quote -o FILE" wrote';
const BESIDE = 'beside the other files of tpm2_quote and --nonce';
const GIVE_POLICY = 'Give a file with options of the server plugin, such as ca_path = "…"';
const OWN: Readonly<Record<Own, string>> = { evidence: GIVE_EVIDENCE, policy: GIVE_POLICY };
const PRIVATE_KEY = /PRIVATE KEY/;
const REQUEST = /^(CERTIFICATE REQUEST|NEW CERTIFICATE REQUEST)$/;

const starts =
  (...octets: readonly number[]) =>
  ({ bytes }: Look): boolean =>
    octets.every((octet, i) => bytes[i] === octet);

/** The first matching row names the file. */
const ROWS: readonly Row[] = [
  { what: 'an empty file', remedy: 'Write or download it again', is: ({ bytes }) => bytes.length === 0 },
  {
    what: 'an NV index that was reserved and never filled',
    remedy: 'This TPM keeps no certificate there: run "tpm-attestor ek doctor" on its machine',
    is: ({ bytes }) => (bytes[0] === 0 || bytes[0] === 0xff) && isOneOctet(bytes),
  },
  {
    what: ({ labels }) => `a private key${labels.length > 0 ? ` (PEM label "${labels.find(isPrivate)}")` : ''}`,
    remedy: (wanted) => `Keep it secret, and give the certificate${wanted === 'authority' ? '' : ' or the public key'}`,
    instead: OWN,
    is: ({ labels, outer }) => labels.some(isPrivate) || /^(02 30 04|02( 02){8}|02 04|30 04$)/.test(outer),
  },
  {
    what: 'a PKCS#7 bundle (.p7b)',
    remedy: (wanted) => (wanted === 'crl' ? 'Take the revocation lists out of it, and give each as a file' : IMPORT),
    is: ({ bytes }) => looksLikePkcs7(bytes),
    instead: OWN,
    rightFor: ['certificate', 'key'],
  },
  {
    what: 'a PKCS#12 file (.p12, .pfx)',
    remedy: 'Take its certificates out with "openssl pkcs12 -in FILE -nokeys -out FILE.pem"',
    is: ({ outer }) => /^02 30( 30)?$/.test(outer),
    instead: OWN,
  },
  {
    what: 'a platform certificate (attribute certificate), which describes a machine and holds no key',
    remedy: `Give ${EK} that it refers to`,
    is: ({ labels, outer, inner }) =>
      labels.includes('ATTRIBUTE CERTIFICATE') || (outer === '30 30 03' && /^02 30 (a0|30) 30 02 30/.test(inner)),
    instead: OWN,
  },
  {
    what: 'a certificate signing request',
    remedy: 'Give the certificate that the CA issued for it',
    is: ({ labels, outer, inner }) =>
      labels.some((label) => REQUEST.test(label)) || (outer === '30 30 03' && /^02 30 30 a0$/.test(inner)),
    instead: OWN,
  },
  {
    what: 'a certificate revocation list (CRL)',
    remedy: 'Give it as crl_path (on the command line --crl-path)',
    is: ({ labels, outer, inner }) =>
      labels.includes('X509 CRL') || (outer === '30 30 03' && /^(02 )?30 30 1[78]/.test(inner)),
    rightFor: ['crl'],
    instead: { ...OWN, evidence: 'Name it in crl_path of the policy' },
  },
  {
    what: 'a certificate with OpenSSL\'s own trust settings (PEM label "TRUSTED CERTIFICATE")',
    remedy: 'Remove the trust settings: "openssl x509 -in FILE -out FILE.pem"',
    is: ({ labels }) => labels.includes('TRUSTED CERTIFICATE') || labels.includes('X509 CERTIFICATE'),
    instead: OWN,
  },
  {
    what: 'a public key without certificate',
    remedy: BY_HASH,
    is: ({ labels, outer }) =>
      (labels.some((label) => /^(RSA )?PUBLIC KEY$/.test(label)) && !labels.includes('CERTIFICATE')) ||
      /^(30 03|02 02)$/.test(outer),
    rightFor: ['key'],
    instead: { ...OWN, evidence: `Give an attestation key in --ak, ${BESIDE}` },
  },
  {
    what: ({ labels: [label = ''] }) => `PEM with the label "${label.replace(/[^\x20-\x7e]/g, '?')}"`,
    remedy: (wanted) => `Give PEM with the label "${wanted === 'crl' ? 'X509 CRL' : 'CERTIFICATE'}"`,
    is: ({ labels }) => labels.length > 0 && !labels.includes('CERTIFICATE') && !labels.includes('X509 CRL'),
    instead: OWN,
  },
  {
    what: 'a certificate',
    remedy: 'Give it as ca_path (on the command line --ca-path). Give a revocation list (CRL) here',
    is: ({ labels, outer, inner }) => labels.includes('CERTIFICATE') || (outer === '30 30 03' && /^a0 02/.test(inner)),
    rightFor: ['certificate', 'key', 'authority'],
    instead: {
      evidence: 'Judge an endorsement certificate with "tpm-attestor ek verify"; name a CA in ca_path of the policy',
      policy: 'Write a file with the line ca_path = "FILE", and give that',
    },
  },
  {
    what: 'a public area of a TPM key (TPM2B_PUBLIC or TPMT_PUBLIC)',
    remedy: BY_HASH,
    is: ({ bytes }) => looksLikePublicArea(bytes),
    rightFor: ['key'],
    instead: { ...OWN, evidence: `Give an attestation key in --ak, ${BESIDE}` },
  },
  {
    what: 'a cabinet (.cab)',
    remedy: (wanted) => (wanted === 'authority' ? IMPORT : 'Unpack it with cabextract, and give the file in it'),
    is: starts(0x4d, 0x53, 0x43, 0x46),
  },
  { what: 'a ZIP archive', remedy: 'Unpack it, and give what is in it', is: starts(0x50, 0x4b, 0x03, 0x04) },
  { what: 'a gzip archive', remedy: 'Unpack it, and give what is in it', is: starts(0x1f, 0x8b) },
  {
    what: 'a saved TPM context of tpm2-tools (.ctx), which only its own TPM can load',
    remedy: 'Write the public key with "tpm2_readpublic -c FILE -o FILE.pub"',
    is: starts(0xba, 0xdc, 0xc0, 0xde),
    instead: OWN,
  },
  {
    what: 'a quote or another attestation of a TPM (TPMS_ATTEST)',
    remedy: 'Judge it with "tpm-attestor verify". Give a certificate here',
    is: starts(0xff, 0x54, 0x43, 0x47),
    instead: { ...OWN, evidence: `Give it as --message, ${BESIDE}` },
  },
  {
    what: 'a web page (HTML or XML), perhaps the error page of a server or proxy',
    remedy: 'Open it in a browser to see what the server answered, and download the file again',
    is: ({ text }) => /^<(!doctype|html|head|body|\?xml|error|!--|[a-z]+[ >])/i.test(text),
  },
  {
    what: 'the headers of an HTTP answer',
    remedy: 'Download the file without them (curl without -i)',
    is: ({ text }) => /^HTTP\/\d/.test(text),
  },
  {
    what: 'the printed output of Get-TpmEndorsementKeyInfo, which leaves the key and the certificate out',
    remedy:
      'Write the certificate itself in PowerShell: $e = Get-TpmEndorsementKeyInfo; ' +
      '[IO.File]::WriteAllBytes("ek.cer", (@($e.ManufacturerCertificates) + @($e.AdditionalCertificates))[0].RawData)',
    is: ({ text }) => /^(IsPresent|PublicKeyHash|ManufacturerCertificates)\s*:/m.test(text),
  },
  {
    what: 'the printed text of a certificate (openssl x509 -text, certutil -dump)',
    remedy: 'Give the certificate itself: "openssl x509 -in FILE -out FILE.pem" without -text and -noout',
    is: ({ text }) => /^(Certificate:|X509 Certificate:|subject=|Certificate Revocation List)/.test(text),
  },
  {
    what: 'the printed output of tpm2-tools',
    remedy: 'Write the key with -o FILE ("tpm2_readpublic -c … -o FILE", "tpm2_getekcertificate -o FILE")',
    is: ({ text }) => /^(name:\s|name-alg:|sapi-version:|certs:|0x[0-9a-f]+:\s)/i.test(text),
  },
  {
    what: 'a list of hashes',
    remedy: 'Give it as hash_path (on the command line --hash-path)',
    is: ({ text }) => /^([0-9a-f]{64}[^\S\n]*(#.*)?(\r?\n|$))/i.test(text),
  },
  {
    what: 'bytes written in hexadecimal',
    remedy: 'Convert them to binary: "xxd -r -p FILE FILE.der"',
    is: ({ text }) => /^(30 ?8[0-4]|00000000:? )[0-9a-f\s:]/i.test(text) && /^[0-9a-f\s:]{16}/i.test(text),
  },
  {
    what: 'an SSH key',
    remedy: `Give ${EK} instead`,
    is: ({ text }) => /^(ssh-|ecdsa-sha2-|sk-)/.test(text),
  },
  {
    what: 'evidence or a challenge of tpm-attestor',
    remedy: 'Judge evidence with "tpm-attestor verify". Give a certificate here',
    is: ({ text }) => /^\{\s*"(payload|challenge|response)"\s*:/.test(text),
    instead: { policy: GIVE_POLICY },
  },
  {
    what: 'JSON or YAML in which no endorsement key or certificate is found',
    remedy:
      'Give the answer of Intel, AWS (get-instance-tpm-ek-pub), Azure (enrollment show), Google (get-shielded-identity ' +
      '--format=json), vSphere or Windows (Get-TpmEndorsementKeyInfo | ConvertTo-Json -Depth 4) for one machine, or the ' +
      'certificate alone in PEM',
    is: ({ text }) => /^([{["]|[A-Za-z0-9_.-]{1,64}:(\s|$))/.test(text),
  },
];

/** The kinds of text and of binary files that no row matches. */
const TEXT: FileKind = {
  what: 'text without a certificate in it',
  remedy: 'Give a certificate in PEM ("-----BEGIN CERTIFICATE-----") or DER',
};
const UNKNOWN: FileKind = { what: 'a file of an unknown kind', remedy: 'Give a certificate in PEM or DER' };

/**
 * Names the kind of a file that is not what the caller wants. Undefined if it is, claims to be, or may be a damaged
 * one.
 *
 * @param bytes without a byte order mark
 */
export function strangerKind(bytes: Uint8Array, wanted: Wanted): FileKind | undefined {
  const look = lookAt(bytes);
  const row = ROWS.find(({ is }) => is(look));
  if (wanted === 'evidence' || wanted === 'policy') {
    const remedy = row?.instead?.[wanted];
    return row === undefined || remedy === undefined ? undefined : { what: nameOf(row, look), remedy };
  }
  if (row === undefined) {
    if (bytes[0] === TAG.SEQUENCE || bytes[0] === STORED_CERTIFICATE) return undefined;
    return bytes.subarray(0, TEXT_BYTES).every(isTextOctet) ? TEXT : UNKNOWN;
  }
  if (row.rightFor?.includes(wanted)) return undefined;
  const { remedy } = row;
  return { what: nameOf(row, look), remedy: typeof remedy === 'string' ? remedy : remedy(wanted) };
}

function nameOf({ what }: Row, look: Look): string {
  return typeof what === 'string' ? what : what(look);
}

/** The first octet of the header in front of a certificate in NV (TCG_PCCLIENT_STORED_CERT). */
const STORED_CERTIFICATE = 0x10;

/** The sentences of an error: `it is a web page (HTML or XML). Download the file again`. */
export function kindSentence({ what, remedy }: FileKind): string {
  return `it is ${what}. ${remedy}`;
}

/** TPMT_PUBLIC begins with the key type and a hash (Part 2, 12.2.4). TPM2B_PUBLIC has the size in front. */
export function looksLikePublicArea(bytes: Uint8Array): boolean {
  const word = (at: number): number => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  const at = word(0) === bytes.length - 2 ? 2 : 0;
  return KEY_TYPES.includes(word(at)) && word(at + 2) > 0 && word(at + 2) < 0x100;
}

/** TPM_ALG_RSA, KEYEDHASH, ECC and SYMCIPHER. */
const KEY_TYPES: readonly number[] = [0x0001, 0x0008, 0x0023, 0x0025];

function isPrivate(label: string): boolean {
  return PRIVATE_KEY.test(label);
}

/** Whether all octets are equal. */
function isOneOctet(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
}

function lookAt(bytes: Uint8Array): Look {
  const beginning = Buffer.from(bytes.subarray(0, TEXT_BYTES)).toString('latin1').trimStart();
  // Only a part: a server may look at a large store between two attestations.
  const start = bytes.subarray(0, LABEL_BYTES);
  const labels = pemLabels(start);
  // Some programs write another kind of DER under the label CERTIFICATE.
  const der = labels[0] === 'CERTIFICATE' ? firstBlock(start) : bytes;
  return { text: beginning, labels, ...derTags(der), bytes };
}

/** The tags that distinguish kinds of DER. Empty if the bytes are not DER. */
export function derTags(der: Uint8Array): Pick<Look, 'outer' | 'inner'> {
  const elements = elementsOf(der);
  const [first] = elements;
  return { outer: tagsOf(elements), inner: first?.tag === TAG.SEQUENCE ? tagsOf(elementsOf(first.der)) : '' };
}

function tagsOf(elements: readonly { readonly tag: number }[]): string {
  return elements.map(({ tag }) => tag.toString(16).padStart(2, '0')).join(' ');
}

function firstBlock(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = text.indexOf(END_OF_CERTIFICATE);
  try {
    return (
      readPem(bytes.subarray(0, end < 0 ? undefined : end + END_OF_CERTIFICATE.length))[0]?.der ?? new Uint8Array()
    );
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    return new Uint8Array();
  }
}

const END_OF_CERTIFICATE = '-----END CERTIFICATE-----';

/** The first elements of a SEQUENCE, as many as the table needs. Empty for anything else. */
function elementsOf(der: Uint8Array): readonly { readonly tag: number; readonly der: Uint8Array }[] {
  const elements: { readonly tag: number; readonly der: Uint8Array }[] = [];
  if (der[0] !== TAG.SEQUENCE) return elements;
  try {
    const reader = new DerReader(der, 'file').enter(TAG.SEQUENCE, 'content');
    while (!reader.atEnd && elements.length < MAX_ELEMENTS) elements.push(reader.next('element'));
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
  }
  return elements;
}
