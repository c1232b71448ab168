/** Each command of the field's folders with the verdict that is right (corpus/field/README.md). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli } from '../support/cli.ts';
import { describeCorpus, readCorpusBytes } from '../support/corpus.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'field-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const field = (name: string): string => join(process.env['TPM_CORPUS_DIR'] ?? '../shared/corpus', 'field', name);
const nonceOf = (row: string): string =>
  Buffer.from(readCorpusBytes(`field/${row}/nonce`))
    .toString('utf8')
    .trim();

interface QuoteFiles {
  readonly message: string;
  readonly signature: string;
  readonly pcrValues: string;
  readonly ak: string;
  readonly nonce: string;
}

interface Answer {
  readonly code: number | null;
  readonly codes: readonly string[];
  readonly junit: string;
  readonly stderr: string;
}

async function verify({ message, signature, pcrValues, ak, nonce }: QuoteFiles): Promise<Answer> {
  const junit = join(folder, 'junit.xml');
  rmSync(junit, { force: true });
  const files = ['--message', message, '--signature', signature, '--pcr-values', pcrValues, '--ak', ak];
  const { code, stdout, stderr } = await cli(['verify', ...files, '--nonce', nonce, '--json', '--junit', junit]);
  const codes = stdout === '' ? [] : JSON.parse(stdout).findings.map((finding: { code: string }) => finding.code);
  return { code, codes, junit: stdout === '' ? '' : readFileSync(junit, 'utf8'), stderr };
}

const quoteIn = (row: string, name: string, ak: string, pcrValues = `${name}.pcrs`): QuoteFiles => ({
  message: field(`${row}/${name}.msg`),
  signature: field(`${row}/${name}.sig`),
  pcrValues: field(`${row}/${pcrValues}`),
  ak: field(`${row}/${ak}`),
  nonce: nonceOf(row),
});

describeCorpus('quotes of the field', () => {
  test('01: an ECDSA signature beside an RSA key is quote.scheme alone, in a report', async () => {
    const { code, codes, junit } = await verify(quoteIn('01', 'ecc', 'ak_rsa.pem'));
    expect(codes).toEqual(['quote.scheme']);
    expect(code).toBe(1);
    expect(junit).toContain('<failure type="quote.scheme"');
  });

  test('01: and an RSA signature beside an ECC key likewise, in both forms', async () => {
    const rsa = { ...quoteIn('03', 'u', 'uk.pem'), ak: field('02/ak_ecc.pem') };
    expect(await verify(rsa)).toMatchObject({ code: 1, codes: ['quote.scheme'] });
    const plain = { ...quoteIn('02', 'rsa.p', 'ak_rsa.pem'), ak: field('02/ak_ecc.pem') };
    expect(await verify(plain)).toMatchObject({ code: 1, codes: ['quote.scheme'] });
  });

  test.each([
    ['ecc.p', 'ak_ecc.pem'],
    ['rsa.p', 'ak_rsa.pem'],
    ['e384.p', 'ak_e384.pem'],
  ])('02: the plain signature %s is judged by the key that is given', async (name, ak) => {
    const files = quoteIn('02', name, ak);
    expect(await verify(files)).toMatchObject({ code: 0, codes: [] });
    const others = ['ak_ecc.pem', 'ak_rsa.pem', 'ak_e384.pem'].filter((other) => other !== ak);
    for (const other of others)
      expect(await verify({ ...files, ak: field(`02/${other}`) }), other).toMatchObject({
        code: 1,
        codes: ['quote.scheme'],
      });
    const bytes = readFileSync(files.signature);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(join(folder, 'changed.sig'), bytes);
    expect(await verify({ ...files, signature: join(folder, 'changed.sig') })).toMatchObject({
      code: 1,
      codes: ['quote.signature'],
    });
  });

  test('03: a quote by an unrestricted key is that and nothing else', async () => {
    expect(await verify(quoteIn('03', 'u', 'uk.pub'))).toMatchObject({
      code: 1,
      codes: ['ak.unrestricted', 'ak.scheme'],
    });
  });

  test.each(['ecc.marsh', 'ecc.be'])(
    '04: the PCR file %s is read, and refused with one value changed',
    async (pcrs) => {
      const files = quoteIn('04', 'ecc', 'ak_ecc.pub', pcrs);
      expect(await verify(files)).toMatchObject({ code: 0, codes: [] });
      const bytes = readFileSync(files.pcrValues);
      const first = pcrs === 'ecc.be' ? 142 : 20;
      bytes[first] = (bytes[first] ?? 0) ^ 1;
      writeFileSync(join(folder, 'changed.pcrs'), bytes);
      expect(await verify({ ...files, pcrValues: join(folder, 'changed.pcrs') })).toMatchObject({
        code: 1,
        codes: ['quote.pcr_digest'],
      });
    },
  );

  test('a quote over PCRs that were never extended says so in every form of its report', async () => {
    const { code, junit, stderr } = await verify(quoteIn('04', 'ecc', 'ak_ecc.pub', 'ecc.be'));
    expect(code).toBe(0);
    for (const text of [junit, stderr]) expect(text).toMatch(/sha256:0,1,.* were never extended/);
  });

  const HOSTILE: readonly (readonly [string, 'message' | 'signature' | 'pcrValues', (bytes: Buffer) => Uint8Array])[] =
    [
      ['an empty message', 'message', () => Buffer.alloc(0)],
      ['an empty signature', 'signature', () => Buffer.alloc(0)],
      ['empty PCR values', 'pcrValues', () => Buffer.alloc(0)],
      ['a message with a byte behind it', 'message', (bytes) => Buffer.concat([bytes, Buffer.of(0)])],
      ['a signature with a byte behind it', 'signature', (bytes) => Buffer.concat([bytes, Buffer.of(0)])],
      ['PCR values with a byte behind them', 'pcrValues', (bytes) => Buffer.concat([bytes, Buffer.of(0)])],
      ['a message of another magic', 'message', (bytes) => Buffer.concat([Buffer.from('XXXX'), bytes.subarray(4)])],
      ['a message that claims more than there is', 'message', (bytes) => Buffer.from(bytes).fill(0xff, 6, 8)],
      ['a signature that claims more than there is', 'signature', (bytes) => Buffer.from(bytes).fill(0xff, 4, 6)],
      ['PCR values of four billion lists', 'pcrValues', (bytes) => Buffer.from(bytes).fill(0xff, 132, 136)],
      ['PCR values of four billion digests', 'pcrValues', (bytes) => Buffer.from(bytes).fill(0xff, 136, 140)],
      ['a message of eight megabytes', 'message', (bytes) => Buffer.concat([bytes, Buffer.alloc(8 << 20)])],
      ['a signature of eight megabytes', 'signature', () => Buffer.alloc(8 << 20, 0x30)],
      ['PCR values of eight megabytes', 'pcrValues', () => Buffer.alloc(8 << 20, 1)],
      ['a signature by EdDSA', 'signature', (bytes) => Buffer.concat([Buffer.of(0, 0x60), bytes.subarray(2)])],
    ];

  test.each(HOSTILE)('%s is untrusted with a report', async (_, part, change) => {
    const files = quoteIn('04', 'ecc', 'ak_ecc.pub', 'ecc.be');
    const path = join(folder, `hostile.${part}`);
    writeFileSync(path, change(readFileSync(files[part])));
    const { code, codes, junit } = await verify({ ...files, [part]: path });
    expect(code).toBe(1);
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.every((one) => one.startsWith('quote.'))).toBe(true);
    // What is not known to be false is not called so.
    if (part === 'pcrValues') expect(codes).toEqual(['quote.pcr_values']);
    expect(junit).toContain('<failure type="quote.');
  });

  test('a file of another kind, which has a name, is a mistake and no evidence', async () => {
    const files = quoteIn('04', 'ecc', 'ak_ecc.pub', 'ecc.be');
    for (const [part, path, said] of [
      ['message', field('02/ak_ecc.pem'), 'is PEM; give the file of tpm2_quote -m FILE'],
      ['message', files.signature, 'is a signature; give the file of tpm2_quote -m FILE'],
      ['signature', files.message, 'is the quote itself; give the file of tpm2_quote -s FILE'],
      ['pcrValues', files.message, 'is the quote itself; give the file of tpm2_quote -o FILE'],
    ] as const) {
      const { code, stderr } = await verify({ ...files, [part]: path });
      expect(code, said).toBe(2);
      expect(stderr).toContain(said);
    }
  });
});

describeCorpus('certificates of the field', () => {
  interface Report {
    readonly verdict: string;
    readonly findings: readonly { readonly code: string }[];
    readonly notes: readonly string[];
  }
  const judged = async (
    ...args: readonly string[]
  ): Promise<Report & { readonly code: number | null; codes: string[] }> => {
    const { code, stdout } = await cli(['ek', 'verify', ...args, '--json']);
    const report: Report = JSON.parse(stdout);
    return { ...report, code, codes: report.findings.map((finding) => finding.code) };
  };
  const at = ['--at', '2026-12-01T00:00:00Z'];

  test('09: a certificate that an indirect list of the root names is revoked, by every crl_policy that asks', async () => {
    const lists = ['--ca-path', field('09/cas.pem'), '--crl-path', field('09/indirect'), ...at];
    expect(await judged(field('09/v-base.der'), ...lists)).toMatchObject({ code: 1, codes: ['ek.revoked'] });
    expect(await judged(field('09/v-base.der'), ...lists, '--crl-policy', 'warn')).toMatchObject({
      code: 1,
      codes: ['ek.revoked'],
    });
    // Its neighbour, of another number, names the list as its own: it is good.
    const good = await judged(field('09/v-cdp-indirect.der'), ...lists);
    expect(good).toMatchObject({ code: 0, codes: [] });
  });

  test.each(['vmw-subject', 'vmw-subject-san', 'vmw-empty-model'])(
    '08: %s is a virtual TPM, admitted as such and never as hardware',
    async (name) => {
      const shape = field(`08/${name}.der`);
      const open = await judged(shape, '--ca-path', field('08/cas.pem'), ...at);
      expect(open).toMatchObject({ code: 0, codes: [], notes: ['this is a cloud vTPM, not hardware'] });
      expect(await judged(shape, '--policy', field('08/vs.hcl'), ...at)).toMatchObject({ code: 0, codes: [] });
      const hardware = join(folder, 'hardware.hcl');
      writeFileSync(hardware, `bundle "chips" {\n  ca_path = ${JSON.stringify(resolve(field('08/cas.pem')))}\n}\n`);
      expect(await judged(shape, '--policy', hardware, ...at)).toMatchObject({ code: 1, codes: ['ek.manufacturer'] });
    },
  );
});
