/**
 * Attestation keys in the files of tpm2-tools and of its neighbours: what `tpm2_createak -u`, `tpm2_readpublic -o` and
 * `tpm2_encodeobject -o` write. Pure.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { MalformedError } from '../bytes/malformed.ts';
import { decode, tpm2bOf } from '../tpm/structures/codec.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import { DerReader, TAG } from '../x509/der.ts';
import { base64Octets } from '../x509/file/pem.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';

const tpm2bPublic = tpm2bOf('TPM2B_PUBLIC', tpmtPublic);

/** A key file: all the TPM says of the key, or the bare key. */
export type ToolsKey =
  | { readonly kind: 'public area'; readonly publicArea: TpmtPublic }
  | { readonly kind: 'key'; readonly key: KeyObject };

/** What `tpm2_createak -c` writes begins so. */
const SAVED_CONTEXT = 0xbadcc0de;

/**
 * Reads a TPM2B_PUBLIC (`-f tss`), a TPMT_PUBLIC (`-f tpmt`), a public key as PEM or DER (`-f pem`, `-f der`), or a key
 * file of the OpenSSL engines (`TSS2 PRIVATE KEY`), which holds the public area beside a private part only the TPM opens.
 *
 * @throws MalformedError
 */
export function readToolsKey(bytes: Uint8Array): ToolsKey {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  // DER first: what stands behind it, or in it, is no PEM that anybody wrote.
  if (bytes[0] === TAG.SEQUENCE) return readDer(bytes);
  if (text.includes('-----BEGIN ')) return readPem(text);
  const [first = 0, second = 0, third = 0, fourth = 0] = bytes;
  if (((first << 24) | (second << 16) | (third << 8) | fourth) >>> 0 === SAVED_CONTEXT)
    throw new MalformedError('key', 0, 'a saved context; write its key with tpm2_readpublic -c CONTEXT -o FILE');
  // The size in front of a TPM2B is never the type of a TPMT: no public area is as short as 0x25 bytes.
  const sized = (first << 8) + second === bytes.length - 2;
  return { kind: 'public area', publicArea: decode(sized ? tpm2bPublic : tpmtPublic, bytes) };
}

function readPem(text: string): ToolsKey {
  const blocks = [...text.matchAll(/-----BEGIN ([^-\r\n]*)-----([^-]*)-----END \1-----/g)];
  const [block] = blocks;
  // Of two keys somebody would be shown one, and the other judged.
  if (block === undefined || blocks.length > 1 || text.split('-----BEGIN ').length > 2)
    throw new MalformedError('PEM', 0, 'not one whole block; give a file with the attestation key alone');
  const [all, label = '', base64 = ''] = block;
  if (label === 'TSS2 PRIVATE KEY') {
    const der = base64Octets(base64.replace(/\s+/g, ''));
    return readLoadableKey(der ?? malformed('PEM', 'a block that is not base64'));
  }
  if (label === 'CERTIFICATE')
    throw new MalformedError('PEM', 0, 'a certificate; take its key with openssl x509 -pubkey -noout');
  // OpenSSL would make a public key of a private one: whoever hands that out wants to hear of it.
  if (label !== 'PUBLIC KEY' && label !== 'RSA PUBLIC KEY')
    throw new MalformedError(
      'PEM',
      0,
      `holds no PUBLIC KEY but ${/^[A-Z0-9 ]{1,40}$/.test(label) ? label : 'another'}`,
    );
  return { kind: 'key', key: importedKey('PEM', () => createPublicKey({ key: all, format: 'pem' })) };
}

/** SubjectPublicKeyInfo, RSAPublicKey (RFC 8017 A.1.1) or the ASN.1 of a `TSS2 PRIVATE KEY`, told apart by their second tag. */
function readDer(bytes: Uint8Array): ToolsKey {
  const tag = attempt('key', () => {
    const outer = new DerReader(bytes, 'key');
    const inner = outer.enter(TAG.SEQUENCE, 'value');
    outer.finish();
    return inner.nextTag;
  });
  if (tag === TAG.OBJECT_IDENTIFIER) return readLoadableKey(bytes);
  const type = tag === TAG.INTEGER ? 'pkcs1' : 'spki';
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { kind: 'key', key: importedKey('DER', () => createPublicKey({ key, format: 'der', type })) };
}

/** TPM 2.0 Key Files: the kind whose private part its parent loads. */
const LOADABLE_KEY = '2.23.133.10.1.3';

/** TPMKey ::= SEQUENCE { type, [0]…[n] OPTIONAL, parent, pubkey, privkey } of the TPM 2.0 Key Files draft. */
function readLoadableKey(der: Uint8Array): ToolsKey {
  const pubkey = attempt('TSS2 PRIVATE KEY', () => {
    const outer = new DerReader(der, 'TPMKey');
    const fields = outer.enter(TAG.SEQUENCE, 'value');
    outer.finish();
    const type = fields.objectIdentifier('type');
    if (type !== LOADABLE_KEY) fields.fail(`${type} is no loadable key`);
    while (((fields.nextTag ?? 0) & 0xe0) === 0xa0) fields.next('optional');
    fields.integer('parent');
    const area = fields.take(TAG.OCTET_STRING, 'pubkey').content;
    fields.take(TAG.OCTET_STRING, 'privkey');
    fields.finish();
    return area.slice();
  });
  return { kind: 'public area', publicArea: decode(tpm2bPublic, pubkey) };
}

function attempt<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof MalformedCertificateError)) throw cause;
    return malformed(what, cause.message, cause);
  }
}

function importedKey(what: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (cause) {
    return malformed(what, 'holds no public key that can be read', cause);
  }
}

function malformed(what: string, reason: string, cause?: unknown): never {
  const error = new MalformedError(what, 0, reason);
  error.cause = cause;
  throw error;
}

/** A public key as `tpm2_checkquote -u` reads it. */
export function writeToolsPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'spki' }).toString();
}
