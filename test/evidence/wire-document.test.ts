import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FIELD_LIMITS, MESSAGE_BYTES } from '../../src/evidence/limits.ts';
import { execute } from '../support/execute.ts';

const document = readFileSync(new URL('../../docs/wire.md', import.meta.url), 'utf8');
const schema = readFileSync(new URL('../../proto/tpm_attestor/v1/evidence.proto', import.meta.url), 'utf8');

/** Cells of the table that begins with this header. */
function table(header: string): readonly (readonly string[])[] {
  const rows = document.slice(document.indexOf(`${header}\n`)).split('\n');
  const end = rows.findIndex((row) => !row.startsWith('|'));
  return rows.slice(2, end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('docs/wire.md', () => {
  test('has the limits that are checked', () => {
    const limits = Object.entries(FIELD_LIMITS).map(([path, { count, bytes }]) => [
      path,
      `${count ?? ''}`,
      `${bytes ?? ''}`,
    ]);
    expect(table('| field | elements | bytes, of each element |')).toEqual(limits);
    expect(table('| message | bytes |')).toEqual([
      ['Payload', `${MESSAGE_BYTES.payload}`],
      ['Challenge', `${MESSAGE_BYTES.challenge}`],
      ['ChallengeResponse', `${MESSAGE_BYTES.response}`],
      ['LogRequest', `${MESSAGE_BYTES.logRequest}`],
      ['LogPart', `${MESSAGE_BYTES.logPart}`],
    ]);
  });

  test('explains every field of the schema, in its order', () => {
    const explained = [...document.matchAll(/^\| `(\w+)` \|/gm)].map(([, field]) => field);
    const [messages = ''] = schema.split('message Evidence');
    expect(explained).toEqual(
      [...messages.matchAll(/^ {2}(?:repeated )?\w+ (\w+) = \d+;/gm)].map(([, field]) => field),
    );
  });

  test('has an example of the commitment that a shell computes', async () => {
    const [, script = '', output = ''] = /```sh\n([\s\S]*?)# (.*)\n```/.exec(document) ?? [];
    expect(await execute('sh', ['-c', script])).toEqual({ code: 0, signal: null, stdout: `${output}\n`, stderr: '' });
    expect(readFileSync(new URL('binding.test.ts', import.meta.url), 'utf8')).toContain(output.split(' ')[0]);
  });
});
