/** The PEM text in which spire-tpm-plugin sends an endorsement key (EK) and its certificate. Pure. */
import { toBase64 } from '../bytes/base64.ts';
import { MalformedError } from '../bytes/malformed.ts';

export interface EkPem {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** DER; undefined when the agent sends no certificate. */
  readonly certificate: Uint8Array | undefined;
}

type Label = 'CERTIFICATE' | 'PUBLIC KEY';

/** Largest DER in bytes. This product reads certificates up to 16 KiB; every key of an EK template fits into 1 KiB. */
const BLOCK_BYTES: Readonly<Record<Label, number>> = { CERTIFICATE: 16 * 1024, 'PUBLIC KEY': 1024 };
const LINE_CHARACTERS = 64;
const BLOCK = /-----BEGIN (CERTIFICATE|PUBLIC KEY)-----\n([A-Za-z0-9+/=\n]*)-----END \1-----\n/y;

/** Writes the certificate first, as the agent of spire-tpm-plugin does. */
export function encodeEkPem({ publicKey, certificate }: EkPem): Uint8Array {
  const text = `${certificate === undefined ? '' : block('CERTIFICATE', certificate)}${block('PUBLIC KEY', publicKey)}`;
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/**
 * Accepts one PUBLIC KEY block and at most one CERTIFICATE block, in any order. Each block must be spelled as
 * `encodeEkPem` spells it, with nothing around it. So no two readers can find different blocks in one text.
 *
 * @throws MalformedError
 */
export function decodeEkPem(bytes: Uint8Array): EkPem {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const found = new Map<Label, Uint8Array>();
  const fail = (offset: number, reason: string): MalformedError => new MalformedError('EK.PEM', offset, reason);
  for (let offset = 0; offset < text.length; ) {
    BLOCK.lastIndex = offset;
    const [whole = '', label, base64 = ''] = BLOCK.exec(text) ?? [];
    if (label !== 'CERTIFICATE' && label !== 'PUBLIC KEY')
      throw fail(offset, 'neither a CERTIFICATE nor a PUBLIC KEY block');
    // tooth A18: the last of several blocks counts
    if (found.has(label)) throw fail(offset, `a second ${label} block`);
    const der = Uint8Array.from(Buffer.from(base64, 'base64'));
    if (der.length > BLOCK_BYTES[label]) throw fail(offset, `a ${label} block over ${BLOCK_BYTES[label]} bytes`);
    if (block(label, der) !== whole) throw fail(offset, `a ${label} block that is not in canonical form`);
    found.set(label, der);
    offset += whole.length;
  }
  const publicKey = found.get('PUBLIC KEY');
  if (publicKey === undefined) throw fail(0, 'no PUBLIC KEY block');
  return { publicKey, certificate: found.get('CERTIFICATE') };
}

/** RFC 7468, 3: lines of 64 characters. */
function block(label: Label, der: Uint8Array): string {
  const base64 = toBase64(der);
  const lines = base64.match(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g')) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
