import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/bytes/bytes.ts';
import { readToolsAk } from '../../src/cli/verify/tools-key.ts';
import type { Judgement } from '../../src/verifier/judgement.ts';
import { type PcrRequirement, parsePcrs } from '../../src/verifier/policy.ts';
import { judgeToolsQuote, type ToolsQuote } from '../../src/verifier/tools-judgement.ts';
import { cli } from '../support/cli.ts';
import { boolean, explicit, integer, octetString, oid, sequence } from '../support/der-writer.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const NONCE = '00112233445566778899aabbccddeeff';
const nonce = fromHex(NONCE) ?? new Uint8Array();

const KEYS = [
  { name: 'ecc-sha256', create: ['-G', 'ecc', '-g', 'sha256', '-s', 'ecdsa'], sign: [] },
  { name: 'rsa-sha256', create: ['-G', 'rsa', '-g', 'sha256', '-s', 'rsassa'], sign: [] },
  {
    name: 'rsapss-sha384',
    create: ['-G', 'rsa', '-g', 'sha384', '-s', 'rsapss'],
    sign: ['-g', 'sha384', '--scheme', 'rsapss'],
  },
] as const;
const QUOTES = [
  { name: 'serialized', pcrs: 'sha256:0,1,2,7', form: 'serialized' },
  { name: 'values', pcrs: 'sha256:0,1,2,7', form: 'values' },
  { name: 'two-banks', pcrs: 'sha256:0,7+sha1:3', form: 'values' },
  { name: 'eleven', pcrs: 'sha256:0,1,2,3,4,5,6,7,8,9,10', form: 'serialized' },
] as const;

let tpm: SoftwareTpm;
const file = (name: string): string => join(tpm.folder, name);

beforeAll(async () => {
  tpm = await startSwtpm({ templates: ['L-1'], pcrBanks: ['sha1', 'sha256'] });
  await tpm.tpm2('tpm2_pcrextend', [`7:sha256=${'5a'.repeat(32)}`]);
  await tpm.tpm2('tpm2_createek', ['-c', 'ek.ctx', '-G', 'rsa', '-u', 'ek.pub']);
  for (const { name, create, sign } of KEYS) {
    await tpm.tpm2('tpm2_createak', ['-C', 'ek.ctx', '-c', `${name}.ctx`, ...create, '-u', `${name}.tss`, '-f', 'tss']);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    for (const form of ['pem', 'tpmt', 'der']) {
      await tpm.tpm2('tpm2_readpublic', ['-c', `${name}.ctx`, '-f', form, '-o', `${name}.${form}`]);
      await tpm.tpm2('tpm2_flushcontext', ['-t']);
    }
    for (const quote of QUOTES) {
      const to = ['-m', `${name}.${quote.name}.msg`, '-s', `${name}.${quote.name}.sig`];
      const values = ['-o', `${name}.${quote.name}.pcrs`, '-F', quote.form];
      await tpm.tpm2('tpm2_quote', ['-c', `${name}.ctx`, ...sign, '-l', quote.pcrs, '-q', NONCE, ...to, ...values]);
      await tpm.tpm2('tpm2_flushcontext', ['-t']);
    }
    const plain = ['-m', `${name}.plain.msg`, '-s', `${name}.plain.sig`, '-f', 'plain', '-o', `${name}.plain.pcrs`];
    await tpm.tpm2('tpm2_quote', ['-c', `${name}.ctx`, ...sign, '-l', 'sha256:0,7', '-q', NONCE, ...plain]);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
  }
});

type Files = { readonly [part in keyof ToolsQuote]: Uint8Array };

function judged({ ak, ...files }: Files, ...asked: [Uint8Array, PcrRequirement | undefined]): Judgement {
  return judgeToolsQuote({ ...files, ak: readToolsAk(ak) }, ...asked);
}

