/**
 * Both implementations of the steps with public keys, on the same cases. The keys are made here, by node:crypto; what is
 * wrong with each case is in its name. The hostile ones follow the classes of Project Wycheproof, rsa_signature_verify,
 * rsa_pss and ecdsa_verify, without its data.
 */
import { Buffer } from 'node:buffer';
import { constants, createPublicKey, ECDH, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bigEndian, concat, hex } from '../../src/bytes/bytes.ts';
import { NIST_CURVES, type NistCurve } from '../../src/bytes/nist-curves.ts';
import type { PublicKey, PublicNumbers } from '../../src/public-key/public-key.ts';
import type { SignatureForm } from '../../src/public-key/signature-steps.ts';
import { makeCredential } from '../../src/tpm/make-credential.ts';
import { publicAreaOf } from '../../src/tpm/public-key.ts';
import { NODE_STEPS } from '../../src/tpm/public-key-steps.ts';
import { type HashAlgorithm, hashAlgorithmByName } from '../../src/tpm/structures/algorithms.ts';
import { TPM_ALG, TPM_ECC } from '../../src/tpm/structures/constants.ts';
import type { TpmtPublic } from '../../src/tpm/structures/public.ts';
import { ekTemplateNamed } from '../../src/tpm/templates.ts';
import { openCredential } from '../support/credential-opener.ts';
import { keyOfNumbers, numbersOf, publicKey } from '../support/public-keys.ts';
import { BOTH_STEPS } from '../support/steps.ts';

const DATA = Uint8Array.from(Buffer.from('what the TPM says'));
const LARGE = new Uint8Array(65_536).fill(7);
const HASHES = ['sha1', 'sha256', 'sha384', 'sha512'] as const;

const RSA = [2048, 3072].map((modulusLength) => generateKeyPairSync('rsa', { modulusLength }));
const EC = NIST_CURVES.map(({ openssl }) => generateKeyPairSync('ec', { namedCurve: openssl }));
const [RSA_2048] = RSA as [(typeof RSA)[number]];

interface Case {
  readonly what: string;
  readonly key: PublicKey;
  readonly form: SignatureForm;
  readonly data?: Uint8Array;
  readonly signature: Uint8Array;
}

/** A magnitude of so many octets. */
function octets(value: bigint, width: number): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(width * 2, '0'), 'hex'));
}

function signed(key: KeyObject, form: SignatureForm, data: Uint8Array): Uint8Array {
  if (form.scheme === 'ecdsa')
    return new Uint8Array(
      sign(form.hash, data, { key, dsaEncoding: form.encoding === undefined ? 'der' : 'ieee-p1363' }),
    );
  if (form.scheme === 'rsa-pkcs1') return new Uint8Array(sign(form.hash, data, key));
  const saltLength = form.saltBytes === 'any' ? constants.RSA_PSS_SALTLEN_MAX_SIGN : form.saltBytes;
  return new Uint8Array(sign(form.hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }));
}

function formsOf(type: 'rsa' | 'ec', hash: string): readonly SignatureForm[] {
  if (type === 'ec')
    return [
      { scheme: 'ecdsa', hash },
      { scheme: 'ecdsa', hash, encoding: 'r-s' },
    ];
  const salts = ['any', 0, 32] as const;
  return [
    { scheme: 'rsa-pkcs1', hash },
    ...salts.map((saltBytes) => ({ scheme: 'rsa-pss', hash, saltBytes }) as const),
  ];
}

const GOOD: readonly Case[] = [...RSA, ...EC].flatMap(({ publicKey: made, privateKey }) =>
  HASHES.flatMap((hash) =>
    formsOf(made.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec', hash).flatMap((form) =>
      [DATA, new Uint8Array(), LARGE].map((data) => ({
        what: `${made.asymmetricKeyDetails?.namedCurve ?? made.asymmetricKeyDetails?.modulusLength} ${JSON.stringify(form)} of ${data.length} bytes`,
        key: publicKey(made),
        form,
        data,
        signature: signed(privateKey, form, data),
      })),
    ),
  ),
);

const PKCS1: SignatureForm = { scheme: 'rsa-pkcs1', hash: 'sha256' };
const PSS: Extract<SignatureForm, { scheme: 'rsa-pss' }> = { scheme: 'rsa-pss', hash: 'sha256', saltBytes: 'any' };

