/** docs/boot-state.md against the code and the command. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBootLog } from '../../src/boot-log/boot-log.ts';
import { MarkdownDocument, quotedIn, tableRows } from '../support/document.ts';
import { agileLog, GRUB_BOOT } from '../support/event-log-writer.ts';
import { execute } from '../support/execute.ts';
import '../support/cli.ts';
import { readFileSync } from 'node:fs';

const document = new MarkdownDocument('docs/boot-state.md');
const source = (path: string): string => readFileSync(new URL(`../../src/boot-log/${path}`, import.meta.url), 'utf8');

test('its script shows a log and writes its claims', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'boot-state-'));
  try {
    const [script, log] = [join(folder, 'read-log.sh'), join(folder, 'log')];
    await writeFile(script, document.block('bash', 'read-log.sh').replace('> claims.json', `> ${folder}/claims.json`));
    await writeFile(log, agileLog(GRUB_BOOT));
    const { code, stdout } = await execute('bash', [script, log], { env: process.env });
    expect(code).toBe(0);
    expect(stdout).toContain('secure_boot: "enabled"');
    expect(JSON.parse(readFileSync(join(folder, 'claims.json'), 'utf8'))).toMatchObject({ proven: false });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('its tables have every rule and every claim, and no other', () => {
  const rules = tableRows(document.section('Bound'), 'rule').flatMap(([rule = '']) => quotedIn(rule));
  const [, union = ''] = /export type BindingRule =([\s\S]*?);/.exec(source('tcg/binding.ts')) ?? [];
  expect(rules).toEqual([...union.matchAll(/\| '([\w-]+)'/g)].map(([, rule]) => rule));
  const claims = tableRows(document.section('Claims'), 'claim').flatMap(([claim = '']) => quotedIn(claim));
  const names = Object.keys(readBootLog(agileLog(GRUB_BOOT)).claims);
  expect([...claims].sort()).toEqual(
    names.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).sort(),
  );
});

test('it names every reason to refuse a log', () => {
  const [, union = ''] = /export type RefusalCode =([\s\S]*?);/.exec(source('tcg/malformed-log.ts')) ?? [];
  const codes = [...union.matchAll(/'([\w.]+)'/g)].map(([, code]) => code);
  expect(quotedIn(document.section('Logs that are refused')).filter((one) => /^(log|userspace)\./.test(one))).toEqual(
    codes,
  );
});
