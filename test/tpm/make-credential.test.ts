import { constants, createPublicKey, generateKeyPairSync, privateDecrypt, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/bytes/bytes.ts';
import { makeCredential } from '../../src/tpm/make-credential.ts';
import { publicAreaOf } from '../../src/tpm/public-key.ts';
import { hashAlgorithm } from '../../src/tpm/structures/algorithms.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import {
  type EccPublic,
  type RsaPublic,
  type TpmtPublic,
  tpm2bPublic,
  tpmtPublic,
} from '../../src/tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplateName } from '../../src/tpm/templates.ts';
import { corpusRows, describeCorpus } from '../support/corpus.ts';
import { rsaPrivateKey } from '../support/rsa-private-key.ts';
import { readVectors, unhex } from '../support/vectors.ts';

interface Vector {
  readonly template: string;
  readonly key: string;
  readonly nameAlg: string;
  /** Hexadecimal p and q of an RSA EK. */
  readonly ekPrimes?: readonly [string, string];
  readonly ekPublic: string;
  readonly entropy: string;
  readonly seed: string;
  readonly akName: string;
  readonly secret: string;
  readonly credentialBlob: string;
  readonly encryptedSecret: string;
}

const { vectors, source } = readVectors<{ source: string; vectors: readonly Vector[] }>('make-credential.json');
/** What no swtpm can activate: for these the vectors are all the proof there is. */
const NOT_IN_SWTPM = ['SM2', 'RSA-4096'];
const named = vectors.map((vector, i) => ({
  ...vector,
  title: `${i}: ${vector.template} ${vector.key}${NOT_IN_SWTPM.includes(vector.key) ? ' (which swtpm lacks)' : ''}`,
}));

/** Gives `bytes` once; a second call is one too many. */
function once(bytes: Uint8Array): (count: number) => Uint8Array {
  let given = false;
  return (count) => {
    if (given || count !== bytes.length) throw new Error(`${count} bytes were not to be asked for`);
    given = true;
    return bytes;
  };
}

describe(source, () => {
  test.each(named)('$title: the credential is the independently computed one', (vector) => {
    const ek = decode(tpmtPublic, unhex(vector.ekPublic));
    const made = makeCredential(ek, unhex(vector.akName), unhex(vector.secret), once(unhex(vector.entropy)));
    expect(hex(made.credentialBlob)).toBe(vector.credentialBlob);
    if (vector.ekPrimes === undefined) {
      expect(hex(made.encryptedSecret)).toBe(vector.encryptedSecret);
      return;
    }
    // OAEP draws a seed of its own, so the block differs at every run; what it opens to does not.
    const [p, q] = vector.ekPrimes;
    const key = rsaPrivateKey(BigInt(`0x${p}`), BigInt(`0x${q}`));
    const oaepLabel = Buffer.from('IDENTITY\0');
    const open = (block: Uint8Array, label: Buffer = oaepLabel) =>
      hex(
        privateDecrypt(
          {
            key,
            padding: constants.RSA_PKCS1_OAEP_PADDING,
            oaepHash: hashAlgorithm(ek.nameAlg)?.name ?? '',
            oaepLabel: label,
          },
          block,
        ),
      );
    expect(open(made.encryptedSecret)).toBe(vector.seed);
    expect(open(unhex(vector.encryptedSecret))).toBe(vector.seed);
    expect(() => open(made.encryptedSecret, Buffer.from('IDENTITY'))).toThrow();
  });

  test('there is one of each kind of key', () => {
    expect([...new Set(vectors.map(({ key }) => key))].sort()).toEqual(
      ['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-3072', 'RSA-4096', 'SM2'].sort(),
    );
  });
});

interface CorpusVector {
  readonly name: string;
  readonly ekPublicTpm2b?: string;
  readonly ekPublicKeyPem?: string;
  readonly akName: string;
  readonly credential: string;
  readonly seed: string;
  readonly ephemeralPrivate?: string;
  readonly expectedCredentialBlobTpm2b?: string;
  readonly expectedEncryptedSecretTpm2b?: string;
  readonly expectedCredentialBlobThenSecret?: string;
}