function filesOf(key: string, quote: string, ak = 'tss'): Files {
  const read = (name: string): Uint8Array => Uint8Array.from(readFileSync(file(name)));
  const made = `${key}.${quote}`;
  return {
    message: read(`${made}.msg`),
    signature: read(`${made}.sig`),
    pcrValues: read(`${made}.pcrs`),
    ak: read(`${key}.${ak}`),
  };
}

/** `TSS2 PRIVATE KEY` around a TPM2B_PUBLIC; the private part is nobody's to look at. */
function loadableKeyPem(area: Uint8Array): Buffer {
  const parent = integer(Uint8Array.of(0x40, 0x00, 0x00, 0x01));
  const key = sequence(
    oid('2.23.133.10.1.3'),
    explicit(0, boolean(true)),
    parent,
    octetString(area),
    octetString(area),
  );
  const base64 = Buffer.from(key).toString('base64').replace(/.{64}/g, '$&\n');
  return Buffer.from(`-----BEGIN TSS2 PRIVATE KEY-----\n${base64}\n-----END TSS2 PRIVATE KEY-----\n`);
}

function argumentsOf(key: string, quote: string, ak = 'tss'): string[] {
  const made = file(`${key}.${quote}`);
  const values = ['--message', `${made}.msg`, '--signature', `${made}.sig`, '--pcr-values', `${made}.pcrs`];
  return ['verify', ...values, '--ak', file(`${key}.${ak}`), '--nonce', NONCE];
}

