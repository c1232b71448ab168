/**
 * Reads attestation keys from files of tpm2-tools (`tpm2_createak -u`, `tpm2_readpublic -o`, `tpm2_encodeobject -o`)
 * and of the OpenSSL engines for TPMs. Pure.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { MalformedError } from '../bytes/malformed.ts';
import { decode, tpm2bOf } from '../tpm/structures/codec.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import { DerReader, TAG } from '../x509/der.ts';
import { base64Octets } from '../x509/file/pem.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';

const tpm2bPublic = tpm2bOf('TPM2B_PUBLIC', tpmtPublic);

/** The content of a key file: a whole public area, or a bare public key. */
export type ToolsKey =
  | { readonly kind: 'public area'; readonly publicArea: TpmtPublic }
  | { readonly kind: 'key'; readonly key: KeyObject };

/** The first four bytes of a file of `tpm2_createak -c`. */
const SAVED_CONTEXT = 0xbadcc0de;

/**
 * Reads a TPM2B_PUBLIC (`-f tss`), a TPMT_PUBLIC (`-f tpmt`), or a public key as PEM or DER (`-f pem`, `-f der`). It
 * also reads a `TSS2 PRIVATE KEY` of the OpenSSL engines: a public area beside a private part that only the TPM can
 * open.
 *
 * @throws MalformedError
 */
export function readToolsKey(bytes: Uint8Array): ToolsKey {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  // DER comes first: the text of a PEM header inside DER means nothing.
  if (bytes[0] === TAG.SEQUENCE) return readDer(bytes);
  if (text.includes('-----BEGIN ')) return readPem(text);
  const [first = 0, second = 0, third = 0, fourth = 0] = bytes;
  if (((first << 24) | (second << 16) | (third << 8) | fourth) >>> 0 === SAVED_CONTEXT)
    throw new MalformedError('key', 0, 'a saved context; write its key with tpm2_readpublic -c CONTEXT -o FILE');
  // No public area is as short as 0x25 bytes. So the size of a TPM2B never equals the type of a TPMT.
  const sized = (first << 8) + second === bytes.length - 2;
  return { kind: 'public area', publicArea: decode(sized ? tpm2bPublic : tpmtPublic, bytes) };
}

function readPem(text: string): ToolsKey {
  const blocks = [...text.matchAll(/-----BEGIN ([^-\r\n]*)-----([^-]*)-----END \1-----/g)];
  const [block] = blocks;
  // With two keys in the file, a reader might look at one while this product judges the other.
  if (block === undefined || blocks.length > 1 || text.split('-----BEGIN ').length > 2)
    throw new MalformedError('PEM', 0, 'not exactly one PEM block; give a file with the attestation key alone');
  const [all, label = '', base64 = ''] = block;
  if (label === 'TSS2 PRIVATE KEY') {
    const der = base64Octets(base64.replace(/\s+/g, ''));
    return readLoadableKey(der ?? malformed('PEM', 'a block that is not base64'));
  }
  if (label === 'CERTIFICATE')
    throw new MalformedError('PEM', 0, 'a certificate; take its key with openssl x509 -pubkey -noout');
  // OpenSSL would silently derive the public key from a private one. The owner should learn that the file is private.
  if (label !== 'PUBLIC KEY' && label !== 'RSA PUBLIC KEY')
    throw new MalformedError(
      'PEM',
      0,
      `holds ${/^[A-Z0-9 ]{1,40}$/.test(label) ? label : 'another block'} instead of PUBLIC KEY`,
    );
  return { kind: 'key', key: importedKey('PEM', () => createPublicKey({ key: all, format: 'pem' })) };
}

/**
 * Reads a SubjectPublicKeyInfo, an RSAPublicKey (RFC 8017 A.1.1) or a `TSS2 PRIVATE KEY`; the second tag tells which.
 */
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

/** id-loadablekey (TPM 2.0 Key Files): TPM2_Load loads the private part under its parent. */
const LOADABLE_KEY = '2.23.133.10.1.3';

/** TPMKey ::= SEQUENCE { type, [0]…[n] OPTIONAL, parent, pubkey, privkey } of the TPM 2.0 Key Files draft. */
function readLoadableKey(der: Uint8Array): ToolsKey {
  const pubkey = attempt('TSS2 PRIVATE KEY', () => {
    const outer = new DerReader(der, 'TPMKey');
    const fields = outer.enter(TAG.SEQUENCE, 'value');
    outer.finish();
    const type = fields.objectIdentifier('type');
    if (type !== LOADABLE_KEY) fields.fail(`${type} is not a loadable key`);
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
    return malformed(what, 'holds no readable public key', cause);
  }
}

function malformed(what: string, reason: string, cause?: unknown): never {
  const error = new MalformedError(what, 0, reason);
  error.cause = cause;
  throw error;
}

/** A public key as PEM, for `tpm2_checkquote -u`. */
export function writeToolsPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'spki' }).toString();
}
