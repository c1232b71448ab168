/** `eventlog` in a process of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { hex } from '../../src/bytes/bytes.ts';
import { writeToolsPcrValues } from '../../src/evidence/tools-pcr-values.ts';
import { pcrSelection } from '../../src/tpm/structures/pcr.ts';
import { cli } from '../support/cli.ts';
import { describeCorpus, hasCorpusFile } from '../support/corpus.ts';
import { CORPUS_LOGS, RECORDED_BOOTS } from '../support/event-log-corpus.ts';
import {
  action,
  agileLog,
  ascii,
  extended,
  GRUB_BOOT,
  PHASES,
  separator,
  specIdEvent,
  UKI_BOOT,
  userspaceLog,
} from '../support/event-log-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventlog-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, contents: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
}

const grub = file('grub.bin', agileLog(GRUB_BOOT));
const uki = file('uki.bin', agileLog(UKI_BOOT));
const words = file('measure.log', userspaceLog(PHASES));
const values = extended(UKI_BOOT, PHASES);
const indices = [...values.keys()];

interface Document {
  readonly format: string | null;
  readonly banks: readonly string[];
  readonly pcrs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly measurement_registers?: object;
  readonly proven: boolean;
  readonly events: readonly { readonly bound: string | null; readonly text: string; readonly type: string }[];
  readonly claims: Readonly<Record<string, unknown>>;
  readonly withheld: Readonly<Record<string, string>>;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

async function json(...args: readonly string[]): Promise<Document & { readonly code: number | null }> {
  const { code, stdout } = await cli(['eventlog', ...args, '--json']);
  return { ...JSON.parse(stdout), code };
}

test('a log is shown with its events, claims and PCRs', async () => {
  const { code, stdout } = await cli(['eventlog', grub]);
  expect(code).toBe(0);
  expect(stdout).toContain('EV_EFI_VARIABLE_DRIVER_CONFIG (whole): SecureBoot (1 bytes)');
  expect(stdout).toContain('EV_IPL (not bound): /vmlinuz');
  expect(stdout).toContain('claims, as the log says; nothing proves them:');
  expect(stdout).toContain('kernel_command_line: {"source":"grub","text":"/vmlinuz quiet"}');
  expect(stdout).toContain(`PCR sha256:7 ${hex(extended(GRUB_BOOT).get(7) ?? new Uint8Array())}`);
});

test('the document has each claim, or null and the reason', async () => {
  const document = await json(grub);
  expect(document).toMatchObject({ code: 0, format: 'agile', banks: ['sha256'], proven: false, problems: [] });
  expect(document.events.length).toBe(GRUB_BOOT.length);
  expect(document.claims).toMatchObject({ secure_boot: 'enabled', uki: null });
  expect(Object.keys(document.withheld)).toEqual(
    Object.keys(document.claims).filter((name) => document.claims[name] === null),
  );
});

const selection = [pcrSelection(0x0b, indices)];
const inTools = writeToolsPcrValues(
  selection,
  indices.map((index) => values.get(index) ?? new Uint8Array()),
);
const inYaml = `  sha256:\n${indices.map((i) => `    ${i} : 0x${hex(values.get(i) ?? new Uint8Array()).toUpperCase()}`).join('\n')}\n`;
const inLines = indices.map((index) => `sha256 ${index} ${hex(values.get(index) ?? new Uint8Array())}`).join('\n');

test.each([
  ['tpm2_quote -o', inTools],
  ['tpm2_pcrread', inYaml],
  ['lines', inLines],
])('PCR values from %s prove the claims', async (_, contents) => {
  const document = await json(uki, '--userspace', words, '--quote-pcrs', file('pcrs', contents));
  expect(document).toMatchObject({ code: 0, proven: true, problems: [] });
  expect(document.claims).toMatchObject({ secure_boot: 'enabled', boot_phases: PHASES.map(({ word }) => word) });
});

test('a log that does not replay has exit code 1, and says which PCR', async () => {
  const pcrs = file('pcrs', inLines);
  const other = await json(grub, '--quote-pcrs', pcrs);
  expect(other).toMatchObject({ code: 1, claims: { boot_applications: null, gpt: expect.anything() } });
  expect(other.problems.map(({ message }) => message)).toContain(
    'sha256: the log does not replay to the value of PCR 4',
  );
  expect(await json(uki, '--quote-pcrs', pcrs)).toMatchObject({ code: 0, problems: [{ code: 'pcr.continues' }] });
  const sha1 = file('sha1', `sha1 0 ${'00'.repeat(20)}`);
  expect(await json(grub, '--quote-pcrs', sha1)).toMatchObject({ code: 1, proven: false });
});

test('a refused log has exit code 2, a sentence and the document', async () => {
  const path = file('cut', agileLog(GRUB_BOOT).subarray(0, 100));
  const { code, stdout, stderr } = await cli(['eventlog', path, '--json']);
  expect(code).toBe(2);
  expect(stderr).toContain(`${path} is refused: log.truncated`);
  expect(JSON.parse(stdout)).toMatchObject({
    format: null,
    events: [],
    claims: { secure_boot: null },
    withheld: { secure_boot: 'the log is refused' },
    problems: [{ code: 'log.truncated' }],
  });
  const large = file('large', new Uint8Array(1024 * 1024 + 1));
  expect(await json(large)).toMatchObject({ code: 2, problems: [{ code: 'log.too_large' }] });
  expect(await json(grub, '--userspace', file('bad', 'x'))).toMatchObject({
    code: 2,
    problems: [{ code: 'userspace.malformed' }],
  });
});

test('a dump is read when it is said to be one, and its registers are no PCRs', async () => {
  const dump = file(
    'dump',
    Buffer.concat([specIdEvent([[0x0b, 32]], { pcr: 1 }), agileLog([separator(1)]).subarray(65), new Uint8Array(99)]),
  );
  expect(await json(dump)).toMatchObject({ code: 2, problems: [{ code: 'log.spec_id' }] });
  const document = await json(dump, '--area-dump');
  expect(document).toMatchObject({ code: 0, pcrs: {}, proven: false });
  expect(document.measurement_registers).toHaveProperty('sha256.1');
  const { code, stderr } = await cli(['eventlog', dump, '--area-dump', '--quote-pcrs', dump]);
  expect([code, stderr]).toEqual([2, expect.stringContaining('--area-dump is for registers')]);
});

test('hostile text moves no cursor and begins no line', async () => {
  const hostile = '\u001b[2J\nclaims, proven\u009b1A';
  const path = file('hostile', agileLog([{ ...action(4, ''), data: ascii(hostile) }, separator(4)]));
  const { stdout } = await cli(['eventlog', path]);
  for (const order of ['\u001b', '\u009b']) expect(stdout).not.toContain(order);
  expect(stdout.split('\n').filter((line) => line.startsWith('claims, proven'))).toEqual([]);
  const words = file('words', userspaceLog([{ pcr: 11, word: '\u202e\\033[2J' }]));
  const both = await cli(['eventlog', path, '--userspace', words]);
  for (const order of ['\u001b', '\u202e']) expect(both.stdout).not.toContain(order);
});

test.each([
  ['an empty file', ''],
  ['a bank that is not known', 'md5 0 00'],
  ['PCR 24', `sha256 24 ${'00'.repeat(32)}`],
  ['a value twice', `sha256 1 ${'00'.repeat(32)}\nsha256 1 ${'00'.repeat(32)}`],
  ['a value cut short', 'sha256 1 00'],
  ['other text', 'hello'],
  ['another document', '{"pcrs": 1}'],
  ['bare values', new Uint8Array(32)],
])('PCR values with %s are a mistake of the caller', async (_, contents) => {
  const { code, stderr } = await cli(['eventlog', grub, '--quote-pcrs', file('values', contents)]);
  expect([code, stderr]).toEqual([2, expect.stringContaining('give the PCR values of tpm2_quote -o')]);
});

describeCorpus('on the corpus', () => {
  const corpus = (path: string): string => join(process.env['TPM_CORPUS_DIR'] ?? '../shared/corpus', path);

  test.each(['lab/good-with-quote', 'lab13/a-base', 'lab13/i-grub'])('%s replays to its quote', async (boot) => {
    expect(RECORDED_BOOTS).toContain(boot);
    const log = corpus(`${boot}/eventlog.bin`);
    const userspace = hasCorpusFile(`${boot}/tpm2-measure.log`)
      ? ['--userspace', corpus(`${boot}/tpm2-measure.log`)]
      : [];
    for (const pcrs of ['quote.pcrs', 'pcrs.txt'])
      expect(await json(log, ...userspace, '--quote-pcrs', corpus(`${boot}/${pcrs}`))).toMatchObject({
        code: 0,
        proven: true,
      });
  });

  test('lab13/f-sha1 replays to its only bank; its quote of a bank that it lacks has no values', async () => {
    const [log, userspace] = ['eventlog.bin', 'tpm2-measure.log'].map((name) => corpus(`lab13/f-sha1/${name}`));
    const args = [log ?? '', '--userspace', userspace ?? '', '--quote-pcrs'];
    expect(await json(...args, corpus('lab13/f-sha1/pcrs.txt'))).toMatchObject({ code: 0, proven: true });
    const { code, stderr } = await cli(['eventlog', ...args, corpus('lab13/f-sha1/quote.pcrs')]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('has no PCR values')]);
  });

  test('a log of each kind is read or refused as the manifest says', async () => {
    const files = ['empty.bin', 'bogus-text.bin', 'ccel-grub.bin', 'gce-debian-10.bin', 'spec-id-vendor-data.bin'];
    for (const row of CORPUS_LOGS.filter((one) => files.includes(one.file)))
      expect([row.file, (await json(corpus(`event-logs/${row.file}`))).code]).toEqual([
        row.file,
        row.expected.parse === 'ok' ? 0 : 2,
      ]);
  });
});

describe('help', () => {
  test('says where the logs are', async () => {
    const { stdout } = await cli(['eventlog', '--help']);
    expect(stdout).toContain('/sys/kernel/security/tpm0/binary_bios_measurements');
    expect(stdout).toContain('/run/log/systemd/tpm2-measure.log');
  });
});
