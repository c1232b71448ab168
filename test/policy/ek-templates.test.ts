import { expect, test } from 'vitest';
import { linesAccepting } from '../../src/policy/ek-templates.ts';
import { readServerSettings } from '../../src/policy/server-settings.ts';
import { EK_TEMPLATES } from '../../src/tpm/templates.ts';

const accepted = (...lines: readonly string[]) =>
  readServerSettings('example.org', ['hash_path = "h"', ...lines].join('\n')).ekTemplates;

test.each([
  [[], ['L-1']],
  [['ek_algorithms = ["rsa"]'], ['L-1']],
  [['ek_algorithms = ["ecc"]'], ['L-2']],
  [['ek_algorithms = ["rsa", "ecc"]'], ['L-1', 'L-2']],
  [['ek_templates = ["H-3"]'], ['H-3']],
  [
    ['ek_algorithms = ["rsa", "ecc"]', 'ek_templates = ["L-1", "H-3"]'],
    ['L-1', 'H-3'],
  ],
])('%j accepts %j', (lines, templates) => {
  expect(accepted(...lines)).toEqual(templates);
});

test('the lines that accept a template accept it, and all that was accepted before', () => {
  const servers = ['', 'ek_algorithms = ["ecc"]', 'ek_algorithms = ["rsa", "ecc"]', 'ek_templates = ["L-1", "H-6"]'];
  for (const server of servers)
    for (const { name } of EK_TEMPLATES) {
      const before = accepted(server);
      const lines = linesAccepting(name, before);
      expect(lines.length > 0, name).toBe(!before.includes(name));
      // An option that stands there already is replaced.
      const kept = lines.some((line) => server !== '' && line.startsWith(server.slice(0, 12))) ? '' : server;
      expect([...accepted(...(lines.length === 0 ? [server] : [kept, ...lines]))].sort()).toEqual(
        [...new Set([...before, name])].sort(),
      );
    }
});

test('one template is no warning, each further one is', () => {
  const warnings = (line: string) => readServerSettings('example.org', `hash_path = "h"\n${line}`).warnings;
  for (const line of ['', 'ek_algorithms = ["ecc"]', 'ek_templates = ["H-3"]']) expect(warnings(line)).toEqual([]);
  for (const line of ['ek_algorithms = ["rsa", "ecc"]', 'ek_templates = ["L-1", "H-1"]'])
    expect(warnings(line)).toEqual([expect.stringMatching(/^ek_templates: .* up to 2 IDs\. .*ek hash --all/)]);
});