function hostileRsa(): readonly Case[] {
  const { publicKey: made, privateKey } = RSA_2048;
  const numbers = numbersOf(made);
  if (numbers.type !== 'rsa') throw new Error('an RSA key');
  const { modulus, exponent } = numbers;
  const n = bigEndian(modulus);
  const key = publicKey(made);
  const salted: SignatureForm = { scheme: 'rsa-pss', hash: 'sha256', saltBytes: 32 };
  const ofSignature = [PKCS1, PSS, salted].flatMap((form): Case[] => {
    const signature = signed(privateKey, form, DATA);
    const s = bigEndian(signature);
    const changed: readonly (readonly [string, Uint8Array])[] = [
      ['empty', new Uint8Array()],
      ['of one byte', Uint8Array.of(1)],
      ['a byte shorter', signature.subarray(0, -1)],
      ['a byte shorter in front', signature.subarray(1)],
      ['with a zero behind', concat(signature, Uint8Array.of(0))],
      ['with a zero in front', concat(Uint8Array.of(0), signature)],
      ['of zero', new Uint8Array(256)],
      ['of one', octets(1n, 256)],
      ['equal to the modulus', modulus],
      ['the modulus less one', octets(n - 1n, 256)],
      ['with every bit set', new Uint8Array(256).fill(255)],
      ['of twice the size', concat(signature, signature)],
      ['with another bit', signature.with(100, (signature[100] ?? 0) ^ 1)],
      ...(s + n < 1n << 2048n ? [['with the modulus added', octets(s + n, 256)] as const] : []),
    ];
    return changed.map(([what, one]) => ({ what: `${form.scheme}: a signature ${what}`, key, form, signature: one }));
  });
  const odd: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
    ['modulus of no bytes', new Uint8Array(), exponent],
    ['modulus zero', Uint8Array.of(0), exponent],
    ['modulus zero, of full width', new Uint8Array(256), exponent],
    ['modulus one', Uint8Array.of(1), exponent],
    ['modulus three', Uint8Array.of(3), Uint8Array.of(1)],
    ['an even modulus', modulus.with(255, (modulus[255] ?? 0) & 0xfe), exponent],
    ['another modulus', modulus.with(10, (modulus[10] ?? 0) ^ 1), exponent],
    ['modulus of 16392 bits', concat(new Uint8Array(2049).fill(255)), exponent],
    ['exponent of no bytes', modulus, new Uint8Array()],
    ['exponent zero', modulus, Uint8Array.of(0)],
    ['exponent one', modulus, Uint8Array.of(1)],
    ['an even exponent', modulus, Uint8Array.of(1, 0, 0)],
    ['exponent three', modulus, Uint8Array.of(3)],
    ['the modulus as exponent', modulus, modulus],
    ['an exponent longer than the modulus', modulus, concat(Uint8Array.of(1), modulus)],
  ];
  const ofKey = odd.flatMap(([what, n, e]) =>
    [PKCS1, PSS].map((form) => ({
      what: `${form.scheme}: ${what}`,
      key: keyOfNumbers({ type: 'rsa', modulus: n, exponent: e, use: 'any' }),
      form,
      signature: signed(privateKey, form, DATA),
    })),
  );
  const by = (what: string, made: SignatureForm, form: SignatureForm): Case => ({
    what,
    key,
    form,
    signature: signed(privateKey, made, DATA),
  });
  return [
    ...ofSignature,
    ...ofKey,
    by('another salt length', salted, { ...PSS, saltBytes: 20 }),
    by('a longer salt length', salted, { ...PSS, saltBytes: 33 }),
    by('a salt of the greatest length', { ...PSS, saltBytes: 222 }, { ...PSS, saltBytes: 32 }),
    by('a salt that cannot be', salted, { ...PSS, saltBytes: 255 }),
    by('PSS taken for PKCS #1', PSS, PKCS1),
    by('PKCS #1 taken for PSS', PKCS1, PSS),
    by('PSS with another hash', PSS, { ...PSS, hash: 'sha384' }),
    by('PKCS #1 with another hash', PKCS1, { ...PKCS1, hash: 'sha512' }),
    by('RSA taken for ECDSA', PKCS1, { scheme: 'ecdsa', hash: 'sha256' }),
    by('RSA over SM3', PKCS1, { ...PKCS1, hash: 'sm3' }),
    by('PSS over SM3', PSS, { ...PSS, hash: 'sm3' }),
    by('a hash of no name', PKCS1, { ...PKCS1, hash: '' }),
    // The bytes around a DigestInfo (RFC 8017 §9.2), as a forger of small exponents would place them.
    { what: 'the padded hash itself', key, form: PKCS1, signature: concat(Uint8Array.of(0, 1), new Uint8Array(254)) },
  ];
}

