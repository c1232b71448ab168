/** docs/ci.md: its scripts, run as they stand. */
import { expect, test } from 'vitest';
import { EXIT } from '../../src/cli/terminal/failure.ts';
import { MarkdownDocument, tableRows } from '../support/document.ts';
import { underTpm, withoutTpm } from '../support/document-script.ts';

const document = new MarkdownDocument('docs/ci.md');
const SCRIPTS = ['ci.sh', 'tools.sh', 'challenge.sh', 'certificate.sh'];

test('the scripts are these', () => {
  expect(document.scripts).toEqual(SCRIPTS);
});

test('ci.sh ends in a trusted quote', async () => {
  const junit = expect.stringContaining('<testsuite name="tpm-attestor verify"');
  expect(await underTpm(document, 'ci.sh')).toMatchObject({ verdict: 'trusted', scope: 'quote', findings: [], junit });
});

test('tools.sh ends in a trusted quote', async () => {
  expect(await underTpm(document, 'tools.sh')).toMatchObject({ verdict: 'trusted', scope: 'quote', findings: [] });
});

test('challenge.sh ends in a trusted attestation', async () => {
  const trusted = { verdict: 'trusted', scope: 'attestation', findings: [] };
  expect(await underTpm(document, 'challenge.sh')).toMatchObject(trusted);
});

test('certificate.sh ends in a trusted certificate', async () => {
  const trusted = { verdict: 'trusted', findings: [], manufacturer: 'id:00001014' };
  expect(await underTpm(document, 'certificate.sh')).toMatchObject(trusted);
});

test.each(SCRIPTS)('%s without a software TPM says how to run it', async (name) => {
  await expect(withoutTpm(document, name)).rejects.toMatchObject({
    stdout: '',
    stderr: expect.stringContaining(`run this by scripts/swtpm/run -- bash ${name}\n`),
  });
});

test('the exit codes are those of the code', () => {
  const codes = tableRows(document.section('Exit codes'), 'code').map(([code]) => Number(code));
  expect(codes).toEqual(Object.values(EXIT).sort());
});
