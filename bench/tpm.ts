/** Counts the TPM commands of an attestation. On a chip each takes milliseconds, whatever program sends it. */
import { randomBytes } from 'node:crypto';
import { Attestor } from '../src/agent/attest.ts';
import { loadPolicy } from '../src/policy/policy-files.ts';
import { readServerSettings } from '../src/policy/server-settings.ts';
import { startSoftwareTpm } from '../src/testing/software-tpm.ts';
import { begin } from '../src/verifier/verify.ts';
import { type Row, withRatios } from './row.ts';

const TRUST_DOMAIN = 'bench.example';

const KEYS = [
  { template: 'L-1', persistentEks: true, most: 8 },
  { template: 'L-1', persistentEks: false, most: 8 },
  { template: 'H-3', persistentEks: true, most: 9 },
  { template: 'H-3', persistentEks: false, most: 9 },
] as const;

export async function measure(): Promise<readonly Row[]> {
  const rows: Parameters<typeof withRatios>[0][number][] = [];
  for (const { template, persistentEks, most } of KEYS) {
    const key = `${template} EK ${persistentEks ? 'at a persistent handle' : 'made from its template'}`;
    const [first, later] = await commands(template, persistentEks);
    const name = `the first attestation, ${key}`;
    rows.push({ name, value: first, best: first, unit: 'commands', of: null });
    rows.push({
      ...{ name: `a later one, ${key}`, value: later, best: later, unit: 'commands', of: name },
      target: { most: most / first, otherwise: `at most ${most} commands` },
    });
  }
  return withRatios(rows);
}

async function commands(template: 'L-1' | 'H-3', persistentEks: boolean): Promise<readonly [number, number]> {
  const tpm = await startSoftwareTpm({ templates: [template], persistentEks });
  try {
    const hcl = `ca_path = "${tpm.caPath}"\nallow_software_tpm = true\nek_templates = ["L-1", "L-2", "H-3"]`;
    const { policy } = loadPolicy(readServerSettings(TRUST_DOMAIN, hcl));
    const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti });
    const count = async (): Promise<number> => {
      const attestation = await attestor.attest(async (payload) => {
        const begun = begin(payload, policy, randomBytes, new Date());
        if (begun.outcome === 'rejected') throw new Error(JSON.stringify(begun.verdict));
        return begun.challenge;
      });
      return [...attestation.commands.values()].reduce((sum, times) => sum + times, 0);
    };
    return [await count(), await count()];
  } finally {
    await tpm.stop();
  }
}
