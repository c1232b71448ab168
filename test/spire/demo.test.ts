import { expect, test } from 'vitest';
import { demoCli } from '../support/cli.ts';
import { swtpmSelectors } from '../support/swtpm-selectors.ts';

test('the demo through SPIRE ends with a workload SVID under an entry for our selectors, and a rotation', {
  timeout: 180_000,
}, async () => {
  const { code, stdout, stderr } = await demoCli(['spire', '--json']);
  expect(code, stderr).toBe(0);
  const document = JSON.parse(stdout);
  expect(document).toEqual({
    agent_id: expect.stringMatching(/^spiffe:\/\/example\.org\/spire\/agent\/tpm\/[0-9a-f]{64}$/),
    // In the order of SPIRE's datastore.
    selectors: expect.arrayContaining([...swtpmSelectors(expect.stringMatching(/^tpm:pub_hash:[0-9a-f]{64}$/))]),
    can_reattest: true,
    workload_spiffe_id: 'spiffe://example.org/workload',
    rotations: expect.any(Number),
    spire_version: expect.stringMatching(/^1\.15\.3/),
  });
  expect(document.rotations).toBeGreaterThan(0);
  expect(document.selectors).toContain(`tpm:pub_hash:${document.agent_id.split('/').at(-1)}`);
});
