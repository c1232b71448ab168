import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatHclog, printable } from '../../src/spire/log/hclog.ts';
import { createLogger, errorFields, type LogFields, type LogRecord } from '../../src/spire/log/logger.ts';
import { hclogReader, lineSplitter } from '../../src/testing/plugin-host/hclog-reader.ts';

const TIME = new Date('2026-01-02T03:04:05.678Z');

function parsed(message: string, fields: LogFields = {}): Record<string, unknown> {
  return JSON.parse(formatHclog({ time: TIME, level: 'info', message, fields })) as Record<string, unknown>;
}

describe('a log line', () => {
  it('is one JSON object with the three names of hclog, all strings, the time with six fraction digits', () => {
    const line = formatHclog({ time: TIME, level: 'warn', message: 'said', fields: { count: 3, name: 'x', on: true } });
    expect(line).toBe(
      '{"@level":"warn","@message":"said","@timestamp":"2026-01-02T03:04:05.678000Z","count":3,"name":"x","on":"true"}\n',
    );
  });

  it.each([undefined, null, 7, { a: 1 }, ['x']])('stays text when a caller passes %j for text', (value) => {
    const line = parsed(value as unknown as string, { field: value as unknown as string });
    expect(typeof line['@message']).toBe('string');
    expect(['string', 'number']).toContain(typeof line['field']);
  });

  it.each(['time', 'msg', 'level', 'timestamp', 'plugin_name', 'plugin_type', 'subsystem_name', 'external'])(
    'does not use the name %s, which SPIRE overwrites',
    (name) => {
      expect(parsed('m', { [name]: 'mine' })).toMatchObject({ [`${name}_`]: 'mine' });
      expect(parsed('m', { [name]: 'mine' })[name]).toBeUndefined();
    },
  );

  it('cannot have its own three names replaced by a field', () => {
    const line = parsed('m', { '@message': 'x', '@level': 'x', '@timestamp': 'x', ['__proto__']: 'y' });
    expect(line).toMatchObject({ '@message': 'm', '@level': 'info', '@timestamp': '2026-01-02T03:04:05.678000Z' });
  });

  it('shows line ends, escape sequences and writing-direction marks instead of obeying them', () => {
    const line = parsed('a\nb\u001b[31mc\u202e\u0000\u007f\u0085\ud800', { f: '\r\t\u2028' });
    expect(line['@message']).toBe('a\\nb\\u001b[31mc\\u202e\\u0000\\u007f\\u0085\\ud800');
    expect(line['f']).toBe('\\r\\t\\u2028');
  });

  it('cuts values at 256 characters and says that it did', () => {
    expect(parsed('m', { f: 'x'.repeat(256) })['f']).toBe('x'.repeat(256));
    expect(parsed('m', { f: 'x'.repeat(257) })['f']).toBe(`${'x'.repeat(255)}…`);
    expect(printable(`${'x'.repeat(254)}😀😀`, 256)).toBe(`${'x'.repeat(254)}…`);
  });

  it('keeps numbers a double shows exactly, and writes the others as text', () => {
    const line = parsed('m', { a: 1.5, b: -3, c: 2 ** 53, d: Number.NaN, e: Number.POSITIVE_INFINITY });
    expect(line).toMatchObject({ a: 1.5, b: -3, c: '9007199254740992', d: 'NaN', e: 'Infinity' });
  });

  it('is below 64 KiB, one line and safe for the host, whatever is logged', () => {
    const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 600 }), fc.double(), fc.boolean());
    const fields = fc.dictionary(fc.string({ unit: 'binary', maxLength: 80 }), value, { maxKeys: 60 });
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), fields, (message, logged) => {
        const line = formatHclog({ time: TIME, level: 'error', message, fields: logged });
        expect(Buffer.byteLength(line)).toBeLessThan(65_536);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        const record = hclogReader()(line.trimEnd());
        expect(record).toMatchObject({ level: 'error' });
        expect(record?.raw).toBeUndefined();
        expect(record?.message).not.toMatch(/\p{Cc}/u);
      }),
    );
    const widest = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`k${i}`.padEnd(64, 'k'), '€'.repeat(300)]),
    );
    expect(
      Buffer.byteLength(formatHclog({ time: TIME, level: 'info', message: '€'.repeat(3000), fields: widest })),
    ).toBeLessThan(65_536);
  });
});

