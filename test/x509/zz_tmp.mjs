// test/x509/zz_tmp.ts
// src/x509/certificate.ts
import { Buffer as Buffer4, Buffer as Buffer10 } from 'node:buffer';
import { createHash } from 'node:crypto';
import fc from 'fast-check';

// src/x509/malformed-certificate.ts
var MalformedCertificateError = class extends Error {
  code = 'ERR_MALFORMED_CERTIFICATE';
  /** Field in which reading stopped, outermost first: `certificate.tbsCertificate.validity`. */
  path;
  /** Where it stopped, in bytes (PEM: characters) from the start of the input that was being read. */
  offset;
  constructor(path, offset, reason, options) {
    super(`${path}: ${reason} (at offset ${offset})`, options);
    this.name = 'MalformedCertificateError';
    this.path = path;
    this.offset = offset;
  }
};

// src/x509/der.ts
var TAG = {
  BOOLEAN: 1,
  INTEGER: 2,
  BIT_STRING: 3,
  OCTET_STRING: 4,
  NULL: 5,
  OBJECT_IDENTIFIER: 6,
  UTF8_STRING: 12,
  NUMERIC_STRING: 18,
  PRINTABLE_STRING: 19,
  TELETEX_STRING: 20,
  IA5_STRING: 22,
  UTC_TIME: 23,
  GENERALIZED_TIME: 24,
  VISIBLE_STRING: 26,
  UNIVERSAL_STRING: 28,
  BMP_STRING: 30,
  SEQUENCE: 48,
  SET: 49,
};
var MAX_DEPTH = 16;
var MAX_OBJECT_IDENTIFIER_BYTES = 64;
var DerElement = class {
  tag;
  /** Of the identifier octet, from the start of the input. */
  offset;
  #reader;
  #field;
  #contentStart;
  #end;
  constructor(reader, field, tag, offset, contentStart, end) {
    this.tag = tag;
    this.offset = offset;
    this.#reader = reader;
    this.#field = field;
    this.#contentStart = contentStart;
    this.#end = end;
  }
  /** Identifier, length and content. */
  get der() {
    return this.#reader.bytes.subarray(this.offset, this.#end);
  }
  get content() {
    return this.#reader.bytes.subarray(this.#contentStart, this.#end);
  }
  /**
   * Reads the content as a series of elements: of a constructed type, or of a string type that wraps DER, where
   * `skip` steps over the octets in front of it.
   */
  enter(skip = 0) {
    return new DerReader(this.#reader.bytes, this.#field, this.#contentStart + skip, this.#end, this.#reader);
  }
  fail(reason) {
    throw new MalformedCertificateError(this.path, this.offset, reason);
  }
  get path() {
    return `${this.#reader.path}.${this.#field}`;
  }
};
var DerReader = class {
  bytes;
  #field;
  #parent;
  #depth;
  #end;
  #position;
  constructor(bytes, field, start = 0, end = bytes.length, parent) {
    this.bytes = bytes;
    this.#field = field;
    this.#position = start;
    this.#end = end;
    this.#parent = parent;
    this.#depth = parent === void 0 ? 0 : parent.#depth + 1;
    if (this.#depth > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH} levels`);
  }
  get path() {
    return this.#parent === void 0 ? this.#field : `${this.#parent.path}.${this.#field}`;
  }
  get atEnd() {
    return this.#position === this.#end;
  }
  /** The next element's identifier octet; undefined at the end. */
  get nextTag() {
    return this.atEnd ? void 0 : this.bytes[this.#position];
  }
  fail(reason, offset = this.#position) {
    throw new MalformedCertificateError(this.path, offset, reason);
  }
  /** Reads the next element, whatever its type. */
  next(field) {
    const offset = this.#position;
    const tag = this.#octet(offset, field);
    if ((tag & 31) === 31) this.#refuse(field, offset, 'tags of more than one octet are not read');
    let cursor = offset + 1;
    let length = this.#octet(cursor++, field);
    if (length === 128) this.#refuse(field, offset, 'indefinite length');
    if (length > 128) {
      const octets = length & 127;
      if (octets > 4) this.#refuse(field, offset, `length given in ${octets} octets`);
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + this.#octet(cursor++, field);
      if (length < (octets === 1 ? 128 : 256 ** (octets - 1))) {
        this.#refuse(field, offset, 'length is not in its shortest form');
      }
    }
    const end = cursor + length;
    if (end > this.#end) this.#refuse(field, offset, `claims ${length} bytes, ${this.#end - cursor} are left`);
    this.#position = end;
    return new DerElement(this, field, tag, offset, cursor, end);
  }
  /** Reads the next element, which must be of this type. */
  take(tag, field) {
    const found = this.nextTag;
    if (found !== tag) {
      this.#refuse(
        field,
        this.#position,
        found === void 0 ? 'is missing' : `expected tag ${octetText(tag)}, found ${octetText(found)}`,
      );
    }
    return this.next(field);
  }
  /** Reads the next element if it is of this type. */
  takeIf(tag, field) {
    return this.nextTag === tag ? this.next(field) : void 0;
  }
  enter(tag, field) {
    return this.take(tag, field).enter();
  }
  /** Refuses anything left unread: bytes nobody looks at are a place to hide a second meaning. */
  finish() {
    if (!this.atEnd) this.fail(`${this.#end - this.#position} bytes too many`);
  }
  objectIdentifier(field) {
    return objectIdentifier(this.take(TAG.OBJECT_IDENTIFIER, field));
  }
  /** Content octets of an INTEGER in two's complement, shortest form. */
  integer(field) {
    const element = this.take(TAG.INTEGER, field);
    const content = element.content;
    if (content.length === 0) element.fail('an INTEGER without content');
    if (!isShortestInteger(content)) element.fail('an INTEGER not in its shortest form');
    return content;
  }
  /** A BIT STRING that is a whole number of octets, as keys and signatures are. */
  octetsOfBitString(field) {
    const element = this.take(TAG.BIT_STRING, field);
    const content = element.content;
    if (content[0] !== 0) element.fail('a BIT STRING that is not whole octets');
    return content.subarray(1);
  }
  #octet(at, field) {
    const octet = at < this.#end ? this.bytes[at] : void 0;
    if (octet === void 0) this.#refuse(field, at, 'ends inside an identifier or length');
    return octet;
  }
  #refuse(field, offset, reason) {
    throw new MalformedCertificateError(`${this.path}.${field}`, offset, reason);
  }
};
function isShortestInteger(content) {
  const [first = 0, second] = content;
  return second === void 0 || !((first === 0 && second < 128) || (first === 255 && second >= 128));
}
function objectIdentifier(element) {
  const content = element.content;
  if (content.length === 0) element.fail('an OBJECT IDENTIFIER without content');
  if (content.length > MAX_OBJECT_IDENTIFIER_BYTES) {
    element.fail(`an OBJECT IDENTIFIER of ${content.length} bytes, ${MAX_OBJECT_IDENTIFIER_BYTES} are read`);
  }
  let text = '';
  let arc = 0n;
  let small = 0;
  let open = false;
  for (const octet of content) {
    if (!open && octet === 128) element.fail('an OBJECT IDENTIFIER with a padded arc');
    if (arc === 0n && small < 2097152) small = small * 128 + (octet & 127);
    else {
      arc = (arc === 0n ? BigInt(small) : arc) * 128n + BigInt(octet & 127);
    }
    open = octet >= 128;
    if (open) continue;
    if (text !== '') text += `.${arc === 0n ? small : arc}`;
    else if (arc !== 0n) text = `2.${arc - 80n}`;
    else if (small < 80) text = small < 40 ? `0.${small}` : `1.${small - 40}`;
    else text = `2.${small - 80}`;
    arc = 0n;
    small = 0;
  }
  if (open) element.fail('an OBJECT IDENTIFIER that ends inside an arc');
  return text;
}
function assertDer(bytes, field) {
  const reader = new DerReader(bytes, field);
  walk(reader.next('value'));
  reader.finish();
}
function walk(element) {
  const constructed = (element.tag & 32) !== 0;
  const universal = (element.tag & 192) === 0;
  const seriesTag = element.tag | 32;
  const series = seriesTag === TAG.SEQUENCE || seriesTag === TAG.SET;
  if (universal && constructed !== series) element.fail('a primitive type in constructed form, or the reverse');
  if (!constructed) return;
  const reader = element.enter();
  for (let i = 0; !reader.atEnd; i++) walk(reader.next(`[${i}]`));
}
function octetText(octet) {
  return `0x${octet.toString(16).padStart(2, '0')}`;
}

// src/x509/object-identifiers.ts
var EXTENSION = {
  subjectDirectoryAttributes: '2.5.29.9',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
};
var KEY_PURPOSE = {
  any: '2.5.29.37.0',
  /** tcg-kp-EKCertificate: the key is a TPM's endorsement key. */
  ekCertificate: '2.23.133.8.1',
  /** tcg-kp-PlatformAttributeCertificate */
  platformCertificate: '2.23.133.8.2',
  /** tcg-kp-AIKCertificate: the key is an attestation key. */
  aikCertificate: '2.23.133.8.3',
};
var TCG_ATTRIBUTE = {
  tpmManufacturer: '2.23.133.2.1',
  tpmModel: '2.23.133.2.2',
  tpmVersion: '2.23.133.2.3',
  tpmSpecification: '2.23.133.2.16',
};
var ACCESS_CA_ISSUERS = '1.3.6.1.5.5.7.48.2';

// src/x509/extensions.ts
var KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
];
function readExtensions(reader, noteOddity) {
  const extensions = /* @__PURE__ */ new Map();
  if (reader.atEnd) reader.fail('an empty list of extensions');
  for (let i = 0; !reader.atEnd; i++) {
    const extension2 = reader.enter(TAG.SEQUENCE, `[${i}]`);
    const oid2 = extension2.objectIdentifier('extnID');
    if (extensions.has(oid2)) extension2.fail(`extension ${oid2} occurs twice`);
    const critical = readDefaultFalse(extension2, 'critical', () => noteOddity('critical-FALSE-encoded'));
    const value = extension2.take(TAG.OCTET_STRING, 'extnValue').content;
    extension2.finish();
    extensions.set(oid2, { oid: oid2, critical, value });
  }
  return extensions;
}
function readDefaultFalse(reader, field, noteEncodedFalse) {
  const element = reader.takeIf(TAG.BOOLEAN, field);
  if (element === void 0) return false;
  const [octet] = element.content;
  if (element.content.length !== 1 || (octet !== 0 && octet !== 255)) element.fail('a BOOLEAN that is not 00 or ff');
  if (octet === 0) noteEncodedFalse();
  return octet === 255;
}
function readBasicConstraints(value, noteOddity) {
  const outer = new DerReader(value, 'basicConstraints');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const ca = readDefaultFalse(reader, 'cA', () => noteOddity('cA-FALSE-encoded'));
  const pathLength = reader.atEnd ? void 0 : readPathLength(reader);
  reader.finish();
  return { ca, pathLength };
}
function readPathLength(reader) {
  const content = reader.integer('pathLenConstraint');
  const [first = 0] = content;
  if (first >= 128) reader.fail('a negative path length');
  return content.length === 1 ? first : Number.MAX_SAFE_INTEGER;
}
function readKeyUsage(value, noteOddity) {
  const reader = new DerReader(value, 'keyUsage');
  const element = reader.take(TAG.BIT_STRING, 'value');
  reader.finish();
  const [unused = 8, ...octets] = element.content;
  const last = octets.at(-1);
  if (unused > 7 || (last === void 0 && unused !== 0)) element.fail('a BIT STRING with a wrong count of unused bits');
  if (last !== void 0 && (last & ((1 << unused) - 1)) !== 0) element.fail('a BIT STRING with unused bits set');
  if (last !== void 0 && (last & (1 << unused)) === 0) noteOddity('keyUsage-trailing-zero-bits');
  const isSet = (bit) => ((octets[bit >> 3] ?? 0) & (128 >> (bit & 7))) !== 0;
  return new Set(KEY_USAGES.filter((_, bit) => isSet(bit)));
}
function readExtKeyUsage(value) {
  const outer = new DerReader(value, 'extKeyUsage');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const purposes = [];
  do purposes.push(reader.objectIdentifier(`[${purposes.length}]`));
  while (!reader.atEnd);
  return purposes;
}
function readSubjectKeyIdentifier(value) {
  const reader = new DerReader(value, 'subjectKeyIdentifier');
  const identifier = reader.take(TAG.OCTET_STRING, 'value').content;
  reader.finish();
  return identifier;
}
function readAuthorityKeyIdentifier(value) {
  const outer = new DerReader(value, 'authorityKeyIdentifier');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const identifier = reader.takeIf(128, 'keyIdentifier')?.content;
  reader.takeIf(161, 'authorityCertIssuer');
  reader.takeIf(130, 'authorityCertSerialNumber');
  reader.finish();
  return identifier;
}
function readIssuerAddresses(extensions) {
  const extension2 = extensions.get(EXTENSION.authorityInfoAccess);
  if (extension2 === void 0) return [];
  const outer = new DerReader(extension2.value, 'authorityInfoAccess');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const addresses = [];
  for (let i = 0; !reader.atEnd; i++) {
    const description = reader.enter(TAG.SEQUENCE, `[${i}]`);
    const method = description.objectIdentifier('accessMethod');
    const location = description.next('accessLocation');
    if (method !== ACCESS_CA_ISSUERS || location.tag !== 134) continue;
    addresses.push(String.fromCharCode(...location.content));
  }
  return addresses;
}