describe('a quote of tpm2_quote', () => {
  const rows = KEYS.flatMap((key) => QUOTES.map((quote) => ({ key: key.name, quote: quote.name })));

  test.each(rows)('by $key in form $quote is trusted, with its key in every form', async ({ key, quote }) => {
    const pcrs = { serialized: 4, values: 4, 'two-banks': 3, eleven: 11 }[quote];
    for (const ak of ['tss', 'tpmt', 'pem', 'der']) {
      const judgement = judged(filesOf(key, quote, ak), nonce, undefined);
      expect(judgement.findings).toEqual([]);
      expect(judgement).toMatchObject({ verdict: 'trusted', scope: 'quote' });
      expect(judgement.pcrs).toHaveLength(pcrs);
      expect(judgement.pcrs.find(({ index, bank }) => index === 7 && bank === 'sha256')?.value).not.toBe(
        '0'.repeat(64),
      );
    }
  });

  test('says which PCRs were never extended, and which are of SHA-1, in its JSON report', async () => {
    const notesOf = async (quote: string): Promise<readonly string[]> => {
      const { code, stdout } = await cli([...argumentsOf('ecc-sha256', quote), '--json']);
      expect(code).toBe(0);
      return (JSON.parse(stdout) as { readonly notes: readonly string[] }).notes;
    };
    const [one, two] = [await notesOf('values'), await notesOf('two-banks')];
    expect(one).toContainEqual(expect.stringMatching(/^sha256:0,1,2 were never extended/));
    expect(one.join()).not.toContain('SHA-1');
    expect(two).toContainEqual(expect.stringMatching(/^sha256:0 was never extended/));
    expect(two).toContainEqual(expect.stringMatching(/^sha1:3 of the SHA-1 bank: /));
  });

  test.each(KEYS)('by $name with a plain signature is trusted, and refused with one bit changed', ({ name }) => {
    for (const ak of ['tss', 'pem']) {
      const files = filesOf(name, 'plain', ak);
      expect(judged(files, nonce, undefined)).toMatchObject({ verdict: 'trusted', findings: [] });
      const signature = files.signature.with(-1, (files.signature.at(-1) ?? 0) ^ 1);
      const { findings } = judged({ ...files, signature }, nonce, undefined);
      expect(findings.map(({ code }) => code)).toEqual(['quote.signature']);
    }
  });

  test('with its size in front, and with its key in a file of the OpenSSL engines, is the same quote', () => {
    const files = filesOf('ecc-sha256', 'values');
    const sized = (bytes: Uint8Array): Uint8Array =>
      concat(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes);
    const message = sized(files.message);
    expect(judged({ ...files, message }, nonce, undefined)).toMatchObject({ verdict: 'trusted' });
    const ak = loadableKeyPem(files.ak);
    expect(judged({ ...files, ak }, nonce, undefined)).toMatchObject({ verdict: 'trusted', findings: [] });
    expect(() => judged({ ...files, ak: Buffer.concat([ak, ak]) }, nonce, undefined)).toThrow('exactly one PEM block');
    // One octet less than its size says.
    const short = message.subarray(0, -1);
    expect(judged({ ...files, message: short }, nonce, undefined)).toMatchObject({ verdict: 'untrusted' });
  });

  test.each([
    ['RSASSA beside a key for RSAPSS', 'rsa-sha256', 'rsapss-sha384'],
    ['RSAPSS beside a key for RSASSA', 'rsapss-sha384', 'rsa-sha256'],
    ['ECDSA beside an RSA key', 'ecc-sha256', 'rsa-sha256'],
    ['RSASSA beside an ECC key', 'rsa-sha256', 'ecc-sha256'],
  ])('by %s is refused for its scheme alone', (_, made, given) => {
    const { ak } = filesOf(given, 'values');
    const { findings } = judged({ ...filesOf(made, 'values'), ak }, nonce, undefined);
    expect(findings.map(({ code }) => code)).toEqual(['quote.scheme']);
  });

  test.each([
    ['a saved context', () => readFileSync(file('ecc-sha256.ctx')), 'tpm2_readpublic -c CONTEXT'],
    [
      'a private key',
      () => Buffer.from('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'),
      'PRIVATE KEY',
    ],
    [
      'a certificate',
      () => Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      'openssl x509',
    ],
    ['nothing', () => Buffer.alloc(0), 'tpm2_createak -u'],
  ])('is not judged by %s for a key, and told what to give', (_, ak, said) => {
    const files = filesOf('ecc-sha256', 'values');
    expect(() => judged({ ...files, ak: ak() }, nonce, undefined)).toThrow(said);
  });

  test.each(KEYS)('by $name is refused with any one byte of message or signature changed', ({ name }) => {
    const files = filesOf(name, 'values');
    for (const part of ['message', 'signature'] as const) {
      for (let offset = 0; offset < files[part].length; offset++) {
        const bytes = files[part].slice();
        bytes[offset] = (bytes[offset] ?? 0) ^ 1;
        // Bare values of other PCRs than are quoted are no file to judge; everything else is a verdict.
        try {
          expect(judged({ ...files, [part]: bytes }, nonce, undefined).verdict).toBe('untrusted');
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_USAGE' });
        }
      }
    }
  });

  test.each(['serialized', 'values'])('is refused with one byte of a value changed in form %s', (form) => {
    const files = filesOf('ecc-sha256', form);
    // The first value begins at 142 in a serialized file.
    const pcrValues = files.pcrValues.slice();
    const offset = form === 'values' ? 5 : 147;
    pcrValues[offset] = (pcrValues[offset] ?? 0) ^ 1;
    const { findings } = judged({ ...files, pcrValues }, nonce, undefined);
    expect(findings.map(({ code }) => code)).toEqual(['quote.pcr_digest']);
  });

  test('is refused for another nonce, another key, other PCRs than required', () => {
    const files = filesOf('ecc-sha256', 'values');
    const codes = (...args: Parameters<typeof judged>): readonly string[] =>
      judged(...args).findings.map(({ code }) => code);
    const required = (text: string) => {
      const pcrs = parsePcrs(text);
      if (typeof pcrs === 'string') throw new Error(pcrs);
      return pcrs;
    };
    expect(codes(files, nonce, required('sha256:0-2,7'))).toEqual([]);
    expect(codes(files, nonce, required('sha256:0-3'))).toEqual(['quote.selection']);
    expect(codes(files, nonce.subarray(1), undefined)).toEqual(['quote.commitment']);
    const { ak } = filesOf('rsa-sha256', 'values');
    expect(codes({ ...files, ak }, nonce, undefined)).toContain('quote.scheme');
    const rsa = filesOf('rsa-sha256', 'values', 'pem');
    // The hash of a TPMT_SIGNATURE in octets 2 and 3: SM3, at which OpenSSL throws.
    const signature = rsa.signature.with(3, 0x12);
    expect(codes({ ...rsa, signature }, nonce, undefined)).toEqual(['quote.scheme']);
  });

  test('is refused when its key is not restricted, which a PEM does not say', async () => {
    const made = ['-c', 'loose.ctx', '-C', 'o', '-G', 'ecc256:ecdsa-sha256:null', '-g', 'sha256'];
    await tpm.tpm2('tpm2_createprimary', [...made, '-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign']);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    for (const [form, name] of [
      ['tss', 'loose.tss'],
      ['pem', 'loose.pem'],
    ] as const) {
      await tpm.tpm2('tpm2_readpublic', ['-c', 'loose.ctx', '-f', form, '-o', name]);
      await tpm.tpm2('tpm2_flushcontext', ['-t']);
    }
    const to = ['-m', 'loose.values.msg', '-s', 'loose.values.sig', '-o', 'loose.values.pcrs', '-F', 'values'];
    await tpm.tpm2('tpm2_quote', ['-c', 'loose.ctx', '-l', 'sha256:0', '-q', NONCE, '-g', 'sha256', ...to]);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    const findings = judged(filesOf('loose', 'values'), nonce, undefined).findings;
    expect(findings.map(({ code }) => code)).toEqual(['ak.unrestricted']);
    const bare = judged(filesOf('loose', 'values', 'pem'), nonce, undefined);
    expect(bare.verdict).toBe('trusted');
    expect(bare.notes.join()).toContain('does not say whether it is restricted');
  });
});