/** ECDSA-Sig-Value of two INTEGERs given by their contents. */
function sequence(r: Uint8Array, s: Uint8Array): Uint8Array {
  const element = (tag: number, content: Uint8Array): Uint8Array =>
    concat(Uint8Array.of(tag, ...(content.length < 128 ? [content.length] : [0x81, content.length])), content);
  return element(0x30, concat(element(2, r), element(2, s)));
}

function shortest(value: bigint): Uint8Array {
  const digits = value.toString(16);
  const bytes = Uint8Array.from(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'));
  return (bytes[0] ?? 0) < 0x80 ? bytes : concat(Uint8Array.of(0), bytes);
}

function hostileEc({ name, coordinateBytes: width, order }: NistCurve, index: number): readonly Case[] {
  const { publicKey: made, privateKey } = EC[index] as (typeof EC)[number];
  const numbers = numbersOf(made);
  if (numbers.type !== 'ec') throw new Error('an EC key');
  const { x, y } = numbers;
  const key = publicKey(made);
  const raw: SignatureForm = { scheme: 'ecdsa', hash: 'sha256', encoding: 'r-s' };
  const der: SignatureForm = { scheme: 'ecdsa', hash: 'sha256' };
  const good = signed(privateKey, raw, DATA);
  const [r, s] = [bigEndian(good.subarray(0, width)), bigEndian(good.subarray(width))];
  const pair = (one: bigint, other: bigint): Uint8Array => concat(octets(one, width), octets(other, width));
  const most = (1n << BigInt(width * 8)) - 1n;
  const ofNumbers: readonly (readonly [string, bigint, bigint])[] = [
    ['r of zero', 0n, s],
    ['s of zero', r, 0n],
    ['both zero', 0n, 0n],
    ['r of one', 1n, s],
    ['s of one', r, 1n],
    ['both one', 1n, 1n],
    ['r of the order', order, s],
    ['s of the order', r, order],
    ['r of the order less one', order - 1n, s],
    ['r with every bit set', most, s],
    ['s with every bit set', r, most],
    ...(r + order <= most ? [['the order added to r', r + order, s] as const] : []),
    ...(s + order <= most ? [['the order added to s', r, s + order] as const] : []),
    ['r and s exchanged', s, r],
  ];
  const rawCases = ofNumbers.flatMap(([what, one, other]): Case[] => [
    { what, key, form: raw, signature: pair(one, other) },
    { what: `${what}, in DER`, key, form: der, signature: sequence(shortest(one), shortest(other)) },
  ]);
  const [dr, ds] = [shortest(r), shortest(s)];
  const whole = sequence(dr, ds);
  const long = concat(
    Uint8Array.of(0x30, 0x82, 0, whole.length - (whole[1] === 0x81 ? 3 : 2)),
    whole.subarray(whole[1] === 0x81 ? 3 : 2),
  );
  const derCases: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', new Uint8Array()],
    ['an empty SEQUENCE', Uint8Array.of(0x30, 0)],
    ['a zero in front of r', sequence(concat(Uint8Array.of(0), dr), ds)],
    ['a zero in front of s', sequence(dr, concat(Uint8Array.of(0), ds))],
    ['a byte behind', concat(whole, Uint8Array.of(0))],
    ['a byte behind, inside', sequence(dr, concat(ds, Uint8Array.of(0)))],
    ['a negative r', sequence(concat(Uint8Array.of(0xff), octets(r, width)), ds)],
    ['a negative s', sequence(dr, Uint8Array.of(0x80))],
    ['r of no bytes', sequence(new Uint8Array(), ds)],
    ['a longer length', long],
    [
      'an indefinite length',
      concat(Uint8Array.of(0x30, 0x80), whole.subarray(whole[1] === 0x81 ? 3 : 2), Uint8Array.of(0, 0)),
    ],
    ['a byte less', whole.subarray(0, -1)],
    ['another tag', whole.with(0, 0x31)],
    ['r of 1,000 bytes', sequence(new Uint8Array(100).fill(1), new Uint8Array(27).fill(1))],
    ['64 KiB', LARGE],
    ['r ‖ s', good],
  ];
  const rawWidths: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', new Uint8Array()],
    ['a byte less', good.subarray(0, -1)],
    ['a byte more', concat(good, Uint8Array.of(0))],
    ['a byte more in front', concat(Uint8Array.of(0), good)],
    ['r alone', good.subarray(0, width)],
    ['DER', whole],
    ['64 KiB', LARGE],
  ];
  const zero = new Uint8Array(width);
  const points: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
    ['a point off the curve', x, y.with(width - 1, (y[width - 1] ?? 0) ^ 1)],
    ['the point 0, 0', zero, zero],
    ['x of zero', zero, y],
    ['x with every bit set', new Uint8Array(width).fill(255), y],
    ['y with every bit set', x, new Uint8Array(width).fill(255)],
    ['x and y exchanged', y, x],
    ['no x', new Uint8Array(), y],
    ['no point', new Uint8Array(), new Uint8Array()],
    ['x a byte shorter', x.subarray(1), y],
    ['y a byte longer', x, concat(Uint8Array.of(0), y)],
  ];
  return [
    ...rawCases,
    ...derCases.map(([what, signature]) => ({ what: `DER: ${what}`, key, form: der, signature })),
    ...rawWidths.map(([what, signature]) => ({ what: `r ‖ s: ${what}`, key, form: raw, signature })),
    ...points.map(([what, px, py]) => ({
      what,
      key: keyOfNumbers({ type: 'ec', curve: name, x: px, y: py }),
      form: raw,
      signature: good,
    })),
    { what: 'other data', key, form: raw, data: LARGE, signature: good },
    { what: 'another hash', key, form: { ...raw, hash: 'sha384' }, signature: good },
    { what: 'a hash of no name', key, form: { ...raw, hash: 'none' }, signature: good },
    { what: 'ECDSA taken for RSA', key, form: PKCS1, signature: good },
  ].map((one) => ({ ...one, what: `${name}: ${one.what}` }));
}