describeCorpus('credentials of other implementations', () => {
  const rows = corpusRows<'vectors', CorpusVector>('vectors/makecredential.json', 'vectors');
  test.each(rows)('$name is made the same, for RSA up to the OAEP block', (vector) => {
    const ek =
      vector.ekPublicTpm2b === undefined
        ? templateWith(vector.ekPublicKeyPem ?? '')
        : decode(tpm2bPublic, unhex(vector.ekPublicTpm2b));
    const expected =
      (vector.expectedCredentialBlobTpm2b ?? '') + (vector.expectedEncryptedSecretTpm2b ?? '') ||
      (vector.expectedCredentialBlobThenSecret ?? '');
    const drawn = unhex(vector.ephemeralPrivate ?? vector.seed);
    const made = makeCredential(ek, unhex(vector.akName), unhex(vector.credential), () => drawn);
    const sized = (bytes: Uint8Array) => bytes.length.toString(16).padStart(4, '0') + hex(bytes);
    if (ek.type === 'ecc') expect(sized(made.credentialBlob) + sized(made.encryptedSecret)).toBe(expected);
    else expect(expected.startsWith(`${sized(made.credentialBlob)}0100`)).toBe(true);
  });

  function templateWith(pem: string): TpmtPublic {
    const key = createPublicKey(pem);
    const publicArea = publicAreaOf(key, ekTemplate(key.asymmetricKeyType === 'rsa' ? 'L-1' : 'L-2'));
    if (publicArea === undefined) throw new Error('neither RSA-2048 nor P-256');
    return publicArea;
  }
});

describe('what the credential depends on', () => {
  const vector = named.find(({ key }) => key === 'P-256');
  if (vector === undefined) throw new Error('there is a P-256 vector');
  const ek = decode(tpmtPublic, unhex(vector.ekPublic)) as EccPublic;
  const name = unhex(vector.akName);
  const secret = unhex(vector.secret);
  const entropy = () => unhex(vector.entropy);

  test('is every input', () => {
    const otherName = name.with(5, (name[5] ?? 0) ^ 1);
    const otherSecret = secret.with(0, (secret[0] ?? 0) ^ 1);
    const { symmetric } = ek.parameters;
    if (symmetric === null) throw new Error('an EK has a symmetric cipher');
    const aes256 = { ...ek, parameters: { ...ek.parameters, symmetric: { ...symmetric, keyBits: 256 } } };
    const blobs = [
      makeCredential(ek, name, secret, entropy),
      makeCredential(ek, otherName, secret, entropy),
      makeCredential(ek, name, otherSecret, entropy),
      makeCredential(ek, name, secret, () => unhex(vector.entropy).with(31, 1)),
      makeCredential(aes256, name, secret, entropy),
      makeCredential({ ...ek, nameAlg: TPM_ALG.SHA384 }, name, secret, entropy),
      makeCredential({ ...ek, nameAlg: TPM_ALG.SM3_256 }, name, secret, entropy),
    ].map(({ credentialBlob }) => hex(credentialBlob));
    expect(new Set(blobs).size).toBe(blobs.length);
  });

  test('is not the rest of the public area: attributes and policy are for the caller to check', () => {
    const loose = { ...ek, objectAttributes: 0, authPolicy: new Uint8Array() };
    expect(makeCredential(loose, name, secret, entropy)).toEqual(makeCredential(ek, name, secret, entropy));
  });
});

describe('a scalar', () => {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const scalar = (value: bigint) => unhex(value.toString(16).padStart(64, '0'));
  const ek = decode(tpmtPublic, unhex(named.find(({ key }) => key === 'P-256')?.ekPublic ?? '')) as EccPublic;
  const drawnUntil = (values: readonly bigint[]) => {
    let calls = 0;
    makeCredential(ek, unhex('000b'), unhex('01'), () => scalar(values[calls++] ?? 1n));
    return calls;
  };

  test.each([
    { value: 1n, draws: 1 },
    { value: order - 1n, draws: 1 },
    { value: 0n, draws: 2 },
    { value: order, draws: 2 },
    { value: 2n ** 256n - 1n, draws: 2 },
  ])('of $value takes $draws draws', ({ value, draws }) => {
    expect(drawnUntil([value, 7n])).toBe(draws);
  });

  test('is not drawn for ever', () => {
    expect(() => makeCredential(ek, unhex('000b'), unhex('01'), (bytes) => new Uint8Array(bytes))).toThrow(
      'the entropy source does not give usable scalars',
    );
  });
});

