import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isAgentError } from '../../src/agent/agent-error.ts';
import { MalformedError } from '../../src/bytes/malformed.ts';

const src = new URL('../../src/', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, src), 'utf8');

test('every error class of the agent and the device is an AgentError, which each edge must map to compile', () => {
  const classes = ['agent/', 'tpm/device/'].flatMap((folder) =>
    readdirSync(new URL(folder, src), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => [...read(`${folder}${name}`).matchAll(/^(?:export )?class (\w+) extends \w*Error\b/gm)]),
  );
  const mapped = read('agent/agent-error.ts');
  expect(classes.length).toBeGreaterThan(5);
  expect(classes.map(([, name = '']) => name).filter((name) => !mapped.includes(`: ${name},`))).toEqual([]);
});

test('nothing else is one, whatever code it has', () => {
  expect(isAgentError(new MalformedError('challenge', 0, 'cut off'))).toBe(true);
  expect(isAgentError(Object.assign(new Error('boom'), { code: 'ERR_TPM' }))).toBe(false);
  expect(isAgentError('ERR_TPM')).toBe(false);
});