/** x = 5 is that of a point of P-256. Were x reduced, 5 + p would be the same point's (SEC 2 has p). */
function aboveThePrime(): PublicNumbers {
  const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  const point = ECDH.convertKey(
    concat(Uint8Array.of(2), octets(5n, 32)),
    'prime256v1',
    undefined,
    undefined,
    'uncompressed',
  );
  return { type: 'ec', curve: 'P-256', x: octets(p + 5n, 32), y: new Uint8Array(point as Buffer).slice(33) };
}

const HOSTILE: readonly Case[] = [...hostileRsa(), ...NIST_CURVES.flatMap(hostileEc)];

describe.each(BOTH_STEPS)('steps by %s', (name, steps) => {
  const verdictOn = ({ key, form, data = DATA, signature }: Case): boolean =>
    steps.verifies(key, form, data, signature);

  test('have their name', () => {
    expect(steps.name).toBe(name);
  });

  test.each(GOOD)('accept $what', (one) => {
    expect(verdictOn(one)).toBe(true);
    expect(verdictOn({ ...one, data: concat(one.data ?? DATA, Uint8Array.of(0)) })).toBe(false);
    expect(verdictOn({ ...one, signature: one.signature.with(-1, (one.signature.at(-1) ?? 0) ^ 1) })).toBe(false);
  });

  test.each(HOSTILE)('refuse $what', (one) => {
    expect(verdictOn(one)).toBe(false);
  });

  test('leave nothing in the error queue of OpenSSL', () => {
    const told = (): unknown => {
      try {
        return createPublicKey({ key: Buffer.from('3000', 'hex'), format: 'der', type: 'spki' });
      } catch (error) {
        return (error as { opensslErrorStack?: unknown }).opensslErrorStack;
      }
    };
    told();
    const alone = told();
    for (const one of HOSTILE) verdictOn(one);
    expect(told()).toEqual(alone);
  });

  test.each([...RSA, ...EC])('take the numbers of a key for one', ({ publicKey: made }) => {
    expect(steps.isKey(publicKey(made))).toBe(true);
  });

  test.each(HOSTILE.filter(({ key }) => key.numbers.type === 'ec' && key.imported === undefined))(
    'take no key for one: $what',
    ({ key }) => {
      expect(steps.isKey(key)).toBe(false);
    },
  );

  test('do not take a coordinate above the prime for the one below it', () => {
    expect(steps.isKey(keyOfNumbers(aboveThePrime()))).toBe(false);
    const { x, ...others } = aboveThePrime() as Extract<PublicNumbers, { type: 'ec' }>;
    expect(steps.isKey(keyOfNumbers({ ...others, x: octets(5n, x.length) }))).toBe(true);
  });
});

