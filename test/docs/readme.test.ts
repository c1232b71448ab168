/** README.md: short, its script run as it stands, its configurations those of docs/configuration.md. */
import { expect, test } from 'vitest';
import { MarkdownDocument } from '../support/document.ts';
import { underTpm, withoutTpm } from '../support/document-script.ts';

const readme = new MarkdownDocument('README.md');

test('the README has at most 150 lines', () => {
  expect(readme.text.split('\n').length).toBeLessThanOrEqual(151);
});

test('the README’s quote.sh, its only script, ends in a trusted quote', async () => {
  expect(readme.scripts).toEqual(['quote.sh']);
  expect(await underTpm(readme, 'quote.sh')).toMatchObject({ verdict: 'trusted', scope: 'quote', findings: [] });
});

test('the README’s quote.sh without a software TPM says how to run it', async () => {
  await expect(withoutTpm(readme, 'quote.sh')).rejects.toMatchObject({
    stdout: '',
    stderr: expect.stringContaining('run this by scripts/swtpm/run -- bash quote.sh\n'),
  });
});

// test/spire/configuration-document.test.ts runs these.
test.each(['server.conf', 'agent.conf'])('the README’s %s is a part of the whole one', (name) => {
  const attestor = /^ {2}NodeAttestor [\s\S]*?^ {2}\}$/m.exec(readme.block('hcl', name))?.[0] ?? '';
  expect(attestor).toContain('plugin_cmd');
  expect(new MarkdownDocument('docs/configuration.md').block('hcl', name)).toContain(attestor);
});