describe('refuses, as the caller has to choose the key', () => {
  const name = unhex(`000b ${'11'.repeat(32)}`);
  const secret = randomBytes(32);
  const attempt = (ek: TpmtPublic, what: Uint8Array = secret) => makeCredential(ek, name, what, randomBytes);
  const rsa = withKey('L-1') as RsaPublic;
  const ecc = withKey('L-2') as EccPublic;
  const symmetric = { algorithm: TPM_ALG.AES, keyBits: 128, mode: TPM_ALG.CFB };

  test.each([
    { what: 'RSA', ek: rsa },
    { what: 'P-256', ek: ecc },
    { what: 'P-384', ek: withKey('H-3') },
    { what: 'P-521', ek: withKey('H-4') },
  ])('none of the keys that are right: $what', ({ ek }) => {
    expect(attempt(ek).encryptedSecret.length).toBeGreaterThan(64);
  });

  const rows: readonly { what: string; ek: TpmtPublic; error: string }[] = [
    { what: 'no symmetric cipher', ek: { ...rsa, parameters: { ...rsa.parameters, symmetric: null } }, error: 'CFB' },
    {
      what: 'another mode than CFB',
      ek: { ...rsa, parameters: { ...rsa.parameters, symmetric: { ...symmetric, mode: TPM_ALG.CBC } } },
      error: 'CFB',
    },
    {
      what: 'AES of a size that does not exist',
      ek: { ...rsa, parameters: { ...rsa.parameters, symmetric: { ...symmetric, keyBits: 129 } } },
      error: 'CFB',
    },
    {
      what: 'Camellia',
      ek: { ...rsa, parameters: { ...rsa.parameters, symmetric: { ...symmetric, algorithm: TPM_ALG.CAMELLIA } } },
      error: 'CFB',
    },
    { what: 'no name algorithm', ek: { ...rsa, nameAlg: TPM_ALG.NULL }, error: 'no credential with nameAlg' },
    { what: 'an unknown curve', ek: { ...ecc, parameters: { ...ecc.parameters, curveId: 0x10 } }, error: 'curve' },
    {
      what: 'a coordinate longer than the field',
      ek: { ...ecc, unique: { ...ecc.unique, x: new Uint8Array(33).fill(1) } },
      error: 'curve',
    },
    {
      what: 'a symmetric object',
      ek: {
        type: 'symCipher',
        nameAlg: TPM_ALG.SHA256,
        objectAttributes: 0,
        authPolicy: new Uint8Array(),
        parameters: { symmetric },
        unique: new Uint8Array(),
      },
      error: 'a symCipher object is no EK',
    },
  ];
  test.each(rows)('an EK with $what', ({ ek, error }) => {
    expect(() => attempt(ek)).toThrow(RangeError);
    expect(() => attempt(ek)).toThrow(error);
  });

  test('a point off the curve', () => {
    const { x, y } = ecc.unique;
    expect(() => attempt({ ...ecc, unique: { x, y: y.with(31, (y[31] ?? 0) ^ 1) } })).toThrow();
  });

  test('a secret longer than the digest of the name algorithm', () => {
    expect(attempt(rsa, new Uint8Array(32)).credentialBlob.length).toBe(2 + 32 + 2 + 32);
    expect(() => attempt(rsa, new Uint8Array(33))).toThrow('longer than 32 bytes');
    expect(attempt(withKey('H-3'), new Uint8Array(48)).credentialBlob.length).toBe(2 + 48 + 2 + 48);
    expect(() => attempt(withKey('H-3'), new Uint8Array(49))).toThrow('longer than 48 bytes');
  });
});

function ekTemplate(name: EkTemplateName): TpmtPublic {
  const template = EK_TEMPLATES.find((each) => each.name === name);
  if (template === undefined) throw new Error(name);
  return template.publicArea;
}

/** The template with a new key of its kind. */
function withKey(name: EkTemplateName): TpmtPublic {
  const template = ekTemplate(name);
  const curves: Readonly<Partial<Record<EkTemplateName, string>>> = { 'L-2': 'P-256', 'H-3': 'P-384', 'H-4': 'P-521' };
  const { publicKey } =
    template.type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: template.parameters.keyBits })
      : generateKeyPairSync('ec', { namedCurve: curves[name] ?? '' });
  const publicArea = publicAreaOf(publicKey, template);
  if (publicArea === undefined) throw new Error(name);
  return publicArea;
}