const NIST_IDS: Readonly<Record<string, number>> = {
  'P-256': TPM_ECC.NIST_P256,
  'P-384': TPM_ECC.NIST_P384,
  'P-521': TPM_ECC.NIST_P521,
};

const EKS: readonly (readonly [string, TpmtPublic, KeyObject])[] = [
  ...[RSA_2048, ...EC].flatMap(({ publicKey: made, privateKey }) =>
    ([TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512] as const).flatMap((nameAlg) =>
      [128, 256].map((keyBits): readonly [string, TpmtPublic, KeyObject] => {
        const area = endorsementArea(made, nameAlg, keyBits);
        return [`${made.asymmetricKeyDetails?.namedCurve ?? 'RSA'}, hash ${nameAlg}, AES-${keyBits}`, area, privateKey];
      }),
    ),
  ),
];

function endorsementArea(key: KeyObject, nameAlg: number, keyBits: number): TpmtPublic {
  const { publicArea } = ekTemplateNamed(key.asymmetricKeyType === 'rsa' ? 'L-1' : 'L-2');
  if (publicArea.type !== 'rsa' && publicArea.type !== 'ecc') throw new Error('an EK');
  const symmetric = { algorithm: TPM_ALG.AES, keyBits, mode: TPM_ALG.CFB };
  const numbers = numbersOf(key);
  const curveId = NIST_IDS[numbers.type === 'ec' ? numbers.curve : 'P-256'] ?? 0;
  const parameters = { ...publicArea.parameters, symmetric, ...(numbers.type === 'ec' ? { curveId } : {}) };
  const area = publicAreaOf(key, { ...publicArea, nameAlg, parameters } as TpmtPublic);
  if (area === undefined) throw new Error('the key does not fit the template');
  return area;
}

const NAME = concat(Uint8Array.of(0, 11), new Uint8Array(32).fill(3));

describe.each(BOTH_STEPS)('credentials by %s', (_, steps) => {
  const make = (ek: TpmtPublic, entropy: (bytes: number) => Uint8Array = randomBytes, secret = DATA) =>
    makeCredential(ek, NAME, secret, entropy, undefined, steps);

  test.each(EKS)('of an EK by %s are opened with its private key', (__, publicArea, privateKey) => {
    for (const secret of [DATA, new Uint8Array(), new Uint8Array(20).fill(9)]) {
      const opened = openCredential({ publicArea, privateKey }, NAME, make(publicArea, randomBytes, secret));
      expect(hex(opened ?? Uint8Array.of(0xff))).toBe(hex(secret));
    }
    expect(openCredential({ publicArea, privateKey }, NAME.with(5, 1), make(publicArea))).toBeUndefined();
  });

  test.each(EKS)('of an EK by %s are the same for the same entropy, up to the seed of OAEP', (__, publicArea) => {
    const drawn = new Uint8Array(66).fill(1);
    const entropy = (bytes: number): Uint8Array => drawn.subarray(0, bytes);
    const made = make(publicArea, entropy);
    const expected = makeCredential(publicArea, NAME, DATA, entropy, undefined, NODE_STEPS);
    expect(hex(made.credentialBlob)).toBe(hex(expected.credentialBlob));
    if (publicArea.type === 'ecc') expect(hex(made.encryptedSecret)).toBe(hex(expected.encryptedSecret));
    else expect(made.encryptedSecret).toHaveLength(256);
  });

  const recipe = {
    hash: hashOf('sha256'),
    cipher: 'aes-128-cfb',
    keyBits: 128,
    identity: new Uint8Array(34),
    name: NAME,
  };

  test.each(NIST_CURVES)('refuse a scalar of $name outside 1..n-1', ({ coordinateBytes, order }) => {
    const key = publicKey((EC.find((_, i) => NIST_CURVES[i]?.order === order) as (typeof EC)[number]).publicKey);
    const seal = (scalar: bigint) => steps.seal(key, octets(scalar, coordinateBytes), recipe);
    for (const scalar of [0n, order, order + 1n]) expect(() => seal(scalar)).toThrow();
    for (const scalar of [1n, 2n, order - 1n]) expect(seal(scalar).seed).toHaveLength(2 * coordinateBytes);
    // The ephemeral point of the scalar 1 is the base point: its sum with that of n - 1 is none, and they share x.
    expect(hex(seal(1n).seed.subarray(0, coordinateBytes))).toBe(
      hex(seal(order - 1n).seed.subarray(0, coordinateBytes)),
    );
  });

  test.each(HOSTILE.filter(({ key }) => key.numbers.type === 'ec' && key.imported === undefined))(
    'are not made for $what',
    ({ key }) => {
      const width =
        key.numbers.type === 'ec'
          ? (NIST_CURVES.find(({ name }) => name === (key.numbers as { curve: string }).curve)?.coordinateBytes ?? 0)
          : 0;
      expect(() => steps.seal(key, octets(7n, width), recipe)).toThrow();
    },
  );

  test.each(['a modulus of zero', 'an even modulus', 'a modulus smaller than OAEP needs'])(
    'are not made for %s',
    (what) => {
      const { modulus, exponent } = numbersOf(RSA_2048.publicKey) as Extract<PublicNumbers, { type: 'rsa' }>;
      const numbers = {
        'a modulus of zero': new Uint8Array(256),
        'an even modulus': modulus.with(255, 2),
        'a modulus smaller than OAEP needs': modulus.subarray(0, 60).with(59, 1),
      }[what] as Uint8Array;
      const key = keyOfNumbers({ type: 'rsa', modulus: numbers, exponent, use: 'any' });
      expect(() => steps.seal(key, new Uint8Array(32).fill(1), recipe)).toThrow();
    },
  );

  test('are not made for an EK on a curve that is unknown', () => {
    const [, area] = EKS.find(([what]) => what.startsWith('prime256v1')) as (typeof EKS)[number];
    if (area.type !== 'ecc') throw new Error('an ECC key');
    expect(() => make({ ...area, parameters: { ...area.parameters, curveId: 0x7777 } })).toThrow(RangeError);
  });
});