// src/x509/name.ts
import { Buffer } from 'node:buffer';

var UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
var UTF16BE = new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true });
function readName(element, noteOddity) {
  if (element.tag !== TAG.SEQUENCE) element.fail('a name that is not a SEQUENCE');
  const relativeNames = [];
  const canonical = [];
  const names = element.enter();
  while (!names.atEnd) {
    const set2 = names.enter(TAG.SET, `rdn[${relativeNames.length}]`);
    if (set2.atEnd) set2.fail('a relative name without attributes');
    const attributes = [];
    const forms = [];
    let previous;
    while (!set2.atEnd) {
      const pair = set2.take(TAG.SEQUENCE, `attribute[${attributes.length}]`);
      if (previous !== void 0 && compareBytes(previous, pair.der) > 0) noteOddity('RDN-SET-not-sorted');
      previous = pair.der;
      readAttribute(pair.enter(), attributes, forms);
    }
    if (attributes.length > 1) noteOddity('multi-valued-RDN');
    relativeNames.push(attributes);
    canonical.push(forms.sort().join('+'));
  }
  return { der: element.der, relativeNames, canonical: canonical.join(',') };
}
function isEmptyName(name2) {
  return name2.relativeNames.length === 0;
}
function readAttribute(pair, attributes, forms) {
  const type = objectIdentifier(pair.take(TAG.OBJECT_IDENTIFIER, 'type'));
  const value = pair.next('value');
  pair.finish();
  const text = readString(value);
  attributes.push({ type, tag: value.tag, text });
  const form = text === void 0 ? `#${Buffer.from(value.der).toString('hex')}` : comparable(text);
  forms.push(`${type}=${form.length}:${form}`);
}
function readString(value) {
  const content = value.content;
  switch (value.tag) {
    case TAG.UTF8_STRING:
      return decode(UTF8, value);
    case TAG.PRINTABLE_STRING:
    case TAG.IA5_STRING:
    case TAG.NUMERIC_STRING:
    case TAG.VISIBLE_STRING:
      if (content.some((octet) => octet >= 128)) value.fail('a character outside ASCII');
      return latin1(content);
    case TAG.TELETEX_STRING:
      return latin1(content);
    case TAG.BMP_STRING:
      return decode(UTF16BE, value);
    case TAG.UNIVERSAL_STRING:
      return decodeUniversal(value);
    default:
      return void 0;
  }
}
function decode(decoder, value) {
  try {
    return decoder.decode(value.content);
  } catch {
    return value.fail(`not valid ${decoder.encoding}`);
  }
}
function decodeUniversal(value) {
  const content = value.content;
  if (content.length % 4 !== 0) value.fail('a UniversalString that is not whole characters');
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  let text = '';
  for (let at = 0; at < content.length; at += 4) {
    const point = view.getUint32(at);
    if (point > 1114111 || (point >= 55296 && point <= 57343)) value.fail('a UniversalString that is not Unicode');
    text += String.fromCodePoint(point);
  }
  return text;
}
function latin1(content) {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1');
}
function comparable(text) {
  const folded = /^[\x20-\x7e]*$/.test(text)
    ? text.toLowerCase()
    : text.normalize('NFKC').toLowerCase().normalize('NFKC');
  return folded.trim().replace(/\s+/g, ' ');
}
function compareBytes(a, b) {
  return Buffer.compare(a, b);
}
var SHORT_NAMES = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
};
function formatName(name2) {
  if (isEmptyName(name2)) return '(empty name)';
  return name2.relativeNames.map((attributes) => attributes.map(formatAttribute).join('+')).join(', ');
}
function formatAttribute({ type, text }) {
  return `${SHORT_NAMES[type] ?? type}=${text === void 0 ? '(binary)' : printable(text)}`;
}
function printable(text) {
  return text.replace(/[\\,+"\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, (character) =>
    /[\\,+"]/.test(character) ? `\\${character}` : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

// src/x509/signature-algorithm.ts
import { constants, verify } from 'node:crypto';

var SCHEMES = {
  '1.2.840.113549.1.1.5': { scheme: 'rsa-pkcs1', hash: 'sha1' },
  '1.2.840.113549.1.1.11': { scheme: 'rsa-pkcs1', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { scheme: 'rsa-pkcs1', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { scheme: 'rsa-pkcs1', hash: 'sha512' },
  '1.2.840.10045.4.1': { scheme: 'ecdsa', hash: 'sha1' },
  '1.2.840.10045.4.3.2': { scheme: 'ecdsa', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { scheme: 'ecdsa', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { scheme: 'ecdsa', hash: 'sha512' },
};
var RSASSA_PSS = '1.2.840.113549.1.1.10';
var MGF1 = '1.2.840.113549.1.1.8';
var HASHES = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};
function readSignatureAlgorithm(element, noteOddity) {
  const reader = element.enter();
  const identifier = reader.objectIdentifier('algorithm');
  const known = SCHEMES[identifier];
  if (known !== void 0) {
    const parameters = reader.atEnd ? void 0 : reader.next('parameters');
    reader.finish();
    const isNull = parameters?.tag === TAG.NULL && parameters.content.length === 0;
    if (parameters !== void 0 && !isNull && known.scheme === 'rsa-pkcs1')
      parameters.fail('parameters that are not NULL');
    if (known.scheme === 'rsa-pkcs1' && parameters === void 0) noteOddity('rsa-signature-parameters-absent');
    if (known.scheme === 'ecdsa' && parameters !== void 0) noteOddity('ecdsa-signature-parameters-present');
    return known;
  }
  return (identifier === RSASSA_PSS ? readPss(reader) : void 0) ?? { scheme: 'other', identifier };
}
function readPss(algorithm) {
  const reader = algorithm.enter(TAG.SEQUENCE, 'parameters');
  algorithm.finish();
  const hash = readHash(reader.takeIf(160, 'hashAlgorithm')?.enter());
  const mask = reader.takeIf(161, 'maskGenAlgorithm')?.enter();
  const maskHash = mask === void 0 ? 'sha1' : readMask(mask);
  const salt = reader.takeIf(162, 'saltLength')?.enter();
  const saltBytes = salt === void 0 ? 20 : readSmallInteger(salt);
  const trailer = reader.takeIf(163, 'trailerField')?.enter();
  const trailerField = trailer === void 0 ? 1 : readSmallInteger(trailer);
  reader.finish();
  if (hash === void 0 || maskHash !== hash || saltBytes === void 0 || trailerField !== 1) return void 0;
  return { scheme: 'rsa-pss', hash, saltBytes };
}
function readHash(wrapper) {
  if (wrapper === void 0) return 'sha1';
  const algorithm = wrapper.enter(TAG.SEQUENCE, 'hash');
  wrapper.finish();
  return HASHES[algorithm.objectIdentifier('algorithm')];
}
function readMask(wrapper) {
  const algorithm = wrapper.enter(TAG.SEQUENCE, 'mask');
  wrapper.finish();
  return algorithm.objectIdentifier('algorithm') === MGF1 ? readHash(algorithm) : void 0;
}
function readSmallInteger(wrapper) {
  const content = wrapper.integer('value');
  wrapper.finish();
  return content.length === 1 ? content[0] : void 0;
}
function unsoundness(algorithm) {
  if (algorithm.scheme === 'other') return 'unsupported_signature';
  return algorithm.hash === 'sha1' ? 'weak_signature' : void 0;
}
function describeSignature(algorithm) {
  return algorithm.scheme === 'other' ? algorithm.identifier : `${algorithm.scheme}-${algorithm.hash}`;
}
function verifySignature(algorithm, signed, signature, signer) {
  const { key, publicKey } = signer;
  try {
    switch (algorithm.scheme) {
      case 'rsa-pkcs1':
        if (key.type !== 'rsa' || key.use !== 'any') return false;
        return verify(algorithm.hash, signed, publicKey, signature);
      case 'rsa-pss':
        if (key.type !== 'rsa' || key.use === 'oaep') return false;
        return verify(
          algorithm.hash,
          signed,
          { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltBytes },
          signature,
        );
      case 'ecdsa':
        return key.type === 'ec' && verify(algorithm.hash, signed, publicKey, signature);
      case 'other':
        return false;
    }
  } catch {
    return false;
  }
}

// src/x509/subject-public-key.ts
import { Buffer as Buffer2 } from 'node:buffer';
import { createPublicKey } from 'node:crypto';

var CURVES = {
  '1.2.840.10045.3.1.7': { curve: 'P-256', bits: 256, coordinateBytes: 32 },
  '1.3.132.0.34': { curve: 'P-384', bits: 384, coordinateBytes: 48 },
  '1.3.132.0.35': { curve: 'P-521', bits: 521, coordinateBytes: 66 },
};
var RSA_USES = {
  '1.2.840.113549.1.1.1': 'any',
  '1.2.840.113549.1.1.7': 'oaep',
  '1.2.840.113549.1.1.10': 'pss',
};
var EC_PUBLIC_KEY = '1.2.840.10045.2.1';
var RSA_ENCRYPTION_NULL = Uint8Array.of(...[48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0]);
var RSA_BITS = { least: 2048, most: 8192 };
function readSubjectPublicKeyInfo(element) {
  const info = element.enter();
  const algorithm = info.take(TAG.SEQUENCE, 'algorithm');
  const bits = info.take(TAG.BIT_STRING, 'subjectPublicKey');
  info.finish();
  if (bits.content[0] !== 0) bits.fail('a public key that is not whole octets');
  const der = element.der;
  const parameters = algorithm.enter();
  const identifier = parameters.objectIdentifier('algorithm');
  const use = RSA_USES[identifier];
  if (use !== void 0) {
    const plain = use === 'any' && Buffer2.compare(algorithm.der, RSA_ENCRYPTION_NULL) === 0;
    return { der, plainDer: plain ? der : plainRsa(bits.der), key: readRsaKey(bits, use) };
  }
  if (identifier !== EC_PUBLIC_KEY) return { der, plainDer: der, key: { type: 'other', algorithm: identifier } };
  return { der, plainDer: der, key: readEcKey(bits, parameters) };
}
function readRsaKey(bits, use) {
  const key = bits.enter(1).enter(TAG.SEQUENCE, 'RSAPublicKey');
  const modulus = unsigned(key, 'modulus');
  const exponent = unsigned(key, 'publicExponent');
  key.finish();
  return { type: 'rsa', use, bits: bitLength(modulus), modulus, exponent };
}
function unsigned(reader, field) {
  const content = reader.integer(field);
  const [first = 0] = content;
  if (first >= 128) reader.fail(`a negative ${field}`);
  return first === 0 && content.length > 1 ? content.subarray(1) : content;
}
function bitLength(magnitude) {
  return magnitude.length * 8 - (Math.clz32(magnitude[0] ?? 0) - 24);
}
function readEcKey(bits, parameters) {
  if (parameters.nextTag !== TAG.OBJECT_IDENTIFIER) return { type: 'other', algorithm: EC_PUBLIC_KEY };
  const identifier = parameters.objectIdentifier('namedCurve');
  parameters.finish();
  if (!isCurve(identifier)) return { type: 'other', algorithm: identifier };
  const { curve, bits: keyBits, coordinateBytes } = CURVES[identifier];
  const point = bits.content.subarray(1);
  if (point[0] !== 4 || point.length !== 1 + 2 * coordinateBytes) bits.fail(`not an uncompressed ${curve} point`);
  return {
    type: 'ec',
    curve,
    bits: keyBits,
    x: point.subarray(1, 1 + coordinateBytes),
    y: point.subarray(1 + coordinateBytes),
  };
}
function isCurve(identifier) {
  return Object.hasOwn(CURVES, identifier);
}
function plainRsa(bitString2) {
  const length = RSA_ENCRYPTION_NULL.length + bitString2.length;
  const header = length < 128 ? [48, length] : longHeader(length);
  const der = new Uint8Array(header.length + length);
  der.set(header);
  der.set(RSA_ENCRYPTION_NULL, header.length);
  der.set(bitString2, header.length + RSA_ENCRYPTION_NULL.length);
  return der;
}
function longHeader(length) {
  const octets = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [48, 128 | octets.length, ...octets];
}
function importPublicKey({ der, key }) {
  try {
    switch (key.type) {
      case 'rsa':
        if (key.use === 'pss') return createPublicKey({ key: Buffer2.from(der), format: 'der', type: 'spki' });
        return createPublicKey({
          key: { kty: 'RSA', n: base64url(key.modulus), e: base64url(key.exponent) },
          format: 'jwk',
        });
      case 'ec':
        return createPublicKey({
          key: { kty: 'EC', crv: key.curve, x: base64url(key.x), y: base64url(key.y) },
          format: 'jwk',
        });
      case 'other':
        return void 0;
    }
  } catch {
    return void 0;
  }
}
function weakness(key) {
  if (key.type === 'ec') return void 0;
  if (key.type === 'other') return `a key of a kind that is not supported (${key.algorithm})`;
  if (key.bits < RSA_BITS.least) return `an RSA key of ${key.bits} bits; ${RSA_BITS.least} are required`;
  if (key.bits > RSA_BITS.most) return `an RSA key of ${key.bits} bits; more than ${RSA_BITS.most} are not checked`;
  if (((key.modulus.at(-1) ?? 0) & 1) === 0) return 'an RSA modulus that is even';
  return weakExponent(key.exponent);
}
function weakExponent(exponent) {
  if (exponent.length > 4) return `an RSA exponent of ${exponent.length} bytes`;
  const value = exponent.reduce((sum, octet) => sum * 256 + octet, 0);
  return value > 65536 && value % 2 === 1 ? void 0 : `the RSA exponent ${value}`;
}
function base64url(bytes) {
  return Buffer2.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

// src/x509/validity.ts
import { Buffer as Buffer3 } from 'node:buffer';

function readValidity(reader, noteOddity) {
  const notBefore = readTime(reader.next('notBefore'), noteOddity);
  const notAfter = readTime(reader.next('notAfter'), noteOddity);
  reader.finish();
  return { notBefore, notAfter };
}
function readTime(element, noteOddity) {
  const text = Buffer3.from(element.content).toString('latin1');
  if (element.tag === TAG.UTC_TIME) {
    if (!/^\d{12}Z$/.test(text)) element.fail('a UTCTime that is not YYMMDDhhmmssZ');
    const year2 = Number(text.slice(0, 2));
    return moment(element, (year2 < 50 ? 2e3 : 1900) + year2, text.slice(2));
  }
  if (element.tag !== TAG.GENERALIZED_TIME) element.fail('neither UTCTime nor GeneralizedTime');
  if (!/^\d{14}Z$/.test(text)) element.fail('a GeneralizedTime that is not YYYYMMDDhhmmssZ');
  const year = Number(text.slice(0, 4));
  if (year < 2050) noteOddity('GeneralizedTime-before-2050');
  return moment(element, year, text.slice(4));
}
function moment(element, year, rest) {
  const part = (at) => Number(rest.slice(at, at + 2));
  const [month, day, hour, minute, second] = [part(0), part(2), part(4), part(6), part(8)];
  const date = /* @__PURE__ */ new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const exists =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!exists) element.fail('a date or time that does not exist');
  return date;
}

// src/x509/certificate.ts
var MAX_CERTIFICATE_BYTES = 16384;
var MAX_SERIAL_BYTES = 21;
function parseCertificate(bytes) {
  if (bytes.length > MAX_CERTIFICATE_BYTES) {
    throw new MalformedCertificateError('certificate', 0, `${bytes.length} bytes, ${MAX_CERTIFICATE_BYTES} are read`);
  }
  const input = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const oddities = /* @__PURE__ */ new Set();
  const note = (oddity) => {
    oddities.add(oddity);
  };
  const outer = new DerReader(input, 'input');
  const element = outer.take(TAG.SEQUENCE, 'certificate');
  outer.finish();
  const certificate = element.enter();
  const signed = certificate.take(TAG.SEQUENCE, 'tbsCertificate');
  const algorithm = certificate.take(TAG.SEQUENCE, 'signatureAlgorithm');
  const signature = certificate.octetsOfBitString('signatureValue');
  certificate.finish();
  const tbs = signed.enter();
  readVersion(tbs);
  const serial = readSerial(tbs, note);
  const innerAlgorithm = tbs.take(TAG.SEQUENCE, 'signature');
  if (Buffer4.compare(innerAlgorithm.der, algorithm.der) !== 0) innerAlgorithm.fail('differs from signatureAlgorithm');
  const signatureAlgorithm2 = readSignatureAlgorithm(algorithm, note);
  const issuer = readName(tbs.take(TAG.SEQUENCE, 'issuer'), note);
  if (isEmptyName(issuer)) tbs.fail('an empty issuer');
  const { notBefore, notAfter } = readValidity(tbs.enter(TAG.SEQUENCE, 'validity'), note);
  const subject = readName(tbs.take(TAG.SEQUENCE, 'subject'), note);
  if (isEmptyName(subject)) note('empty-subject');
  const subjectPublicKeyInfo = readSubjectPublicKeyInfo(tbs.take(TAG.SEQUENCE, 'subjectPublicKeyInfo'));
  noteKey(subjectPublicKeyInfo, note);
  tbs.takeIf(129, 'issuerUniqueID');
  tbs.takeIf(130, 'subjectUniqueID');
  const extensions = readAllExtensions(tbs, note);
  tbs.finish();
  const read = (oid2, reader) => {
    const extension2 = extensions.get(oid2);
    return extension2 === void 0 ? void 0 : reader(extension2.value, note);
  };
  const keyUsage = read(EXTENSION.keyUsage, readKeyUsage);
  if (keyUsage !== void 0 && !extensions.get(EXTENSION.keyUsage)?.critical) note('keyUsage-noncritical');
  let publicKey;
  let fingerprint;
  return {
    der: element.der,
    tbs: signed.der,
    signatureAlgorithm: signatureAlgorithm2,
    signature,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    subjectPublicKeyInfo,
    extensions,
    basicConstraints: read(EXTENSION.basicConstraints, readBasicConstraints),
    keyUsage,
    extKeyUsage: read(EXTENSION.extKeyUsage, readExtKeyUsage),
    authorityKeyId: read(EXTENSION.authorityKeyIdentifier, readAuthorityKeyIdentifier),
    subjectKeyId: read(EXTENSION.subjectKeyIdentifier, readSubjectKeyIdentifier),
    oddities: [...oddities],
    get publicKey() {
      publicKey ??= importPublicKey(subjectPublicKeyInfo) ?? 'unusable';
      return publicKey === 'unusable' ? void 0 : publicKey;
    },
    get fingerprint() {
      fingerprint ??= createHash('sha256').update(element.der).digest('hex');
      return fingerprint;
    },
  };
}
function readVersion(tbs) {
  const wrapper = tbs.enter(160, 'version');
  const version = wrapper.integer('value');
  wrapper.finish();
  if (version.length !== 1 || version[0] !== 2) wrapper.fail('not a version 3 certificate');
}
function readSerial(tbs, note) {
  const element = tbs.take(TAG.INTEGER, 'serialNumber');
  const content = element.content;
  if (content.length === 0 || content.length > MAX_SERIAL_BYTES) {
    element.fail(`a serial number of ${content.length} bytes`);
  }
  if (!isShortestInteger(content)) note('serial-nonminimal');
  if ((content[0] ?? 0) >= 128) note('serial-negative');
  if (content.every((octet) => octet === 0)) note('serial-zero');
  return content;
}
function noteKey({ key }, note) {
  if (key.type !== 'rsa' || key.use === 'any') return;
  note(key.use === 'oaep' ? 'RSAES-OAEP-SPKI' : 'RSASSA-PSS-SPKI');
}
function readAllExtensions(tbs, note) {
  const wrapper = tbs.takeIf(163, 'extensions')?.enter();
  if (wrapper === void 0) return /* @__PURE__ */ new Map();
  const list = wrapper.enter(TAG.SEQUENCE, 'value');
  wrapper.finish();
  return readExtensions(list, note);
}

// src/x509/path-rules.ts
var PROCESSED = /* @__PURE__ */ new Set([
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extKeyUsage,
  EXTENSION.subjectAltName,
  // Any policy is acceptable, which leaves nothing to process.
  EXTENSION.certificatePolicies,
]);
function criticalExtensionProblems(certificate) {
  return [...certificate.extensions.values()]
    .filter(({ oid: oid2, critical }) => critical && !PROCESSED.has(oid2))
    .map(({ oid: oid2 }) => ({
      code: 'unknown_critical_extension',
      message: `${describe(certificate)} has the critical extension ${oid2}, which is not processed here`,
    }));
}
function validityProblems(certificate, now, allowExpired = false) {
  const { notBefore, notAfter } = certificate;
  if (now < notBefore) {
    const message = `${describe(certificate)} is not valid before ${notBefore.toISOString()}`;
    return [{ code: 'not_yet_valid', message }];
  }
  if (now > notAfter && !allowExpired) {
    return [{ code: 'expired', message: `${describe(certificate)} expired at ${notAfter.toISOString()}` }];
  }
  return [];
}
function leafUsageProblems(leaf, purpose) {
  if (leaf.extKeyUsage?.includes(purpose)) return [];
  const has = leaf.extKeyUsage === void 0 ? 'names no key purpose' : `is for ${leaf.extKeyUsage.join(', ')}`;
  return [{ code: 'eku', message: `${describe(leaf)} ${has}, not for ${purpose}` }];
}
function caUsageProblems(ca, purpose) {
  const purposes = ca.extKeyUsage;
  if (purposes === void 0 || purposes.includes(purpose) || purposes.includes(KEY_PURPOSE.any)) return [];
  return [{ code: 'eku', message: `${describe(ca)} may issue for ${purposes.join(', ')} only, not for ${purpose}` }];
}
function authorityProblems(ca, below, rules) {
  const problems = [...validityProblems(ca, rules.now), ...criticalExtensionProblems(ca)];
  if (ca.basicConstraints?.ca !== true) {
    problems.push({ code: 'not_a_ca', message: `${describe(ca)} is not a CA certificate` });
  }
  if (ca.keyUsage?.has('keyCertSign') === false) {
    problems.push({ code: 'missing_key_cert_sign', message: `${describe(ca)} may not sign certificates` });
  }
  const limit = ca.basicConstraints?.pathLength;
  const authoritiesBelow = below.slice(1).filter((certificate) => !isSelfIssued(certificate)).length;
  if (limit !== void 0 && authoritiesBelow > limit) {
    const message = `${describe(ca)} allows ${limit} CAs below it, the path has ${authoritiesBelow}`;
    problems.push({ code: 'path_length', message });
  }
  if (rules.requireEku !== void 0) problems.push(...caUsageProblems(ca, rules.requireEku));
  return problems;
}
function signatureProblem(subject, issuer) {
  const algorithm = subject.signatureAlgorithm;
  const unsound = unsoundness(algorithm);
  if (unsound !== void 0) {
    return { code: unsound, message: `${describe(subject)} is signed with ${describeSignature(algorithm)}` };
  }
  const { key } = issuer.subjectPublicKeyInfo;
  const weak = weakness(key);
  if (weak !== void 0) return { code: 'weak_key', message: `${describe(issuer)} has ${weak}` };
  const { publicKey } = issuer;
  if (publicKey === void 0) return { code: 'weak_key', message: `${describe(issuer)} has a key that is none` };
  if (verifySignature(algorithm, subject.tbs, subject.signature, { key, publicKey })) return void 0;
  return { code: 'bad_signature', message: `${describe(subject)} was not signed with the key of ${describe(issuer)}` };
}
function isSelfIssued(certificate) {
  return certificate.subject.canonical === certificate.issuer.canonical;
}
function describe(certificate) {
  if (certificate.subject.relativeNames.length > 0) return `"${formatName(certificate.subject)}"`;
  const serial = Array.from(certificate.serial, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return `certificate ${serial} of "${formatName(certificate.issuer)}"`;
}

// src/x509/tcg-attributes.ts
import { Buffer as Buffer5 } from 'node:buffer';
import { Set as Asn1Set, fromBER, Integer, ObjectIdentifier, Sequence, Utf8String } from 'asn1js';

var DIRECTORY_NAME = 164;
function readTcgSubject(value) {
  const outer = new DerReader(value, 'subjectAltName');
  const names = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const found = [];
  let multiValued = false;
  for (let i = 0; !names.atEnd; i++) {
    const general = names.next(`[${i}]`);
    if (general.tag !== DIRECTORY_NAME) continue;
    const wrapper = general.enter();
    const name2 = readName(wrapper.take(TAG.SEQUENCE, 'directoryName'), () => {});
    wrapper.finish();
    for (const relative of name2.relativeNames) {
      const ours = relative.filter(({ type }) => isTcgAttribute(type));
      if (ours.length > 1) multiValued = true;
      found.push(...ours);
    }
  }
  const texts = (oid2) => found.filter(({ type }) => type === oid2).map(({ text }) => text ?? '');
  return {
    manufacturer: texts(TCG_ATTRIBUTE.tpmManufacturer),
    model: texts(TCG_ATTRIBUTE.tpmModel),
    version: texts(TCG_ATTRIBUTE.tpmVersion),
    multiValued,
    notUtf8: found.some(({ tag }) => tag !== TAG.UTF8_STRING),
  };
}
function isTcgAttribute(type) {
  return type === TCG_ATTRIBUTE.tpmManufacturer || type === TCG_ATTRIBUTE.tpmModel || type === TCG_ATTRIBUTE.tpmVersion;
}
function readTpmSpecification(value) {
  assertDer(value, 'subjectDirectoryAttributes');
  const result = decode2(value);
  if (!(result instanceof Sequence)) return void 0;
  for (const attribute2 of result.valueBlock.value) {
    if (!(attribute2 instanceof Sequence)) continue;
    const [type, values] = attribute2.valueBlock.value;
    if (!(type instanceof ObjectIdentifier) || type.getValue() !== TCG_ATTRIBUTE.tpmSpecification) continue;
    return values instanceof Asn1Set ? readSpecification(values) : void 0;
  }
  return void 0;
}
function decode2(value) {
  try {
    return fromBER(Buffer5.from(value), { maxDepth: 16, maxNodes: 1e3 }).result;
  } catch (cause) {
    throw new MalformedCertificateError('subjectDirectoryAttributes', 0, 'not decodable', { cause });
  }
}
function readSpecification(values) {
  const [specification] = values.valueBlock.value;
  if (!(specification instanceof Sequence)) return void 0;
  const [family, level, revision] = specification.valueBlock.value;
  if (!(family instanceof Utf8String && level instanceof Integer && revision instanceof Integer)) return void 0;
  return { family: family.getValue(), level: level.valueBlock.valueDec, revision: revision.valueBlock.valueDec };
}

// src/x509/vendors.ts
var VENDORS = {
  '414D4400': { name: 'AMD' },
  '414E5400': { name: 'Ant Group' },
  '41544D4C': { name: 'Atmel' },
  '4252434D': { name: 'Broadcom' },
  '4353434F': { name: 'Cisco' },
  '464C5953': { name: 'Flyslice Technologies' },
  '474F4F47': { name: 'Google' },
  48495349: { name: 'Huawei' },
  48504500: { name: 'HPE' },
  48504900: { name: 'HPI' },
  '49424D00': { name: 'IBM' },
  49465800: { name: 'Infineon' },
  '494E5443': { name: 'Intel' },
  '4C454E00': { name: 'Lenovo' },
  '4D534654': { name: 'Microsoft' },
  '4E534700': { name: 'NSING' },
  '4E534D20': { name: 'National Semiconductor' },
  '4E544300': { name: 'Nuvoton' },
  '4E545A00': { name: 'Nationz' },
  '51434F4D': { name: 'Qualcomm' },
  '524F4343': { name: 'Fuzhou Rockchip' },
  53454345: { name: 'SecEdge' },
  '5345414C': { name: 'Wisekey' },
  '534D5343': { name: 'SMSC' },
  '534D534E': { name: 'Samsung' },
  '534E5300': { name: 'Sinosun' },
  '53544D20': { name: 'STMicroelectronics' },
  '54584E00': { name: 'Texas Instruments' },
  57454300: { name: 'Winbond' },
  // Not in the registry.
  '00001014': { name: 'swtpm', software: true },
  '49424D20': { name: 'TPM simulator', software: true },
  54434700: { name: 'TCG example', software: true },
  54534730: { name: 'TCG example', software: true },
  FFFFF1D0: { name: 'FIDO conformance tool', software: true },
};
function tpmVendor(id) {
  return Object.hasOwn(VENDORS, id) ? VENDORS[id] : void 0;
}

// src/x509/ek-profile.ts
function checkEkProfile(certificate, options = {}) {
  const problems = [
    ...serialProblems(certificate),
    ...usageProblems(certificate),
    ...keyProblems(certificate.subjectPublicKeyInfo.key, certificate),
  ];
  if (certificate.basicConstraints?.ca === true) {
    problems.push({ code: 'leaf_is_ca', message: `${describe(certificate)} is a CA certificate` });
  }
  const facts = readFacts(certificate, problems);
  if (facts?.specification?.family === '1.2') {
    problems.push({ code: 'tpm_family', message: `${describe(certificate)} is for a TPM of family 1.2` });
  }
  if (facts?.softwareTpm && !options.allowSoftwareTpm) {
    const { id, name: name2 } = facts.manufacturer;
    problems.push({ code: 'software_tpm', message: `manufacturer id:${id} (${name2}) is no hardware TPM's` });
  }
  return { facts, problems };
}
function serialProblems(certificate) {
  const { oddities } = certificate;
  if (!oddities.includes('serial-negative') && !oddities.includes('serial-zero')) return [];
  return [{ code: 'serial', message: `${describe(certificate)} has a serial number that is not positive` }];
}
function usageProblems(certificate) {
  const { keyUsage, subjectPublicKeyInfo } = certificate;
  const problems = leafUsageProblems(certificate, KEY_PURPOSE.ekCertificate).map(({ message }) => ({
    code: 'eku',
    message,
  }));
  const encrypts =
    keyUsage?.has('keyEncipherment') === true || // The profile wants keyAgreement with ECC; one vendor writes keyEncipherment there.
    (subjectPublicKeyInfo.key.type === 'ec' && keyUsage?.has('keyAgreement') === true);
  const signs = keyUsage?.has('digitalSignature') === true || keyUsage?.has('keyCertSign') === true;
  if (!encrypts || signs) {
    const has = keyUsage === void 0 ? 'no key usage' : `key usage ${[...keyUsage].join(', ') || '(none)'}`;
    problems.push({ code: 'key_usage', message: `${describe(certificate)} has ${has}: not an encryption key's` });
  }
  return problems;
}
function keyProblems(key, certificate) {
  const weak =
    weakness(key) ??
    (key.type === 'rsa' && key.use === 'pss' ? 'an RSA key for signatures only' : void 0) ??
    (certificate.publicKey === void 0 ? 'a key that is none' : void 0);
  return weak === void 0 ? [] : [{ code: 'weak_key', message: `${describe(certificate)} has ${weak}` }];
}
function readFacts(certificate, problems) {
  const extension2 = certificate.extensions.get(EXTENSION.subjectAltName);
  if (extension2 === void 0) {
    problems.push({ code: 'san_missing', message: `${describe(certificate)} has no subject alternative name` });
    return void 0;
  }
  if (!extension2.critical && certificate.oddities.includes('empty-subject')) {
    const message = `${describe(certificate)} has neither a subject nor a critical subject alternative name`;
    problems.push({ code: 'san_not_critical', message });
  }
  const subject = attempt(() => readTcgSubject(extension2.value));
  if (subject instanceof MalformedCertificateError) {
    problems.push({ code: 'san_malformed', message: subject.message });
    return void 0;
  }
  const named = readTpm(subject);
  if (typeof named === 'string') {
    problems.push({ code: 'tpm_attributes', message: `${describe(certificate)}: ${named}` });
    return void 0;
  }
  const oddities = [];
  if (subject.notUtf8) oddities.push('SAN-attribute-not-UTF8String');
  if (subject.multiValued) oddities.push('SAN-multi-valued-RDN');
  const specification = readSpecification2(certificate, oddities);
  const vendor = tpmVendor(named.id);
  return {
    manufacturer: { id: named.id, name: vendor?.name },
    model: named.model,
    version: named.version,
    specification,
    softwareTpm: vendor?.software === true,
    oddities,
  };
}
function readTpm(subject) {
  const { manufacturer, model, version } = subject;
  if (manufacturer.length !== 1 || model.length !== 1 || version.length !== 1) {
    return 'the subject alternative name must hold one TPM manufacturer, one model and one version';
  }
  const id = /^id:([0-9a-f]{8})$/i.exec(manufacturer[0] ?? '')?.[1]?.toUpperCase();
  if (id === void 0) return 'the TPM manufacturer is not "id:" and eight hex digits';
  const firmware = /^id:([0-9a-f]{2,8})$/i.exec(version[0] ?? '')?.[1]?.toUpperCase();
  if (firmware === void 0) return 'the TPM version is not "id:" and two to eight hex digits';
  const name2 = model[0] ?? '';
  return name2 === '' ? 'the TPM model is empty' : { id, model: name2, version: firmware };
}
function readSpecification2(certificate, oddities) {
  const extension2 = certificate.extensions.get(EXTENSION.subjectDirectoryAttributes);
  if (extension2 === void 0) return void 0;
  const specification = attempt(() => readTpmSpecification(extension2.value));
  if (!(specification instanceof MalformedCertificateError)) return specification;
  oddities.push('TPM-specification-unreadable');
  return void 0;
}
function attempt(read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedCertificateError) return error;
    throw error;
  }
}

// src/x509/intake.ts
var MAX_CHAIN_BYTES = 65536;
var MAX_CHAIN_CERTIFICATES = 10;
var STORED_CERTIFICATE = [16, 1, 0];
var STORED_HEADER_BYTES = 5;
var FULL_CERTIFICATE = [16, 2];
var PADDING_OCTETS = [0, 17, 255];
function takeCertificate(bytes) {
  if (bytes.length > MAX_CERTIFICATE_BYTES) {
    throw new MalformedCertificateError('input', 0, `${bytes.length} bytes, ${MAX_CERTIFICATE_BYTES} are read`);
  }
  const oddities = [];
  const body = startsWith(bytes, 0, STORED_CERTIFICATE) ? storedCertificate(bytes) : { start: 0, end: bytes.length };
  if (body.start > 0) oddities.push('TCG-header');
  const end = endOfCertificate(bytes, body.start, body.end);
  const padding = readPadding(bytes, end);
  if (padding !== void 0) oddities.push(padding);
  return { der: bytes.subarray(body.start, end), oddities };
}
function takeChain(blob) {
  if (blob.length > MAX_CHAIN_BYTES) {
    throw new MalformedCertificateError('chain', 0, `${blob.length} bytes, ${MAX_CHAIN_BYTES} are read`);
  }
  const certificates = [];
  let position = 0;
  while (blob[position] === TAG.SEQUENCE) {
    if (certificates.length === MAX_CHAIN_CERTIFICATES) {
      throw new MalformedCertificateError('chain', position, `more than ${MAX_CHAIN_CERTIFICATES} certificates`);
    }
    const end = endOfCertificate(blob, position, blob.length);
    if (end - position > MAX_CERTIFICATE_BYTES) {
      throw new MalformedCertificateError('chain', position, `a certificate of ${end - position} bytes`);
    }
    certificates.push(blob.subarray(position, end));
    position = end;
  }
  const padding = readPadding(blob, position);
  return { certificates, oddities: padding === void 0 ? [] : [padding] };
}
function storedCertificate(bytes) {
  const length = (bytes[3] ?? 0) * 256 + (bytes[4] ?? 0);
  const end = STORED_HEADER_BYTES + length;
  if (end > bytes.length) {
    throw new MalformedCertificateError('input.header', 3, `claims ${length} bytes, ${bytes.length - 5} are left`);
  }
  const tagged = startsWith(bytes, STORED_HEADER_BYTES, FULL_CERTIFICATE);
  return { start: STORED_HEADER_BYTES + (tagged ? FULL_CERTIFICATE.length : 0), end };
}
function endOfCertificate(bytes, start, end) {
  const reader = new DerReader(bytes, 'input', start, end);
  return start + reader.take(TAG.SEQUENCE, 'certificate').der.length;
}
function readPadding(bytes, start) {
  const fill = bytes[start];
  if (fill === void 0) return void 0;
  const padding = bytes.subarray(start);
  if (!PADDING_OCTETS.includes(fill) || padding.some((octet) => octet !== fill)) {
    throw new MalformedCertificateError('input', start, `${padding.length} bytes after the certificate, not padding`);
  }
  return `${padding.length}-trailing-bytes-${fill.toString(16).padStart(2, '0')}`;
}
function startsWith(bytes, at, prefix) {
  return prefix.every((octet, i) => bytes[at + i] === octet);
}

// src/x509/path.ts
// src/x509/pem.ts
import { Buffer as Buffer6, Buffer as Buffer7 } from 'node:buffer';

var BEGIN = '-----BEGIN CERTIFICATE-----';
var END = '-----END CERTIFICATE-----';
var MAX_BLOCK_CHARACTERS = MAX_CERTIFICATE_BYTES * 2;
function looksLikePem(bytes) {
  return Buffer6.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('-----BEGIN ');
}
function readPem(bytes) {
  const text = Buffer6.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const blocks = [];
  let open;
  let offset = 0;
  let line = 0;
  for (const raw of text.split('\n')) {
    line++;
    const fail = (reason) => {
      throw new MalformedCertificateError(`pem.line[${line}]`, offset, reason);
    };
    const content = raw.trimEnd();
    if (content.startsWith('-----')) {
      if (content !== (open === void 0 ? BEGIN : END)) {
        fail(`expected "${open === void 0 ? BEGIN : END}", found "${boundaryText(content)}"`);
      }
      if (open === void 0) open = { line, offset, base64: '' };
      else {
        blocks.push({ der: decodeBase64(open.base64, fail), line: open.line });
        open = void 0;
      }
    } else if (open !== void 0) {
      open.base64 += content.trimStart();
      if (open.base64.length > MAX_BLOCK_CHARACTERS) fail('a block longer than any certificate');
    }
    offset += raw.length + 1;
  }
  if (open !== void 0) throw new MalformedCertificateError(`pem.line[${open.line}]`, open.offset, 'is not ended');
  return blocks;
}
function decodeBase64(text, fail) {
  const der = Buffer6.from(text, 'base64');
  if (text === '' || der.toString('base64') !== text) fail('a block that is not base64');
  return new Uint8Array(der.buffer, der.byteOffset, der.byteLength);
}
function boundaryText(line) {
  return line.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
}

// src/x509/trust-store.ts
function trustStoreFrom(files) {
  const certificates = /* @__PURE__ */ new Map();
  const problems = [];
  const attempt2 = (name2, action) => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof MalformedCertificateError)) throw error;
      problems.push({ name: name2, message: error.message });
    }
  };
  const add = (der) => {
    const certificate = parseCertificate(der);
    certificates.set(certificate.fingerprint, certificate);
  };
  for (const { name: name2, bytes } of files) {
    attempt2(name2, () => {
      if (!looksLikePem(bytes)) return add(bytes);
      for (const { der, line } of readPem(bytes)) attempt2(`${name2}:${line}`, () => add(der));
    });
  }
  return { anchors: anchorsOf([...certificates.values()]), problems };
}
function anchorsOf(certificates) {
  return { certificates, bySubject: groupBySubject(certificates) };
}
function groupBySubject(certificates) {
  const groups = /* @__PURE__ */ new Map();
  for (const certificate of certificates) {
    const group = groups.get(certificate.subject.canonical);
    if (group === void 0) groups.set(certificate.subject.canonical, [certificate]);
    else group.push(certificate);
  }
  return groups;
}

// src/x509/path.ts
var MAX_PATH = 10;
var MAX_CANDIDATES = 64;
function validatePath(question) {
  const { leaf, now, requireEku } = question;
  if (Number.isNaN(now.getTime())) throw new TypeError('now is an invalid date');
  const problems = [
    ...validityProblems(leaf, now, question.allowExpiredLeaf),
    ...criticalExtensionProblems(leaf),
    ...(requireEku === void 0 ? [] : leafUsageProblems(leaf, requireEku)),
  ];
  const search = new PathSearch(question);
  const chain = search.from([leaf]);
  if (chain !== void 0 && problems.length === 0) return { ok: true, chain };
  if (chain !== void 0) return { ok: false, problems };
  const { problems: found, missingIssuer } = search.furthest;
  return { ok: false, problems: [...problems, ...found], ...(missingIssuer === void 0 ? {} : { missingIssuer }) };
}
var PathSearch = class {
  furthest = { progress: [-1, -1, -1], problems: [] };
  #question;
  #intermediates;
  #candidatesLeft = MAX_CANDIDATES;
  constructor(question) {
    this.#question = question;
    this.#intermediates = groupBySubject(question.intermediates);
  }
  /** Continues a path, leaf first, all of whose links hold so far. */
  from(path) {
    const subject = path.at(-1);
    const candidates = this.#issuersOf(subject, path);
    if (candidates.length === 0) this.#noteMissing(subject, path);
    for (const { issuer, isAnchor } of candidates) {
      if (path.length === MAX_PATH) {
        this.#note(path, 1, [{ code: 'too_deep', message: `no anchor within ${MAX_PATH} certificates` }]);
        return void 0;
      }
      if (this.#candidatesLeft === 0) {
        const message = `gave up after trying ${MAX_CANDIDATES} issuers`;
        this.furthest = { progress: [2, 0, 0], problems: [{ code: 'too_many_candidates', message }] };
        return void 0;
      }
      this.#candidatesLeft--;
      const unsigned2 = signatureProblem(subject, issuer);
      if (unsigned2 !== void 0) {
        this.#note(path, 1, [unsigned2]);
        continue;
      }
      const extended = [...path, issuer];
      const problems = authorityProblems(issuer, path, this.#question);
      if (problems.length > 0) {
        this.#note(extended, 1, problems, isAnchor);
        continue;
      }
      if (isAnchor) return extended;
      const chain = this.from(extended);
      if (chain !== void 0) return chain;
    }
    return void 0;
  }
  #issuersOf(subject, path) {
    const name2 = subject.issuer.canonical;
    const anchors2 = this.#question.anchors.bySubject.get(name2) ?? [];
    const others = this.#intermediates.get(name2) ?? [];
    const wanted = subject.authorityKeyId;
    const rank = ({ subjectKeyId }) => {
      if (wanted === void 0 || subjectKeyId === void 0) return 1;
      return sameBytes(wanted, subjectKeyId) ? 0 : 2;
    };
    return [
      ...anchors2.map((issuer) => ({ issuer, isAnchor: true, rank: rank(issuer) })),
      ...others.map((issuer) => ({ issuer, isAnchor: false, rank: rank(issuer) })),
    ]
      .filter((candidate) => candidate.rank < 2 && !path.some((earlier) => sameSubject(earlier, candidate.issuer)))
      .sort((a, b) => a.rank - b.rank);
  }
  #noteMissing(subject, path) {
    const name2 = formatName(subject.issuer);
    const keyId = subject.authorityKeyId;
    const key = keyId === void 0 ? '' : ` with key id ${Buffer7.from(keyId).toString('hex')}`;
    const message = `no CA certificate "${name2}"${key} is known, the issuer of ${describe(subject)}`;
    this.#note(path, 0, [{ code: 'unknown_issuer', message }], false, {
      name: name2,
      keyId,
      addresses: issuerAddresses(subject),
    });
  }
  #note(path, weight, problems, reachedAnchor = false, missingIssuer) {
    const progress = [reachedAnchor ? 1 : 0, path.length, weight];
    if (compare(progress, this.furthest.progress) <= 0) return;
    this.furthest = { progress, problems, ...(missingIssuer === void 0 ? {} : { missingIssuer }) };
  }
};
function compare(a, b) {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
function sameSubject(a, b) {
  return (
    a.subject.canonical === b.subject.canonical &&
    sameBytes(a.subjectPublicKeyInfo.plainDer, b.subjectPublicKeyInfo.plainDer)
  );
}
function sameBytes(a, b) {
  return a.length === b.length && Buffer7.compare(a, b) === 0;
}
function issuerAddresses(certificate) {
  try {
    return readIssuerAddresses(certificate.extensions);
  } catch (error) {
    if (error instanceof MalformedCertificateError) return [];
    throw error;
  }
}

// test/support/der-writer.ts
import { Buffer as Buffer8 } from 'node:buffer';
// test/support/certificate-recipe.ts
import { createPublicKey as createPublicKey2, sign } from 'node:crypto';

function tlv(tag, ...content) {
  const body = Buffer8.concat(content);
  return Buffer8.concat([Uint8Array.of(tag), lengthOctets(body.length), body]);
}
function lengthOctets(length) {
  if (length < 128) return Uint8Array.of(length);
  const octets = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.of(128 | octets.length, ...octets);
}
var sequence = (...content) => tlv(48, ...content);
var set = (...content) => tlv(49, ...content);
var explicit = (number, ...content) => tlv(160 | number, ...content);
var octetString = (...content) => tlv(4, ...content);
var bitString = (content, unused = 0) => tlv(3, Uint8Array.of(unused), content);
var boolean = (value) => tlv(1, Uint8Array.of(value ? 255 : 0));
var utf8String = (text) => tlv(12, Buffer8.from(text, 'utf8'));
var printableString = (text) => tlv(19, Buffer8.from(text, 'latin1'));
var derNull = () => tlv(5);
function integer(value) {
  if (typeof value !== 'number') return tlv(2, value);
  const octets = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  if (octets.length === 0 || (octets[0] ?? 0) >= 128) octets.unshift(0);
  return tlv(2, Uint8Array.from(octets));
}
function oid(dotted) {
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  return tlv(6, Uint8Array.from([first * 40n + second, ...rest].flatMap(arcOctets)));
}
function arcOctets(arc) {
  const octets = [Number(arc & 0x7fn)];
  for (let left = arc >> 7n; left > 0n; left >>= 7n) octets.unshift(Number(left & 0x7fn) | 128);
  return octets;
}
function time(date) {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  const isEarly = date.getUTCFullYear() < 2050;
  return tlv(isEarly ? 23 : 24, Buffer8.from(isEarly ? digits.slice(2) : digits, 'latin1'));
}

// test/support/certificate-recipe.ts
var commonName = (text, string = 'utf8') => [{ type: '2.5.4.3', text, string }];
function name(recipe) {
  return sequence(
    ...recipe.map((relative) => set(...(Array.isArray(relative) ? relative : [relative]).map(attribute))),
  );
}
function attribute({ type, text, string = 'utf8' }) {
  return sequence(oid(type), string === 'utf8' ? utf8String(text) : printableString(text));
}
var extension = ({ oid: type, critical = false, value }) =>
  sequence(oid(type), ...(critical ? [boolean(true)] : []), octetString(value));
var KEY_USAGE_BITS = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
];
function mintCertificate(recipe) {
  const { signer, hash = 'sha256' } = recipe;
  const publicKey = recipe.publicKey ?? createPublicKey2(signer).export({ format: 'der', type: 'spki' });
  const outer = recipe.signatureAlgorithm ?? signatureAlgorithm(signer, hash);
  const elements = [
    explicit(0, integer(2)),
    integer(recipe.serial ?? Uint8Array.of(1, 35)),
    recipe.innerAlgorithm ?? outer,
    name(recipe.issuer ?? commonName('Test')),
    sequence(
      moment2(recipe.notBefore ?? DEFAULT_VALIDITY.notBefore),
      moment2(recipe.notAfter ?? DEFAULT_VALIDITY.notAfter),
    ),
    name(recipe.subject ?? commonName('Test')),
    publicKey,
    explicit(3, sequence(...extensionsOf(recipe).map(extension))),
  ];
  const tbs = sequence(...(recipe.editTbs?.(elements) ?? elements));
  return sequence(tbs, outer, bitString(sign(hash, tbs, signer)));
}
var DEFAULT_VALIDITY = {
  notBefore: /* @__PURE__ */ new Date('2020-01-01T00:00:00Z'),
  notAfter: /* @__PURE__ */ new Date('2049-12-31T23:59:59Z'),
};
var NOW = /* @__PURE__ */ new Date('2026-06-01T12:00:00Z');
var moment2 = (value) => (value instanceof Date ? time(value) : value);
var SIGNATURES = {
  rsa: {
    sha1: '1.2.840.113549.1.1.5',
    sha256: '1.2.840.113549.1.1.11',
    sha384: '1.2.840.113549.1.1.12',
    sha512: '1.2.840.113549.1.1.13',
  },
  ec: {
    sha1: '1.2.840.10045.4.1',
    sha256: '1.2.840.10045.4.3.2',
    sha384: '1.2.840.10045.4.3.3',
    sha512: '1.2.840.10045.4.3.4',
  },
};
function signatureAlgorithm(signer, hash) {
  return signer.asymmetricKeyType === 'ec'
    ? sequence(oid(SIGNATURES.ec[hash]))
    : sequence(oid(SIGNATURES.rsa[hash]), derNull());
}
function extensionsOf(recipe) {
  const { basicConstraints, keyUsage, extKeyUsage, san, family, authorityKeyId, subjectKeyId } = recipe;
  const list = [];
  if (basicConstraints) {
    const { ca, pathLength } = basicConstraints;
    const value = sequence(...(ca ? [boolean(true)] : []), ...(pathLength === void 0 ? [] : [integer(pathLength)]));
    list.push({ oid: '2.5.29.19', critical: true, value });
  }
  if (keyUsage) list.push({ oid: '2.5.29.15', critical: true, value: keyUsageValue(keyUsage) });
  if (extKeyUsage) list.push({ oid: '2.5.29.37', value: sequence(...extKeyUsage.map(oid)) });
  if (san) list.push({ oid: '2.5.29.17', critical: recipe.sanCritical ?? true, value: tpmName(san) });
  if (family) list.push({ oid: '2.5.29.9', value: tpmSpecification(family) });
  if (authorityKeyId) list.push({ oid: '2.5.29.35', value: sequence(tlv(128, authorityKeyId)) });
  if (subjectKeyId) list.push({ oid: '2.5.29.14', value: octetString(subjectKeyId) });
  return [...list, ...(recipe.extraExtensions ?? [])];
}
function keyUsageValue(usages) {
  const octet = usages.reduce((bits, usage) => bits | (128 >> KEY_USAGE_BITS.indexOf(usage)), 0);
  return octet === 0 ? bitString(new Uint8Array()) : bitString(Uint8Array.of(octet), 31 - Math.clz32(octet & -octet));
}
function tpmName(tpm, layout = 'three', string = 'utf8') {
  const entries = [
    { type: '2.23.133.2.1', text: tpm.manufacturer ?? 'id:49465800', string },
    { type: '2.23.133.2.2', text: tpm.model ?? 'SLB 9670', string },
    { type: '2.23.133.2.3', text: tpm.version ?? 'id:073F', string },
  ];
  return sequence(tlv(164, name(layout === 'one' ? [entries] : entries)));
}
var tpmSpecification = (family) =>
  sequence(sequence(oid('2.23.133.2.16'), set(sequence(utf8String(family), integer(0), integer(138)))));

