import { createPublicKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bigEndian, concat, hex } from '../../src/bytes/bytes.ts';
import { NODE_STEPS } from '../../src/tpm/public-key-steps.ts';
import { curve, hashAlgorithmByName } from '../../src/tpm/structures/algorithms.ts';
import type { QuoteAttest } from '../../src/tpm/structures/attest.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_ECC, TPM_RH } from '../../src/tpm/structures/constants.ts';
import { handleName, qualifiedName } from '../../src/tpm/structures/name.ts';
import { pcrSelection, type TpmlPcrSelection, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { SIGNATURE_ALG, type TpmtSignature, tpmtSignature } from '../../src/tpm/structures/signature.ts';
import {
  type AcceptableAk,
  type AttestationKey,
  isAcceptedScheme,
  judgeAttestationKey,
} from '../../src/verifier/attestation-key.ts';
import type { FindingCode } from '../../src/verifier/findings.ts';
import { type QuoteExpectation, type SignedQuote, verifyQuote } from '../../src/verifier/quote.ts';
import { Findings } from '../../src/verifier/verdict.ts';
import { corpusRows, describeCorpus, readCorpus } from '../support/corpus.ts';
import { publicKey } from '../support/public-keys.ts';
import {
  digest,
  eccAk,
  ecdsa,
  pssWithMaskHash,
  quoteBytes,
  quoteOf,
  rsaAk,
  type SoftwareAk,
  signatureOf,
  signedBytes,
  valuesFor,
} from '../support/software-ak.ts';
import { type SwtpmQuote, swtpmAttestations, unhex } from '../support/vectors.ts';

const { SHA1, SHA256, SHA384, SHA512 } = TPM_ALG;

/** The finding codes, in order; empty for a quote that is what was asked for. */
function judge(ak: AttestationKey, quote: SignedQuote, expected: QuoteExpectation): readonly FindingCode[] {
  const findings = new Findings();
  const verified = verifyQuote(ak, quote, expected, findings);
  expect(verified === undefined, 'a quote with findings is not verified').toBe(!findings.none);
  return findings.list.map(({ code }) => code);
}

function acceptable(publicBytes: Uint8Array): AcceptableAk {
  const findings = new Findings();
  const ak = judgeAttestationKey(publicBytes, findings);
  if (ak === undefined || !findings.none) throw new Error(findings.list.map(({ message }) => message).join());
  return ak;
}

const endorsementSigner = (ak: AcceptableAk) => qualifiedName(handleName(TPM_RH.ENDORSEMENT), ak.name);
const flip = (bytes: Uint8Array, at: number, bit = 1) => bytes.with(at, (bytes.at(at) ?? 0) ^ bit);

// --- Recorded from a TPM -----------------------------------------------------------------------------------------

/** `sha1:0,7+sha256:0,7` */
function selectionOf(text: string): TpmlPcrSelection {
  return text.split('+').map((bank) => {
    const [name = '', list = ''] = bank.split(':');
    return pcrSelection(hashAlgorithmByName(name)?.id ?? 0, list.split(',').map(Number));
  });
}

function recorded(row: SwtpmQuote) {
  const ak = acceptable(unhex(row.akPublic));
  const pcrSelectionAsked = selectionOf(row.selection);
  const values = unhex(row.pcrValues);
  const pcrValues: Uint8Array[] = [];
  let offset = 0;
  for (const { length } of values.length === 0 ? [] : valuesFor(pcrSelectionAsked)) {
    pcrValues.push(values.slice(offset, offset + length));
    offset += length;
  }
  const quote = { quoted: unhex(row.quoted), signature: unhex(row.signature), pcrValues };
  const expected = {
    extraData: unhex(row.nonce),
    pcrSelection: pcrSelectionAsked,
    qualifiedSigner: endorsementSigner(ak),
  };
  return { ak, quote, expected };
}

const quotes = swtpmAttestations.quotes;
const quoteNamed = (name: string) => {
  const row = quotes.find((each) => each.name === name);
  if (row === undefined) throw new Error(name);
  return recorded(row);
};

describe(`quotes of ${swtpmAttestations.source}`, () => {
  const good = quotes.filter(({ name }) => !['below-ek', 'unallocated-bank'].includes(name));
  test.each(good)('$name is what was asked for, with the values the TPM had', (row) => {
    const { ak, quote, expected } = recorded(row);
    const findings = new Findings();
    const verified = verifyQuote(ak, quote, expected, findings);
    expect(findings.list).toEqual([]);
    expect(verified?.pcrs.map(({ value }) => value).join('')).toBe(row.pcrValues);
    expect(verified?.pcrs.map(({ bank, index }) => `${bank}:${index}`)).toEqual(
      row.selection.split('+').flatMap((bank) => {
        const [name, list = ''] = bank.split(':');
        return list.split(',').map((index) => `${name}:${index}`);
      }),
    );
    expect(judge(ak, quote, { extraData: undefined, pcrSelection: undefined, qualifiedSigner: undefined })).toEqual([]);
  });

  test.each(good)('$name with any one byte of what was signed changed is not its signature', (row) => {
    const { ak, quote, expected } = recorded(row);
    for (let at = 0; at < quote.quoted.length; at++)
      expect(judge(ak, { ...quote, quoted: flip(quote.quoted, at) }, expected)).toContain('quote.signature');
  });

  test.each(good)('$name with a byte of the signature changed is refused for it', (row) => {
    const { ak, quote, expected } = recorded(row);
    for (let at = 0; at < quote.signature.length; at += 5) {
      const codes = judge(ak, { ...quote, signature: flip(quote.signature, at, 0x40) }, expected);
      expect(codes.length, `byte ${at}`).toBeGreaterThan(0);
      expect(codes[0]).toMatch(/^quote\.(signature|malformed|scheme)$/);
    }
  });

  test.each(good)('$name is not the answer to another question', (row) => {
    const { ak, quote, expected } = recorded(row);
    const { extraData, pcrSelection: asked } = expected;
    const [first] = asked;
    if (first === undefined) throw new Error('something was asked for');
    expect(judge(ak, quote, { ...expected, extraData: flip(extraData, 31) })).toEqual(['quote.commitment']);
    const more = [{ ...first, pcrSelect: flip(first.pcrSelect, 2, 0x10) }, ...asked.slice(1)];
    expect(judge(ak, quote, { ...expected, pcrSelection: more })).toEqual(['quote.selection']);
    const otherBank = [{ ...first, hash: SHA512 }, ...asked.slice(1)];
    expect(judge(ak, quote, { ...expected, pcrSelection: otherBank })).toEqual(['quote.selection']);
    const owner = qualifiedName(handleName(TPM_RH.OWNER), ak.name);
    expect(judge(ak, quote, { ...expected, qualifiedSigner: owner })).toEqual(['quote.qualified_signer']);
  });

  test('A12: a quote by another key of the same TPM is not its signature', () => {
    const { quote, expected } = quoteNamed('ecdsa-p256-sha256');
    expect(judge(quoteNamed('below-ek').ak, quote, expected)).toEqual(['quote.signature']);
  });

  test('a key below the EK is not one of the endorsement hierarchy itself', () => {
    const { ak, quote, expected } = quoteNamed('below-ek');
    expect(judge(ak, quote, expected)).toEqual(['quote.qualified_signer']);
    expect(judge(ak, quote, { ...expected, qualifiedSigner: undefined })).toEqual([]);
  });

  test('A29: a bank that is not allocated is quoted empty, and proves nothing', () => {
    const { ak, quote, expected } = quoteNamed('unallocated-bank');
    expect(judge(ak, quote, expected)).toEqual(['quote.selection']);
    expect(judge(ak, quote, { ...expected, pcrSelection: undefined })).toEqual(['quote.selection']);
    const invented = { ...quote, pcrValues: valuesFor(expected.pcrSelection) };
    expect(judge(ak, invented, expected)).toEqual(['quote.selection', 'quote.pcr_values', 'quote.pcr_digest']);
  });

  test.each(swtpmAttestations.attestations.signed)(
    'A09: a $type attestation is no quote',
    ({ attested, signature }) => {
      const { expected } = quoteNamed('ecdsa-p256-sha256');
      const ak = acceptable(unhex(swtpmAttestations.attestations.key.akPublic));
      // The AK made again from the same template is the same key.
      const signer = acceptable(unhex(quotes[0]?.akPublic ?? ''));
      const codes = judge(
        signer,
        { quoted: unhex(attested), signature: unhex(signature), pcrValues: [] },
        { ...expected, qualifiedSigner: endorsementSigner(ak) },
      );
      expect(codes).toEqual(['quote.type']);
    },
  );
});

// --- Signed by keys in files: each thing wrong alone ---------------------------------------------------------------

const ASKED = [pcrSelection(SHA256, [0, 1, 2, 7])];
const NONCE = digest(SHA256, Uint8Array.of(1));

const KEYS: readonly { name: string; make: () => SoftwareAk }[] = [
  { name: 'ECDSA on P-256', make: () => eccAk() },
  { name: 'ECDSA on P-384 with SHA-384', make: () => eccAk('P-384', SHA384) },
  { name: 'ECDSA on P-521 with SHA-512', make: () => eccAk('P-521', SHA512) },
  { name: 'RSASSA', make: () => rsaAk() },
  { name: 'RSASSA with SHA-384', make: () => rsaAk(TPM_ALG.RSASSA, SHA384) },
  { name: 'RSAPSS', make: () => rsaAk(TPM_ALG.RSAPSS) },
];

/** A quote that is right, and what makes another of it: signed again, so that nothing but the change is wrong. */
function fixture(software: SoftwareAk, selection: TpmlPcrSelection = ASKED) {
  const ak = acceptable(software.publicBytes);
  const values = valuesFor(selection);
  const quote = quoteOf(software, NONCE, selection, values);
  const expected = { extraData: NONCE, pcrSelection: selection, qualifiedSigner: endorsementSigner(ak) };
  const signed = (changes: Partial<QuoteAttest>, pcrValues: readonly Uint8Array[] = values): SignedQuote =>
    resigned(quoteBytes({ ...quote, ...changes }), pcrValues);
  const resigned = (quoted: Uint8Array, pcrValues: readonly Uint8Array[] = values): SignedQuote => ({
    quoted,
    signature: signedBytes(software, quoted),
    pcrValues,
  });
  const covering = (pcrSelect: TpmlPcrSelection, pcrValues: readonly Uint8Array[] = valuesFor(pcrSelect)) =>
    signed({ attested: { pcrSelect, pcrDigest: digest(software.scheme.hashAlg ?? 0, ...pcrValues) } }, pcrValues);
  return { software, ak, values, quote, quoted: quoteBytes(quote), expected, signed, resigned, covering };
}

describe.each(KEYS)('a quote signed by $name', ({ make }) => {
  const { software, ak, values, quote, quoted, expected, signed, resigned } = fixture(make());
  const { attested } = quote;

  test('is accepted', () => {
    expect(judge(ak, signed({}), expected)).toEqual([]);
  });

  const rows: readonly { what: string; quote: () => SignedQuote; codes: readonly FindingCode[] }[] = [
    { what: 'A08: another magic', quote: () => resigned(flip(quoted, 3)), codes: ['quote.magic'] },
    { what: 'A08: no magic at all', quote: () => resigned(quoted.slice(4)), codes: ['quote.magic'] },
    { what: 'A09: another type', quote: () => resigned(flip(quoted, 5, 0x0f)), codes: ['quote.type'] },
    { what: 'A10: a byte more', quote: () => resigned(concat(quoted, Uint8Array.of(0))), codes: ['quote.malformed'] },
    { what: 'A10: a byte less', quote: () => resigned(quoted.slice(0, -1)), codes: ['quote.malformed'] },
    { what: 'A10: nothing in it', quote: () => resigned(new Uint8Array()), codes: ['quote.malformed'] },
    {
      what: 'A10: its TPM2B size in front',
      quote: () => resigned(concat(unhex('0081'), quoted)),
      codes: ['quote.magic'],
    },
    {
      what: 'A02: a nonce of one byte more',
      quote: () => signed({ extraData: concat(NONCE, unhex('00')) }),
      codes: ['quote.commitment'],
    },
    {
      what: 'A02: a nonce of one byte less',
      quote: () => signed({ extraData: NONCE.slice(0, -1) }),
      codes: ['quote.commitment'],
    },
    { what: 'A02: an empty nonce', quote: () => signed({ extraData: unhex('') }), codes: ['quote.commitment'] },
    {
      what: 'A02: the nonce as hexadecimal',
      quote: () => signed({ extraData: Buffer.from(hex(NONCE)) }),
      codes: ['quote.commitment'],
    },
    {
      what: 'A02: the nonce as base64',
      quote: () => signed({ extraData: Buffer.from(Buffer.from(NONCE).toString('base64')) }),
      codes: ['quote.commitment'],
    },
    {
      what: 'A02: one bit of the nonce',
      quote: () => signed({ extraData: flip(NONCE, 31) }),
      codes: ['quote.commitment'],
    },
    {
      what: 'its bare Name as signer',
      quote: () => signed({ qualifiedSigner: ak.name }),
      codes: ['quote.qualified_signer'],
    },
    { what: 'no signer', quote: () => signed({ qualifiedSigner: unhex('') }), codes: ['quote.qualified_signer'] },
    {
      what: 'a signer of the owner hierarchy',
      quote: () => signed({ qualifiedSigner: qualifiedName(handleName(TPM_RH.OWNER), ak.name) }),
      codes: ['quote.qualified_signer'],
    },
    {
      what: 'A34: one bit of the digest',
      quote: () => signed({ attested: { ...attested, pcrDigest: flip(attested.pcrDigest, 0) } }),
      codes: ['quote.pcr_digest'],
    },
    {
      what: 'A34: one bit of a value',
      quote: () =>
        signed(
          {},
          values.map((value, i) => (i === 3 ? flip(value, 0) : value)),
        ),
      codes: ['quote.pcr_digest'],
    },
    { what: 'A31: values in another order', quote: () => signed({}, values.toReversed()), codes: ['quote.pcr_digest'] },
    {
      what: 'A30: a value more',
      quote: () => signed({}, [...values, new Uint8Array(32)]),
      codes: ['quote.pcr_values', 'quote.pcr_digest'],
    },
    { what: 'a value less', quote: () => signed({}, values.slice(1)), codes: ['quote.pcr_values', 'quote.pcr_digest'] },
    { what: 'no values', quote: () => signed({}, []), codes: ['quote.pcr_values', 'quote.pcr_digest'] },
    { what: 'an empty value more', quote: () => signed({}, [...values, unhex('')]), codes: ['quote.pcr_values'] },
    { what: 'all values in one', quote: () => signed({}, [concat(...values)]), codes: ['quote.pcr_values'] },
    {
      what: 'a byte moved from one value to the next',
      quote: () => {
        const [a = unhex(''), b = unhex(''), ...rest] = values;
        return signed({}, [a.slice(0, -1), concat(a.slice(-1), b), ...rest]);
      },
      codes: ['quote.pcr_values'],
    },
    { what: 'no signature', quote: () => ({ ...signed({}), signature: unhex('') }), codes: ['quote.malformed'] },
    {
      what: 'a byte behind the signature',
      quote: () => ({ ...signed({}), signature: concat(signedBytes(software, quoted), unhex('00')) }),
      codes: ['quote.malformed'],
    },
    {
      what: 'A12: the signature of another key of its kind',
      quote: () => ({ ...signed({}), signature: signedBytes(make(), quoted) }),
      codes: ['quote.signature'],
    },
    {
      what: 'the signature of another quote',
      quote: () => ({ ...signed({}), signature: signed({ firmwareVersion: 0n }).signature }),
      codes: ['quote.signature'],
    },
    {
      what: 'a clock changed after it was signed',
      quote: () => ({
        ...signed({}),
        quoted: quoteBytes({ ...quote, clockInfo: { ...quote.clockInfo, resetCount: 2 } }),
      }),
      codes: ['quote.signature'],
    },
    {
      what: 'a firmware version changed after it was signed',
      quote: () => ({ ...signed({}), quoted: quoteBytes({ ...quote, firmwareVersion: 0n }) }),
      codes: ['quote.signature'],
    },
    {
      what: 'A22: a null signature',
      quote: () => ({ ...signed({}), signature: unhex('0010') }),
      codes: ['quote.scheme'],
    },
    {
      what: 'A22: a null signature with a hash',
      quote: () => ({ ...signed({}), signature: unhex('0010000b') }),
      codes: ['quote.malformed'],
    },
    {
      what: 'A22: an HMAC keyed with the public key',
      quote: () => ({
        ...signed({}),
        signature: signedBytes(software, quoted, { scheme: { scheme: TPM_ALG.HMAC, hashAlg: SHA256 } }),
      }),
      codes: ['quote.scheme'],
    },
    {
      what: 'A23: a hash under which no RSA key signs, nor any here',
      quote: () => ({
        ...signed({}),
        signature: encode(tpmtSignature, { ...signatureOf(software, quoted), hash: TPM_ALG.SM3_256 } as TpmtSignature),
      }),
      codes: ['quote.scheme'],
    },
  ];
  test.each(rows)('is refused with $what', ({ quote, codes }) => {
    expect(judge(ak, quote(), expected)).toEqual(codes);
  });

  test.each([SHA1, SHA256, SHA384, SHA512].filter((hash) => hash !== software.scheme.hashAlg))(
    'A23: is refused when the same key signed it with hash %i',
    (hashAlg) => {
      const signature = signedBytes(software, quoted, { scheme: { ...software.scheme, hashAlg } });
      expect(judge(ak, { ...signed({}), signature }, expected)).toEqual(['quote.scheme']);
    },
  );

  test('A23: is refused when its signature claims another hash than it was made with', () => {
    const signature = signatureOf(software, quoted);
    const claimed = { ...signature, hash: software.scheme.hashAlg === SHA256 ? SHA384 : SHA256 } as TpmtSignature;
    const codes = judge(ak, { ...signed({}), signature: encode(tpmtSignature, claimed) }, expected);
    expect(codes).toEqual(['quote.scheme']);
  });

  test('A34: is refused when its digest was made with another hash than its signature', () => {
    const other = software.scheme.hashAlg === SHA256 ? SHA384 : SHA256;
    const changed = signed({ attested: { ...attested, pcrDigest: digest(other, ...values) } });
    expect(judge(ak, changed, expected)).toEqual(['quote.pcr_digest']);
  });
});

describe('A22: the form of a signature is fixed in the key', () => {
  const rsassa = fixture(rsaAk(TPM_ALG.RSASSA));
  const rsapss = fixture(rsaAk(TPM_ALG.RSAPSS));
  test.each([
    { name: 'RSASSA', own: rsassa, other: { scheme: TPM_ALG.RSAPSS, hashAlg: SHA256 } },
    { name: 'RSAPSS', own: rsapss, other: { scheme: TPM_ALG.RSASSA, hashAlg: SHA256 } },
  ])('a valid signature in the other RSA form is not one of an $name key', ({ own, other }) => {
    const { software, ak, quoted, expected, signed } = own;
    expect(judge(ak, signed({}), expected)).toEqual([]);
    const signature = signedBytes(software, quoted, { scheme: other });
    expect(judge(ak, { ...signed({}), signature }, expected)).toEqual(['quote.scheme']);
  });

  test.each(['rsassa', 'rsapss'] as const)('a signature of the other form called %s is neither', (sigAlg) => {
    const { software, ak, quoted, expected, signed } = sigAlg === 'rsassa' ? rsassa : rsapss;
    const scheme = { scheme: sigAlg === 'rsassa' ? TPM_ALG.RSAPSS : TPM_ALG.RSASSA, hashAlg: SHA256 };
    const relabelled = { ...signatureOf(software, quoted, { scheme }), sigAlg } as TpmtSignature;
    const codes = judge(ak, { ...signed({}), signature: encode(tpmtSignature, relabelled) }, expected);
    expect(codes).toEqual(['quote.signature']);
  });

  test.each(['ecdaa', 'sm2', 'ecschnorr'] as const)('an ECDSA signature called %s is none', (sigAlg) => {
    const { software, ak, quoted, expected, signed } = fixture(eccAk());
    const relabelled = encode(tpmtSignature, { ...ecdsa(software, quoted), sigAlg });
    expect(judge(ak, { ...signed({}), signature: relabelled }, expected)).toEqual(['quote.scheme']);
  });

  test.each([
    { what: 'an RSA key', own: rsassa, signature: () => ecdsa(eccAk(), rsassa.quoted) },
    { what: 'an ECC key', own: fixture(eccAk()), signature: () => signatureOf(rsassa.software, rsassa.quoted) },
  ])('a signature of the other kind of key is none of $what', ({ own, signature }) => {
    const { ak, expected, signed } = own;
    const codes = judge(ak, { ...signed({}), signature: encode(tpmtSignature, signature()) }, expected);
    expect(codes).toEqual(['quote.scheme']);
  });
});

test.each([TPM_ALG.RSASSA, TPM_ALG.RSAPSS])(
  'scheme %i over SM3, which OpenSSL throws at, is not supported',
  (scheme) => {
    const { software, ak, quoted, expected, signed } = fixture(rsaAk(scheme));
    const claimed = { ...signatureOf(software, quoted), hash: TPM_ALG.SM3_256 } as TpmtSignature;
    // No accepted key has this scheme; that of a PEM has what its signature claims.
    const sm3 = { ...ak, scheme: { scheme, hashAlg: TPM_ALG.SM3_256 } };
    const codes = judge(sm3, { ...signed({}), signature: encode(tpmtSignature, claimed) }, expected);
    expect(codes).toEqual(['quote.scheme', 'quote.pcr_digest']);
  },
);

describe('PSS', () => {
  const { software, ak, quoted, expected, signed } = fixture(rsaAk(TPM_ALG.RSAPSS));
  const withSignature = (signature: TpmtSignature) => ({ ...signed({}), signature: encode(tpmtSignature, signature) });

  // 222: all that a 2048-bit key leaves with SHA-256; TPMs of older firmware use it.
  test.each([0, 20, 32, 222])('takes a salt of %i bytes', (saltLength) => {
    expect(judge(ak, withSignature(signatureOf(software, quoted, { saltLength })), expected)).toEqual([]);
  });

  test('takes the mask of its own hash and of no other', () => {
    expect(judge(ak, withSignature(pssWithMaskHash(software, quoted, SHA256)), expected)).toEqual([]);
    for (const hash of [SHA1, SHA384])
      expect(judge(ak, withSignature(pssWithMaskHash(software, quoted, hash)), expected)).toEqual(['quote.signature']);
  });
});

describe('an RSA signature', () => {
  const { software, ak, quoted, expected, signed } = fixture(rsaAk());
  const signature = signatureOf(software, quoted);
  if (signature.sigAlg !== 'rsassa') throw new Error('RSASSA');
  const modulus = software.publicArea.type === 'rsa' ? bigEndian(software.publicArea.unique) : 0n;
  const plus = (number: bigint) => {
    const sum = (bigEndian(signature.sig) + number).toString(16);
    return unhex(sum.length % 2 === 0 ? sum : `0${sum}`);
  };
  test.each([
    { what: 'with a zero in front', sig: concat(unhex('00'), signature.sig) },
    { what: 'with a zero behind', sig: concat(signature.sig, unhex('00')) },
    { what: 'that is empty', sig: unhex('') },
    { what: 'of zeros', sig: new Uint8Array(256) },
    { what: 'of one', sig: new Uint8Array(256).with(255, 1) },
    { what: 'not reduced by the modulus', sig: plus(modulus) },
  ])('$what is none', ({ sig }) => {
    const changed = encode(tpmtSignature, { ...signature, sig });
    expect(judge(ak, { ...signed({}), signature: changed }, expected)).toEqual(['quote.signature']);
  });
});

describe('A25: ECDSA', () => {
  const order = curve(TPM_ECC.NIST_P256)?.order ?? 0n;
  const wide = (number: bigint, bytes = 32) => unhex(number.toString(16).padStart(bytes * 2, '0'));
  const { software, ak, quoted, expected, signed } = fixture(eccAk());
  const verdict = (signatureR: Uint8Array, signatureS: Uint8Array) => {
    const signature = encode(tpmtSignature, { sigAlg: 'ecdsa', hash: SHA256, signatureR, signatureS });
    return judge(ak, { ...signed({}), signature }, expected);
  };
  const { signatureR: r, signatureS: s } = ecdsa(software, quoted);

  test('numbers without their leading zeros are the same numbers', () => {
    const isShort = (bytes: Uint8Array) => bytes[0] === 0;
    for (const part of ['signatureR', 'signatureS'] as const) {
      let signature = ecdsa(software, quoted);
      while (!isShort(signature[part])) signature = ecdsa(software, quoted);
      expect(verdict(signature.signatureR, signature.signatureS)).toEqual([]);
      const stripped = { ...signature, [part]: signature[part].slice(1) };
      expect(verdict(stripped.signatureR, stripped.signatureS)).toEqual([]);
      const cut = { ...signature, [part]: signature[part].slice(0, -1) };
      expect(verdict(cut.signatureR, cut.signatureS)).toEqual(['quote.signature']);
    }
  });

  test('the other s of the same signature is as good: no one takes a signature for an ID', () => {
    expect(verdict(r, s)).toEqual([]);
    expect(verdict(r, wide(order - bigEndian(s)))).toEqual([]);
    expect(verdict(wide(order - bigEndian(r)), s)).toEqual(['quote.signature']);
  });

  test.each([
    { what: 'r of 0', r: wide(0n), s },
    { what: 's of 0', r, s: wide(0n) },
    { what: 'both of 0', r: wide(0n), s: wide(0n) },
    { what: 'r of 0 in one byte', r: unhex('00'), s },
    { what: 'empty r', r: unhex(''), s },
    { what: 'empty s', r, s: unhex('') },
    { what: 'r of the order', r: wide(order), s },
    { what: 's of the order', r, s: wide(order) },
    { what: 'r one beyond the order', r: wide(order + 1n), s },
    { what: 'r with 33 bytes, the first zero', r: concat(unhex('00'), r), s },
    { what: 's with 33 bytes, the first zero', r, s: concat(unhex('00'), s) },
    { what: 'r with 33 bytes, the first one', r: concat(unhex('01'), r), s },
    { what: 's plus the order', r, s: wide(bigEndian(s) + order, 33) },
    { what: 'r and s exchanged', r: s, s: r },
  ])('has no $what', ({ r, s }) => {
    expect(verdict(r, s)).toEqual(['quote.signature']);
  });
});

describe('A28 to A33: the signed selection', () => {
  const { ak, values, expected, signed, resigned, covering, quoted } = fixture(eccAk());
  const raw = (bytes: string) => ({ hash: SHA256, pcrSelect: unhex(bytes) });

  const rows: readonly { what: string; selection: TpmlPcrSelection }[] = [
    { what: 'A28: nothing', selection: [] },
    { what: 'A28: a bank and no PCR of it', selection: [raw('000000')] },
    { what: 'A30: fewer PCRs', selection: [pcrSelection(SHA256, [0, 1, 2])] },
    { what: 'more PCRs', selection: [pcrSelection(SHA256, [0, 1, 2, 7, 8])] },
    { what: 'as many other PCRs', selection: [pcrSelection(SHA256, [0, 1, 2, 8])] },
    { what: 'A31: the same PCRs of another bank', selection: [pcrSelection(SHA1, [0, 1, 2, 7])] },
    {
      what: 'A31: the same PCRs of another bank with digests as long',
      selection: [pcrSelection(TPM_ALG.SM3_256, [0, 1, 2, 7])],
    },
    { what: 'A32: a second bank', selection: [...ASKED, pcrSelection(SHA1, [0])] },
    { what: 'a second bank without PCRs', selection: [...ASKED, pcrSelection(SHA1, [])] },
    { what: 'A33: the bank twice', selection: [...ASKED, ...ASKED] },
    { what: 'A33: the bank in two parts', selection: [pcrSelection(SHA256, [0, 1]), pcrSelection(SHA256, [2, 7])] },
    { what: 'A33: one byte of bits', selection: [raw('87')] },
    { what: 'A33: two bytes of bits', selection: [raw('8700')] },
    { what: 'A33: four bytes of bits', selection: [raw('87000000')] },
    { what: 'A33: PCR 24 as well', selection: [raw('87000001')] },
    { what: 'A33: no bytes of bits', selection: [raw('')] },
  ];
  test.each(rows)('with $what is not the one asked for', ({ selection }) => {
    expect(judge(ak, covering(ASKED), expected)).toEqual([]);
    expect(judge(ak, covering(selection), expected)).toEqual(['quote.selection']);
  });

  test('A30: with fewer PCRs does not take the values of those asked for', () => {
    const selection = [pcrSelection(SHA256, [0, 1, 2])];
    const subset = { ...covering(selection), pcrValues: values };
    expect(judge(ak, subset, expected)).toEqual(['quote.selection', 'quote.pcr_values', 'quote.pcr_digest']);
  });

  test('A32: with the same zeros in banks in another order has the same digest, and is another selection', () => {
    const [a, b] = [pcrSelection(SHA256, [0]), pcrSelection(SHA1, [0])];
    const zeros = [new Uint8Array(32), new Uint8Array(20)];
    const expectedHere = { ...expected, pcrSelection: [a, b] };
    expect(judge(ak, covering([a, b], zeros), expectedHere)).toEqual([]);
    expect(judge(ak, covering([b, a], zeros.toReversed()), expectedHere)).toEqual(['quote.selection']);
    expect(judge(ak, covering([b, a], zeros), expectedHere)).toEqual(['quote.selection', 'quote.pcr_values']);
    expect(judge(ak, covering([a, b], zeros.toReversed()), expectedHere)).toEqual(['quote.pcr_values']);
  });

  test('A33: of 17 banks, or of five bytes, is no selection at all', () => {
    const from = quoted.length - 34 - encode(tpmlPcrSelection, ASKED).length;
    const withSelection = (bytes: Uint8Array) =>
      resigned(concat(quoted.subarray(0, from), bytes, quoted.subarray(quoted.length - 34)));
    const bank = encode(tpmlPcrSelection, ASKED).subarray(4);
    expect(judge(ak, withSelection(concat(unhex('00000001'), bank)), expected)).toEqual([]);
    const many = concat(unhex('00000011'), ...Array.from({ length: 17 }, () => bank));
    expect(judge(ak, withSelection(many), expected)).toEqual(['quote.malformed']);
    expect(judge(ak, withSelection(unhex('00000001 000b 05 8700000000')), expected)).toEqual(['quote.malformed']);
    expect(judge(ak, withSelection(unhex('ffffffff 000b 03 870000')), expected)).toEqual(['quote.malformed']);
  });

  test('of a bank nobody knows has no values', () => {
    const unknown = [{ hash: 0x0027, pcrSelect: unhex('010000') }];
    const pcrDigest = digest(SHA256, new Uint8Array(32));
    const changed = signed({ attested: { pcrSelect: unknown, pcrDigest } }, [new Uint8Array(32)]);
    expect(judge(ak, changed, { ...expected, pcrSelection: unknown })).toEqual(['quote.pcr_values']);
  });

  describe('where none was asked for', () => {
    const open = { ...expected, pcrSelection: undefined };
    test.each([
      { what: 'one bank', selection: ASKED },
      { what: 'two banks', selection: [pcrSelection(SHA256, [0]), pcrSelection(SHA1, [0, 23])] },
      { what: 'four bytes of bits', selection: [raw('87000000')] },
    ])('may be $what', ({ selection }) => {
      expect(judge(ak, covering(selection), open)).toEqual([]);
    });
    test.each([
      { what: 'nothing', selection: [] },
      { what: 'a bank and no PCR of it', selection: [raw('000000')] },
      { what: 'a second bank and no PCR of it', selection: [...ASKED, pcrSelection(SHA1, [])] },
      { what: 'two banks and no PCR of them', selection: [pcrSelection(SHA256, []), pcrSelection(SHA1, [])] },
      { what: 'the bank twice', selection: [...ASKED, ...ASKED] },
    ])('may not be $what', ({ selection }) => {
      expect(judge(ak, covering(selection), open)).toEqual(['quote.selection']);
    });
  });
});

// --- The field -----------------------------------------------------------------------------------------------------

interface CorpusQuote {
  readonly attest: string;
  readonly signature: { readonly alg: 'rsassa'; readonly hash: string; readonly sig: string };
  readonly akPublicKeyPem: string | null;
  readonly nonce: string;
  readonly pcrs: Readonly<Record<string, Readonly<Record<string, string>>>> | null;
}
interface CorpusRow {
  readonly file: string;
  readonly expected: {
    readonly cryptographicVerdict: string | null;
    readonly defaultPolicyObjections: readonly string[];
  };
}

describeCorpus('quotes of the field', () => {
  const rows = corpusRows<'quotes', CorpusRow>('quotes/manifest.json', 'quotes');
  const load = (file: string) => {
    const { attest, signature, akPublicKeyPem, nonce, pcrs } = readCorpus<CorpusQuote>(`quotes/${file}`);
    const hash = hashAlgorithmByName(signature.hash)?.id ?? 0;
    const scheme = { scheme: SIGNATURE_ALG[signature.alg], hashAlg: hash };
    const banks = Object.entries(pcrs ?? {}).map(([bank, values]) => ({
      selection: pcrSelection(hashAlgorithmByName(bank)?.id ?? 0, Object.keys(values).map(Number)),
      values: Object.entries(values).sort(([a], [b]) => Number(a) - Number(b)),
    }));
    const quote = {
      quoted: unhex(attest),
      signature: encode(tpmtSignature, { sigAlg: signature.alg, hash, sig: unhex(signature.sig) }),
      pcrValues: banks.flatMap(({ values }) => values.map(([, value]) => unhex(value))),
    };
    const expected = {
      extraData: unhex(nonce),
      pcrSelection: pcrs === null ? undefined : banks.map(({ selection }) => selection),
      qualifiedSigner: undefined,
    };
    const key = akPublicKeyPem === null ? undefined : publicKey(createPublicKey(akPublicKeyPem));
    const ak = key === undefined ? undefined : { key, steps: NODE_STEPS, scheme, algorithm: '' };
    return { ak, quote, expected, scheme };
  };

  test.each(rows.filter(({ expected }) => expected.cryptographicVerdict === 'accept'))(
    '$file is accepted, and refused with one thing changed',
    ({ file, expected: { defaultPolicyObjections } }) => {
      const { ak, quote, expected, scheme } = load(file);
      if (ak === undefined) throw new Error('an accepted quote has a key');
      expect(judge(ak, quote, expected)).toEqual([]);
      expect(isAcceptedScheme('rsa', scheme)).toBe(!defaultPolicyObjections.includes('signature-hash-sha1'));

      const [first = unhex(''), ...others] = quote.pcrValues;
      const asked = expected.pcrSelection?.map((bank) => ({ ...bank, pcrSelect: flip(bank.pcrSelect, 0, 0x80) }));
      expect(judge(ak, { ...quote, signature: flip(quote.signature, 100) }, expected)).toEqual(['quote.signature']);
      expect(judge(ak, { ...quote, pcrValues: [flip(first, 0), ...others] }, expected)).toEqual(['quote.pcr_digest']);
      expect(judge(ak, quote, { ...expected, pcrSelection: asked })).toEqual(['quote.selection']);
      expect(judge(ak, quote, { ...expected, extraData: concat(expected.extraData, unhex('00')) })).toEqual([
        'quote.commitment',
      ]);
      expect(judge(ak, quote, { ...expected, qualifiedSigner: handleName(TPM_RH.ENDORSEMENT) })).toEqual([
        'quote.qualified_signer',
      ]);
      // resetCount, which nothing else looks at.
      const at = 4 + 2 + 36 + 2 + expected.extraData.length + 8;
      expect(judge(ak, { ...quote, quoted: flip(quote.quoted, at) }, expected)).toEqual(['quote.signature']);
    },
  );

  test.each(rows.filter(({ expected }) => expected.cryptographicVerdict === null))(
    '$file, whose key nobody published, is a quote and no more',
    ({ file }) => {
      const { quote, expected } = load(file);
      const stranger = acceptable(rsaAk().publicBytes);
      expect(judge(stranger, quote, expected)).toEqual(['quote.signature', 'quote.pcr_values', 'quote.pcr_digest']);
    },
  );
});

test('the recorded signatures have the forms they are named after', () => {
  const forms = quotes.map(({ name, signature }) => [
    name.split('-')[0],
    decode(tpmtSignature, unhex(signature)).sigAlg,
  ]);
  for (const [name, sigAlg] of forms.slice(0, 4)) expect(sigAlg).toBe(name);
});