function hashOf(name: string): HashAlgorithm {
  const found = hashAlgorithmByName(name);
  if (found === undefined) throw new Error(`no hash ${name}`);
  return found;
}

describe('both', () => {
  const [[, node], [, native]] = BOTH_STEPS as [(typeof BOTH_STEPS)[number], (typeof BOTH_STEPS)[number]];
  const bytes = fc.uint8Array({ maxLength: 80 });

  test('agree on a good signature with anything changed', () => {
    const edit = fc.record({
      at: fc.nat(),
      octet: fc.nat(255),
      cut: fc.nat(3),
      grown: fc.uint8Array({ maxLength: 3 }),
    });
    const change = (
      of: Uint8Array,
      { at, octet, cut, grown }: { at: number; octet: number; cut: number; grown: Uint8Array },
    ) =>
      concat(
        of.length === 0 ? of : of.with(at % of.length, octet).subarray(0, of.length - Math.min(cut, of.length)),
        grown,
      );
    fc.assert(
      fc.property(
        fc.constantFrom(...GOOD),
        edit,
        fc.constantFrom('signature', 'number', 'none'),
        ({ key, form, data = DATA, signature }, how, part) => {
          const { numbers } = key;
          const changed: PublicNumbers =
            part !== 'number'
              ? numbers
              : numbers.type === 'rsa'
                ? { ...numbers, modulus: change(numbers.modulus, how) }
                : { ...numbers, y: change(numbers.y, how) };
          const one = part === 'number' ? keyOfNumbers(changed) : key;
          const other = part === 'signature' ? change(signature, how) : signature;
          expect(native.verifies(one, form, data, other)).toBe(node.verifies(one, form, data, other));
          if (numbers.type === 'ec') expect(native.isKey(one)).toBe(node.isKey(one));
        },
      ),
      { numRuns: 600 },
    );
  });

  test('agree on numbers and signatures of any kind', () => {
    const rsa = fc.record({
      type: fc.constant('rsa' as const),
      use: fc.constant('any' as const),
      modulus: bytes,
      exponent: fc.uint8Array({ maxLength: 5 }),
    });
    const ec = fc.record({
      type: fc.constant('ec' as const),
      curve: fc.constantFrom(...NIST_CURVES.map(({ name }) => name)),
      x: bytes,
      y: bytes,
    });
    const forms = fc.constantFrom(...formsOf('rsa', 'sha256'), ...formsOf('ec', 'sha256'), ...formsOf('rsa', 'sm3'));
    fc.assert(
      fc.property(fc.oneof(rsa, ec), forms, bytes, bytes, (numbers, form, data, signature) => {
        const key = keyOfNumbers(numbers);
        expect(native.verifies(key, form, data, signature)).toBe(node.verifies(key, form, data, signature));
      }),
      { numRuns: 2000 },
    );
  });
});