// test/support/pki.ts
import { Buffer as Buffer9 } from 'node:buffer';
import { createHash as createHash2, createPublicKey as createPublicKey3, generateKeyPairSync } from 'node:crypto';

var keys = /* @__PURE__ */ new Map();
function keyPair(algorithm, label) {
  const name2 = `${algorithm} ${label}`;
  const known = keys.get(name2);
  if (known !== void 0) return known;
  const made = algorithm.startsWith('rsa')
    ? generateKeyPairSync('rsa', { modulusLength: Number(algorithm.slice(3)) })
    : generateKeyPairSync('ec', { namedCurve: `P-${algorithm.slice(1)}` });
  keys.set(name2, made);
  return made;
}
var keyIdOf = (spki) => new Uint8Array(createHash2('sha1').update(spki).digest());
var spkiOf = (key) => key.export({ format: 'der', type: 'spki' });
var EK_USAGE = '2.23.133.8.1';
function mintEkChain(recipe = {}) {
  const algorithm = recipe.keyAlgorithm ?? 'p256';
  const rootKey = keyPair(algorithm, 'root');
  const intermediateKey = keyPair(algorithm, 'intermediate');
  const root = mintAuthority('Test TPM Root CA', rootKey, { issuer: 'Test TPM Root CA', key: rootKey }, recipe.root);
  const intermediate = mintAuthority(
    'Test TPM Intermediate CA',
    intermediateKey,
    { issuer: 'Test TPM Root CA', key: rootKey },
    recipe.intermediate,
  );
  const issuer = { issuer: 'Test TPM Intermediate CA', key: intermediateKey };
  const leaf = mintEkCertificate(issuer, { publicKey: spkiOf(keyPair(algorithm, 'ek').publicKey), ...recipe.leaf });
  return {
    root,
    intermediate,
    leaf,
    rootKey,
    intermediateKey,
    get anchors() {
      return anchorsOf([root.certificate]);
    },
  };
}
function mintAuthority(subject, key, { issuer, key: signer }, recipe = {}) {
  return minted(
    mintCertificate({
      subject: commonName(subject),
      issuer: commonName(issuer),
      publicKey: spkiOf(key.publicKey),
      signer: signer.privateKey,
      basicConstraints: { ca: true },
      keyUsage: ['keyCertSign', 'cRLSign'],
      authorityKeyId: keyIdOf(spkiOf(signer.publicKey)),
      subjectKeyId: keyIdOf(spkiOf(key.publicKey)),
      ...recipe,
    }),
  );
}
function mintEkCertificate({ issuer, key }, recipe) {
  const isRsa =
    createPublicKey3({ key: Buffer9.from(recipe.publicKey), format: 'der', type: 'spki' }).asymmetricKeyType === 'rsa';
  return minted(
    mintCertificate({
      subject: [],
      issuer: commonName(issuer),
      signer: key.privateKey,
      basicConstraints: { ca: false },
      keyUsage: [isRsa ? 'keyEncipherment' : 'keyAgreement'],
      extKeyUsage: [EK_USAGE],
      san: {},
      family: '2.0',
      authorityKeyId: keyIdOf(spkiOf(key.publicKey)),
      ...recipe,
    }),
  );
}
function minted(der) {
  let certificate;
  return {
    der,
    get certificate() {
      certificate ??= parseCertificate(der);
      return certificate;
    },
  };
}
function pem(...certificates) {
  return certificates
    .map((der) => {
      const lines =
        Buffer9.from(der)
          .toString('base64')
          .match(/.{1,64}/g) ?? [];
      return `-----BEGIN CERTIFICATE-----
${lines.join('\n')}
-----END CERTIFICATE-----
`;
    })
    .join('');
}