describe('a logger', () => {
  function collecting(level?: 'warn'): { records: LogRecord[]; logger: ReturnType<typeof createLogger> } {
    const records: LogRecord[] = [];
    return { records, logger: createLogger({ write: (record) => records.push(record), ...(level && { level }) }) };
  }

  it('adds the fields it was made with to each record; the record’s own win', () => {
    const { records, logger } = collecting();
    logger.with({ a: 1, b: 1 }).with({ b: 2, c: 2 }).info('m', { c: 3 });
    expect(records).toMatchObject([{ level: 'info', message: 'm', fields: { a: 1, b: 2, c: 3 } }]);
  });

  it('drops what is below its level', () => {
    const { records, logger } = collecting('warn');
    logger.debug('d');
    logger.info('i');
    logger.warn('w');
    logger.with({}).error('e');
    expect(records.map((record) => record.message)).toEqual(['w', 'e']);
  });

  it('does not throw when writing fails', () => {
    const logger = createLogger({
      write: () => {
        throw new Error('disk full');
      },
    });
    expect(() => logger.error('m')).not.toThrow();
  });

  it('describes an error by message, code, causes and place', () => {
    const cause = new Error('inner', { cause: 'deepest' });
    const error = Object.assign(new Error('outer', { cause }), { code: 'ERR_X' });
    expect(errorFields(error)).toMatchObject({
      error: 'outer',
      code: 'ERR_X',
      cause: 'inner: deepest',
      at: /logger\.test/,
    });
    expect(errorFields('text')).toEqual({ error: 'text' });
    expect(errorFields(undefined)).toEqual({ error: 'undefined' });
  });
});

describe('standard error', () => {
  let directory: string;
  let program: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'log-'));
    program = join(directory, 'log.cjs');
    await build({
      stdin: {
        contents: `import { hostLog } from './host-log.ts';
          import { createLogger } from './logger.ts';
          if (process.argv[2] === 'non-blocking') process.stderr;
          const logger = createLogger();
          for (let i = 0; i < 4000; i += 1) logger.info('record', { i, filler: 'x'.repeat(250) });
          hostLog.flushed().then(() => process.exit(0));`,
        resolveDir: fileURLToPath(new URL('../../src/spire/log/', import.meta.url)),
      },
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'error',
    });
  });
  afterAll(() => rm(directory, { recursive: true }));

  it.each([
    ['socket', 'exec "$@"'],
    ['blocking pipe', '"$@" 2>&1 >&3 | cat >&2'],
    ['non-blocking pipe', '"$@" non-blocking 2>&1 >&3 | cat >&2'],
  ])('holds all of a megabyte that was logged just before the end (%s)', async (_what, script) => {
    const args = ['-c', `exec 3>/dev/null; ${script}`, 'sh', process.execPath, program];
    const { stderr } = await promisify(execFile)('/bin/sh', args, { maxBuffer: 1e8 });
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(4000);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ i: 3999 });
  });

  it('without a reader does not end the program', async () => {
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.destroy();
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  });
});

describe('a host that reads a plugin’s standard error', () => {
  const read = (...lines: string[]) =>
    lines.map(hclogReader()).map((record) => record && [record.level, record.message]);
  const STAMP = '"@timestamp":"2026-01-02T03:04:05.000000Z"';

  it.each([
    [`{"@level":"INFO","@message":"m",${STAMP}}`, ['info', 'm']],
    [`{"@level":"error",${STAMP}}`, ['error', '']],
    ['{"@level":"info","@message":"m"}', ['info', 'm']],
    [`{"@level":"trace","@message":"m",${STAMP}}`, undefined],
    ['[WARN] tagged', ['warn', '[WARN] tagged']],
    [' [WARN] tagged', ['debug', ' [WARN] tagged']],
    ['plain', ['debug', 'plain']],
  ])('takes %s', (line, expected) => {
    expect(read(line)).toEqual([expected]);
  });

  it.each([
    '{"@level":"warning","@message":"m"}',
    '{"@message":"m"}',
    '{"@level":"info","@message":"m","@timestamp":"2026-01-02T03:04:05.000Z"}',
    '["@level"]',
    'null',
  ])('logs %s as it stands, at debug', (line) => {
    expect(read(line)).toEqual([['debug', line]]);
  });

  it.each(['{"@level":"info","@message":1}', '{"@level":null,"@message":"m"}'])(
    'says that SPIRE would die of %s',
    (line) => {
      expect(read(line)).toEqual([['error', expect.stringContaining('is not a string')]]);
    },
  );

  it('takes untagged lines after a panic for errors', () => {
    const record = `{"@level":"info","@message":"m",${STAMP}}`;
    expect(read('before', 'panic: oh', 'goroutine 1', record, '[INFO] x')).toEqual([
      ['debug', 'before'],
      ['error', 'panic: oh'],
      ['error', 'goroutine 1'],
      ['info', 'm'],
      ['info', '[INFO] x'],
    ]);
  });

  it('finds the same lines however the bytes are cut, and cuts lines at 64 KiB', () => {
    const split = (text: string, step: number): string[] => {
      const lines: string[] = [];
      const splitter = lineSplitter((line) => lines.push(line));
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += step) splitter.push(bytes.subarray(at, at + step));
      splitter.end();
      return lines;
    };
    for (const step of [1, 2, 3, 100]) expect(split('a\r\n\nbö\nlast', step)).toEqual(['a', '', 'bö', 'last']);
    expect(split(`${'x'.repeat(65_536 + 10)}\ny\n`, 1000).map((line) => line.length)).toEqual([65_536, 10, 1]);
  });
});
