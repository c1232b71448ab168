/** docs/configuration.md against the code. test/spire/configuration-document.test.ts runs its configurations. */
import { describe, expect, test } from 'vitest';
import { AGENT_OPTIONS } from '../../src/agent-plugin/agent-config.ts';
import { SERVER_OPTIONS } from '../../src/policy/server-settings.ts';
import { parseHcl } from '../../src/spire/config/hcl.ts';
import { type OptionSpec, type OptionTable, readOptions } from '../../src/spire/config/options.ts';
import { MarkdownDocument, quotedIn, tableRows } from '../support/document.ts';

const document = new MarkdownDocument('docs/configuration.md');

describe.each([
  { side: 'server', table: SERVER_OPTIONS, besides: ['bundle "name" { … }'] },
  { side: 'agent', table: AGENT_OPTIONS, besides: [] },
])('the options of the $side', ({ side, table, besides }) => {
  const rows = tableRows(document.text, `${side} option`);

  test('are all there, and no others', () => {
    const named = rows.flatMap(([names = '']) => quotedIn(names));
    expect(named.sort()).toEqual([...Object.keys(table), ...besides].sort());
  });

  test('have the defaults of the code', () => {
    for (const [names = '', stated = ''] of rows)
      for (const name of quotedIn(names)) {
        const byDefault = defaultOf((table as OptionTable)[name]);
        // Where the code has none the document may say in words what follows.
        if (byDefault !== undefined) expect([name, stated]).toEqual([name, `\`${byDefault}\``]);
        else expect([name, stated]).not.toEqual([name, expect.stringMatching(/^`[^`]*`$/)]);
      }
  });

  test('that the first configuration has are taken', () => {
    const [, data = ''] =
      /plugin_data \{\n?([^{}]*)\}\n {2}\}\n\}\n$/.exec(document.block('hcl', `${side}.conf`)) ?? [];
    expect(readOptions(table as OptionTable, parseHcl(data))).toMatchObject({ ok: true });
  });
});

/** As the document writes it: strings without their quotes. */
function defaultOf(spec: OptionSpec | undefined): string | undefined {
  if (spec?.default === undefined) return undefined;
  if (spec.type === 'duration') return `${Number(spec.default) / 1000}s`;
  return spec.type === 'string' ? spec.default : JSON.stringify(spec.default);
}