// test/x509/zz_tmp.ts
var F = (m) => {
  throw new Error(m);
};
var expect = (a) => ({
  toBe(b) {
    if (a !== b) F('toBe');
  },
  toContain(b) {
    if (!a.has(b)) F('notin');
  },
  toBeGreaterThan(b) {
    if (!(a > b)) F('gt');
  },
  toBeLessThanOrEqual(b) {
    if (!(a <= b)) F('le');
  },
});
var test = (n, f) => {
  const t = performance.now();
  try {
    f();
    console.log('ok', n, performance.now() - t);
  } catch (e) {
    console.log('FAIL', n, String(e.message).slice(0, 3e3), e.cause);
  }
};
var mutation = fc.record({
  kind: fc.constantFrom('set', 'flip', 'insert', 'cut', 'copy'),
  at: fc.nat({ max: 65535 }),
  from: fc.nat({ max: 65535 }),
  octet: fc.oneof(fc.constantFrom(0, 1, 48, 127, 128, 129, 130, 132, 255), fc.integer({ min: 0, max: 255 })),
});
function mutate(seed, mutations) {
  let bytes = Uint8Array.from(seed);
  for (const { kind, at, from, octet } of mutations) {
    const position = at % Math.max(bytes.length, 1);
    const source = from % Math.max(bytes.length, 1);
    const before = bytes.subarray(0, position);
    const after = bytes.subarray(position);
    if (kind === 'set') bytes = bytes.length === 0 ? bytes : bytes.with(position, octet);
    else if (kind === 'flip')
      bytes = bytes.length === 0 ? bytes : bytes.with(position, (bytes[position] ?? 0) ^ (1 << (octet & 7)));
    else if (kind === 'insert') bytes = Buffer10.concat([before, Uint8Array.of(octet), after]);
    else if (kind === 'cut') bytes = Buffer10.concat([before, after.subarray(octet)]);
    else bytes = Buffer10.concat([before, bytes.subarray(source, source + octet), after]);
  }
  return bytes;
}
var mutated = (...seeds2) => {
  const single = mutation.map((change) => [{ ...change, kind: change.octet < 128 ? 'flip' : 'set' }]);
  const several = fc.array(mutation, { minLength: 1, maxLength: 4 });
  return fc
    .tuple(fc.constantFrom(...seeds2), fc.oneof(single, several))
    .map(([seed, mutations]) => mutate(seed, mutations));
};
function outcome(action) {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    return void 0;
  }
}
var ec = mintEkChain();
var rsa = mintEkChain({ keyAlgorithm: 'rsa2048' });
var seeds = [ec.leaf.der, ec.intermediate.der, rsa.leaf.der, rsa.root.der];
var anchors = anchorsOf([ec.root.certificate, rsa.root.certificate]);
var intermediates = [ec.intermediate.certificate, rsa.intermediate.certificate];
test('a mutated certificate is read or refused, and what is read is judged', () => {
  const trusted = new Set(seeds.map((der) => Buffer10.from(der).toString('hex')));
  fc.assert(
    fc.property(mutated(...seeds), (bytes) => {
      const certificate = outcome(() => parseCertificate(bytes));
      if (certificate === void 0) return;
      expect(Buffer10.compare(certificate.der, bytes)).toBe(0);
      checkEkProfile(certificate);
      const verdict = validatePath({ leaf: certificate, intermediates, anchors, now: NOW });
      if (verdict.ok) expect(trusted).toContain(Buffer10.from(bytes).toString('hex'));
      else expect(verdict.problems.length).toBeGreaterThan(0);
    }),
    { numRuns: 4e5 },
  );
});
test('a mutated CA certificate among the intermediates gets a verdict as well', () => {
  fc.assert(
    fc.property(mutated(ec.intermediate.der), (bytes) => {
      const certificate = outcome(() => parseCertificate(bytes));
      if (certificate === void 0) return;
      const verdict = validatePath({
        leaf: ec.leaf.certificate,
        intermediates: [certificate],
        anchors: ec.anchors,
        now: NOW,
      });
      expect(verdict.ok).toBe(Buffer10.compare(bytes, ec.intermediate.der) === 0);
    }),
    { numRuns: 15e4 },
  );
});
test('mutated TCG attributes are read or refused', () => {
  fc.assert(
    fc.property(mutated(tpmName({}), tpmName({}, 'one', 'printable')), (bytes) => {
      outcome(() => readTcgSubject(bytes));
    }),
    { numRuns: 15e4 },
  );
  fc.assert(
    fc.property(mutated(tpmSpecification('2.0')), (bytes) => {
      outcome(() => readTpmSpecification(bytes));
    }),
    { numRuns: 15e4 },
  );
});
test('any bytes from an NV index are taken or refused', () => {
  const blob = new Uint8Array(Buffer10.concat([ec.leaf.der, ec.intermediate.der, new Uint8Array(16).fill(255)]));
  const header = new Uint8Array(Buffer10.concat([Uint8Array.of(16, 1, 0, 0, 0), ec.leaf.der]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated(blob, header)), (bytes) => {
      outcome(() => takeCertificate(bytes));
      outcome(() => takeChain(bytes));
    }),
    { numRuns: 15e4 },
  );
});
test('any file of the trust store is read or reported', () => {
  const bundle = Buffer10.from(pem(ec.root.der, ec.intermediate.der));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated(bundle, ec.root.der)), (bytes) => {
      const { anchors: anchors2, problems } = trustStoreFrom([{ name: 'file', bytes }]);
      expect(anchors2.certificates.length + problems.length).toBeLessThanOrEqual(8);
    }),
    { numRuns: 15e4 },
  );
});