describe('verify --message', () => {
  test('reports the attestation key as judged by its public area, and as skipped by its bare key', async () => {
    const caseOf = async (ak: string): Promise<string> => {
      const args = [...argumentsOf('ecc-sha256', 'values', ak), '--junit', file('report.xml')];
      expect(await cli(args)).toMatchObject({ code: 0 });
      const report = readFileSync(file('report.xml'), 'utf8');
      expect(report).toContain(`skipped="${ak === 'tss' || ak === 'tpmt' ? 5 : 6}"`);
      return report.split('\n').find((line) => line.includes('name="ak: ')) ?? '';
    };
    for (const ak of ['pem', 'der'])
      expect(await caseOf(ak)).toMatch(/><skipped message="a bare key does not say [^"]+"\/><\/testcase>$/);
    // The nearest neighbours: the same key with its attributes.
    for (const ak of ['tss', 'tpmt']) expect(await caseOf(ak)).toMatch(/[^>]"\/>$/);
  });

  test('says trusted with exit code 0, and untrusted with 1 for one changed byte', async () => {
    const args = argumentsOf('ecc-sha256', 'serialized');
    const trusted = await cli([...args, '--json']);
    expect(trusted.code).toBe(0);
    expect(JSON.parse(trusted.stdout)).toMatchObject({ verdict: 'trusted', scope: 'quote', findings: [] });
    const changed = Uint8Array.from(readFileSync(file('ecc-sha256.serialized.msg')));
    changed[60] = (changed[60] ?? 0) ^ 1;
    writeFileSync(file('changed.msg'), changed);
    const refused = await cli([...args.map((arg) => (arg.endsWith('.msg') ? file('changed.msg') : arg)), '--json']);
    expect(refused.code).toBe(1);
    const document = JSON.parse(refused.stdout);
    expect(document).toMatchObject({ verdict: 'untrusted', pcrs: [], clock: null });
    expect(document.findings.map(({ code }: { code: string }) => code)).toContain('quote.signature');
  });
});
