/**
 * Evidence files: the messages of proto/tpm_attestor/v1/evidence.proto in canonical JSON. Pure.
 *
 * The mapping is that of Protocol Buffers (lowerCamelCase names, bytes in standard base64), read strictly: unknown,
 * missing and repeated names are errors, and so is base64 that is not canonical. White space and escapes are free.
 */
import { fromBase64, toBase64 } from '../bytes/base64.ts';
import { jsonFlaw } from '../bytes/json-text.ts';
import { MalformedError } from '../bytes/malformed.ts';
import { checkLimits, type Evidence } from './messages.ts';

type Field = 'bytes' | 'bytes[]' | 'u32' | 'u32[]' | 'string';
type Form = Readonly<Record<string, Field>>;

const FORMS: { readonly [K in keyof Evidence]-?: Form } = {
  payload: {
    versions: 'u32[]',
    trustDomain: 'string',
    ekPublic: 'bytes',
    ekCertificates: 'bytes[]',
    akPublic: 'bytes',
    pcrBanks: 'u32[]',
  },
  challenge: {
    version: 'u32',
    nonce: 'bytes',
    credentialBlob: 'bytes',
    encryptedSecret: 'bytes',
    pcrSelection: 'bytes',
  },
  response: { secret: 'bytes', quoted: 'bytes', signature: 'bytes', pcrValues: 'bytes[]' },
};

const MESSAGE_NAMES = { payload: 'Payload', challenge: 'Challenge', response: 'ChallengeResponse' } as const;

const FILE_BYTES = 512 * 1024;
/** Deepest nesting of an evidence file. */
const DEPTH = 3;

/** Two-space indented JSON with a newline at the end, fields in the order of the messages. */
export function evidenceToJson(evidence: Evidence): string {
  const file: Record<string, unknown> = {};
  for (const name of Object.keys(FORMS) as (keyof Evidence)[]) {
    const message = evidence[name] as unknown as Readonly<Record<string, unknown>> | undefined;
    if (message === undefined) continue;
    file[name] = Object.fromEntries(Object.keys(FORMS[name]).map((field) => [field, plain(message[field])]));
  }
  return `${JSON.stringify(file, null, 2)}\n`;
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  return value instanceof Uint8Array ? toBase64(value) : value;
}

/** @throws MalformedError naming the field */
export function evidenceFromJson(text: string): Evidence {
  if (text.length > FILE_BYTES) throw new MalformedError('Evidence', FILE_BYTES, `over ${FILE_BYTES} characters`);
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (cause) {
    throw new MalformedError('Evidence', 0, cause instanceof Error ? cause.message : 'not JSON');
  }
  const flaw = jsonFlaw(text, DEPTH);
  if (flaw !== undefined) throw new MalformedError('Evidence', flaw.offset, flaw.reason);
  const members = membersOf('Evidence', file, FORMS);
  const evidence: Record<string, unknown> = { payload: undefined, challenge: undefined, response: undefined };
  for (const [name, value] of members) {
    const form = FORMS[name as keyof Evidence];
    const message: Record<string, unknown> = {};
    const present = new Map(membersOf(`Evidence.${name}`, value, form));
    for (const [field, kind] of Object.entries(form)) {
      const path = `Evidence.${name}.${field}`;
      if (!present.has(field)) throw new MalformedError(path, 0, 'is missing');
      message[field] = fieldValue(path, kind, present.get(field));
    }
    checkLimits(MESSAGE_NAMES[name as keyof Evidence], message);
    // No file holds boot logs: the exchange in files ends with the answer.
    evidence[name] = name === 'challenge' ? { ...message, logs: [] } : message;
  }
  return evidence as unknown as Evidence;
}

function membersOf(path: string, value: unknown, form: object): readonly [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MalformedError(path, 0, 'is not an object');
  const members = Object.entries(value);
  const unknown = members.find(([name]) => !Object.hasOwn(form, name));
  if (unknown !== undefined) throw new MalformedError(`${path}.${unknown[0].slice(0, 64)}`, 0, 'is not a known field');
  return members;
}

function fieldValue(path: string, kind: Field, value: unknown): unknown {
  if (kind.endsWith('[]')) {
    if (!Array.isArray(value)) throw new MalformedError(path, 0, 'is not a list');
    return value.map((element, i) => fieldValue(`${path}[${i}]`, kind.slice(0, -2) as Field, element));
  }
  if (kind === 'u32') {
    // JSON allows -0, which a message cannot carry.
    const isWhole = typeof value === 'number' && Number.isInteger(value) && !Object.is(value, -0);
    if (isWhole && value >= 0 && value <= 0xffffffff) return value;
    throw new MalformedError(path, 0, 'is not an unsigned 32-bit number');
  }
  if (typeof value !== 'string') throw new MalformedError(path, 0, 'is not a string');
  if (kind === 'string') {
    // A JSON escape can spell half a surrogate pair, which a message cannot carry.
    if (Buffer.from(value).toString() !== value) throw new MalformedError(path, 0, 'is not Unicode text');
    return value;
  }
  const bytes = fromBase64(value);
  if (bytes === undefined) throw new MalformedError(path, 0, 'is not canonical base64');
  return bytes;
}
