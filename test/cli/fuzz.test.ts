/** Any bytes of a file are what the command reads, or the typed error of their reader; what is shown is harmless. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CabinetError, readCabinetTable } from '../../src/cli/ca/cabinet-table.ts';
import { csvRecord } from '../../src/cli/terminal/csv.ts';
import { EkFileError, readEkFile } from '../../src/enrolment/ek-file.ts';
import { subjectOfFile } from '../../src/enrolment/ek-subject.ts';
import { printable } from '../../src/spire/log/hclog.ts';
import { certificateAddresses } from '../../src/tpm/certificate-services.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { strangerKind } from '../../src/x509/file/file-kind.ts';
import { readKeyFile, StrangerError } from '../../src/x509/file/key-file.ts';
import { looksLikePkcs7, readPkcs7 } from '../../src/x509/file/pkcs7.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { writeCabinet } from '../support/cabinet-writer.ts';
import { derNull, explicit, integer, oid, sequence, set } from '../support/der-writer.ts';
import { CERTIFICATE_FILES, KEY_FILES, OTHER_FILES } from '../support/field-files.ts';
import { mutated } from '../support/mutation.ts';
import { ekTemplate } from '../support/open-tpm.ts';
import { keyPair, mintEkChain, pem, spkiOf } from '../support/pki.ts';

const { root, intermediate, leaf } = mintEkChain();
const rsa = mintEkChain({ keyAlgorithm: 'rsa2048' }).leaf;
const text = (contents: string): Uint8Array => Uint8Array.from(Buffer.from(contents, 'latin1'));
const any = fc.uint8Array({ maxLength: 64 });

/** Undefined where the typed error was thrown, and nothing else may be. */
function outcome<T>(typed: new (...args: never) => Error, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof typed)) throw error;
    return undefined;
  }
}

test('any bundle of PKCS#7 is certificates that lie in it, or is refused', () => {
  const list = explicit(0, root.der, intermediate.der);
  const signed = sequence(integer(1), set(), sequence(oid('1.2.840.113549.1.7.1')), list, set());
  const bundle = sequence(oid('1.2.840.113549.1.7.2'), explicit(0, signed));
  const base64 = Buffer.from(bundle).toString('base64');
  const armored = text(`-----BEGIN PKCS7-----\n${base64}\n-----END PKCS7-----\n`);
  expect([readPkcs7(bundle).length, readPkcs7(armored).length]).toEqual([2, 2]);
  fc.assert(
    fc.property(fc.oneof(any, mutated(bundle, armored)), (bytes) => {
      looksLikePkcs7(bytes);
      const found = outcome(MalformedCertificateError, () => readPkcs7(bytes)) ?? [];
      expect(found.reduce((sum, der) => sum + der.length, 0)).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 3000 },
  );
});

test('any list of a cabinet is within its limits, or is refused', () => {
  const files = ['A\\RootCA\\a.crt', 'b'].map((name) => ({ name, contents: Buffer.alloc(100, name) }));
  fc.assert(
    fc.property(fc.oneof(any, mutated(writeCabinet(files), writeCabinet([]))), (bytes) => {
      const entries = outcome(CabinetError, () => readCabinetTable(bytes)) ?? [];
      expect(entries.reduce((sum, entry) => sum + entry.bytes, 0)).toBeLessThanOrEqual(64 * 1024 * 1024);
      for (const { name } of entries) expect(name).not.toMatch(/[\0\\]/);
    }),
    { numRuns: 3000 },
  );
});

const answer = (der: Uint8Array): Uint8Array =>
  text(JSON.stringify({ pubhash: 'x', certificate: `${Buffer.from(der).toString('base64url')}%3D` }));

test('any file of a saved endorsement key has a hash and a subject, or is refused', () => {
  const area = encode(tpmtPublic, { ...ekTemplate('L-1'), unique: new Uint8Array(256).fill(0xc1) } as never);
  const sized = Uint8Array.from([area.length >> 8, area.length & 0xff, ...area]);
  const key = keyPair('p256', 'ek').publicKey;
  const seeds = [
    ...[leaf.der, rsa.der, answer(rsa.der), text(pem(leaf.der, intermediate.der))],
    ...[spkiOf(key), text(String(key.export({ format: 'pem', type: 'spki' }))), area, sized],
    ...[encode(tpmtPublic, ekTemplate('H-3')), sequence(sequence(oid('1.2.840.113549.1.1.1'), derNull()))],
    ...[...Object.values(CERTIFICATE_FILES), ...Object.values(KEY_FILES)].map(([, contents]) =>
      typeof contents === 'string' ? Uint8Array.from(Buffer.from(contents)) : contents,
    ),
  ];
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(any, mutated(...seeds)), (bytes) => {
      const file = outcome(EkFileError, () => readEkFile(bytes));
      if (file === undefined) return;
      read++;
      expect(subjectOfFile('x', file).pubHash).toMatch(/^[0-9a-f]{64}$/);
      for (const { url } of certificateAddresses(file.publicKey)) expect(url).toMatch(/^https:\/\/[\w./%-]+$/);
    }),
    { numRuns: 5000 },
  );
  expect(read).toBeGreaterThan(100);
});

test('any file is read, malformed, or named in a sentence of printable characters', () => {
  const seeds = [CERTIFICATE_FILES, KEY_FILES, OTHER_FILES]
    .flatMap((files) => Object.values(files))
    .map(([, contents]) => Uint8Array.from(Buffer.from(contents as Uint8Array)));
  fc.assert(
    fc.property(fc.oneof(any, mutated(...seeds), fc.json().map(text)), (bytes) => {
      for (const wanted of ['certificate', 'key'] as const) {
        try {
          readKeyFile(bytes, wanted);
        } catch (error) {
          if (error instanceof MalformedCertificateError) continue;
          expect(error).toBeInstanceOf(StrangerError);
          expect(String(error)).toMatch(/^StrangerError: it is [\x20-\x7e]+\. [\x20-\x7e…]+$/);
        }
      }
      for (const wanted of ['authority', 'crl'] as const) strangerKind(bytes, wanted);
    }),
    { numRuns: 5000 },
  );
});

test('any text in a table is one line, and a formula in no column, whichever sign divides them', () => {
  const hostile = fc.string({ unit: fc.constantFrom(...'=+-@;,"\'\t\r\n\0\u001b\u202eab ') });
  fc.assert(
    fc.property(
      fc.array(fc.oneof(hostile, fc.string({ unit: 'binary' })), { minLength: 1, maxLength: 5 }),
      (fields) => {
        const record = csvRecord(fields.map((field) => printable(field, 4096)));
        expect(record).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\r\n$/u);
        for (const cell of record.split(';').slice(1)) expect(cell).not.toMatch(/^"*[=+@-]/);
        for (const field of fields) expect(csvRecord([printable(field, 4096)])).not.toMatch(/^"?[=+@-]/);
      },
    ),
    { numRuns: 3000 },
  );
});
