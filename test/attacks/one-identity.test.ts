/** One TPM, one identity: what becomes of a machine that comes back by another of its endorsement keys. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Attestor } from '../../src/agent/attest.ts';
import type { EkTemplateName } from '../../src/tpm/templates.ts';
import { forger } from '../support/forger.ts';
import { challenged, type Judge, type Judgement, useJudge } from '../support/judge.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { eccAk, pubHashOf, type SoftwareDevice, softwareDevice, TRUST_DOMAIN } from '../support/software-device.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const folder = mkdtempSync(join(tmpdir(), 'one-identity-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const denyPath = join(folder, 'denied');
writeFileSync(denyPath, '');
const caPath = join(folder, 'ca.pem');
let tpm: SoftwareTpm;
let denied: readonly string[] = [];

const strict = useJudge();
const lax = useJudge(async () => {
  tpm = await startSwtpm({ templates: ['L-1', 'H-1'] });
  const { root, intermediate } = mintEkChain();
  writeFileSync(caPath, readFileSync(tpm.caPath, 'utf8') + pem(root.der, intermediate.der));
  const options = ['ek_templates = ["L-1", "H-1", "L-2"]', `deny_path = ${JSON.stringify(denyPath)}`];
  return { caPath, config: [...options, 'allow_software_tpm = true', 'wire = "spire-tpm-plugin"'].join('\n') };
});

const key = (label: string, ek: EkTemplateName): SoftwareDevice => softwareDevice({ label, ek });

async function deny(judge: Judge, ...hashes: readonly string[]): Promise<void> {
  denied = [...denied, ...hashes];
  await judge.changes(() => writeFileSync(denyPath, denied.join('\n')), 'denied');
}

const refusals = (hash: string) =>
  lax.records.filter(({ fields }) => fields['finding'] === 'ek.denied' && fields['claimed_pub_hash'] === hash);

test('A70 refuses a certified endorsement key of a template that is not accepted', async () => {
  await strict.refuses({ device: key('machine', 'H-1') }, 'ek.template_not_accepted');
  await strict.refuses({ device: key('machine', 'H-2') }, 'ek.algorithm');
  const [record] = strict.records.filter(({ fields }) => fields['finding'] === 'ek.template_not_accepted');
  expect(record?.message).toBe('attestation refused: the endorsement key has template H-1; the server accepts L-1');
  expect(record?.fields['remedy']).toContain('ek_templates');
  await lax.refuses({ device: key('machine', 'H-2') }, 'ek.template_not_accepted');
  await lax.admits(key('machine', 'H-1'));
});

test('A70 warns of each further template, at configuration and for each machine that uses it', async () => {
  const warned = (judge: Judge) => judge.records.filter(({ message }) => message.includes('ek_templates: '));
  await strict.admits(key('machine', 'L-1'));
  expect(warned(strict)).toEqual([]);
  await lax.admits(key('warned of', 'L-2'));
  await lax.until(() => warned(lax).some(({ message }) => message.startsWith('relaxed policy: ')));
  expect(warned(lax)[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('L-1, H-1, L-2') });
});

test('A55 refuses a denied machine by another endorsement key that shares its attestation key', async () => {
  const [first, second] = [key('thief', 'L-1'), key('thief', 'H-1')];
  await lax.admits(first);
  await deny(lax, pubHashOf(first));
  await lax.refuses({ device: first }, 'ek.denied');
  await lax.refuses({ device: second }, 'ek.denied');
  // A machine that was not denied goes on to have two IDs.
  await lax.admits(key('honest', 'L-1'));
  await lax.admits(key('honest', 'H-1'));
});

test('A55 refuses a denied machine by each of its keys that was seen, and logs all of them', async () => {
  const eks = (['L-1', 'H-1', 'L-2'] as const).map((template) => key('three keys', template));
  for (const device of [...eks, ...eks]) await lax.admits(device);
  const [first, second, third] = eks as [SoftwareDevice, SoftwareDevice, SoftwareDevice];
  await deny(lax, pubHashOf(second));
  for (const device of eks) await lax.refuses({ device }, 'ek.denied');
  // Whatever attestation key it makes now: the endorsement keys have been seen together.
  await lax.refuses({ device: { ...third, ak: eccAk({ label: 'new AK' }) } }, 'ek.denied');
  const [record] = refusals(pubHashOf(second));
  const others = [record?.fields['other_pub_hash_1'], record?.fields['other_pub_hash_2']];
  expect(others.sort()).toEqual([pubHashOf(first), pubHashOf(third)].sort());
  // That wire passes its key off as one of L-1.
  await lax.refused(await lax.judge(pluginForger(second)), 'ek.denied');
  await lax.refused(await lax.judge(pluginForger(first)), 'ek.denied');
});

test('A55 refuses a machine when another of its keys is denied while its challenge is open, on both wires', async () => {
  const [first, second] = [key('in time', 'L-1'), key('in time', 'H-1')];
  for (const device of [first, second]) await lax.admits(device);
  const other = key('spared', 'H-1');
  const open = [];
  for (const machine of [forger(second), pluginForger(second)]) open.push(await challenged(lax, machine));
  const admitted = [await challenged(lax, forger(other)), await challenged(lax, pluginForger(other))];
  await deny(lax, pubHashOf(first));
  for (const answer of open) await lax.refused(await answer(), 'ek.denied');
  for (const answer of admitted) expect(await answer()).toMatchObject({ outcome: 'admitted' });
});

test('A55 links no keys by a claim: a denied machine that sends the attestation key of another does not harm it', async () => {
  const [victim, thief] = [key('victim', 'L-1'), key('claimant', 'L-1')];
  await lax.admits(victim);
  await deny(lax, pubHashOf(thief));
  await lax.refuses({ device: { ...thief, ak: victim.ak } }, 'ek.denied');
  const claimed = key('claimant', 'H-1');
  await lax.refuses(
    { device: { ...claimed, ak: victim.ak }, forgery: { secret: () => new Uint8Array(32) } },
    'credential.secret',
  );
  await lax.admits(victim);
  // What was claimed and not proved is denied for itself alone.
  await deny(lax, pubHashOf(claimed));
  await lax.admits(victim);
  await lax.admits(key('victim', 'H-1'));
  expect(refusals(pubHashOf(thief)).map(({ fields }) => fields['other_pub_hash_1'])).toEqual([undefined]);
});

test('A55 cannot link keys that were never seen together: another endorsement key with another attestation key', async () => {
  const first = key('stranger', 'L-1');
  await lax.admits(first);
  await deny(lax, pubHashOf(first));
  await lax.refuses({ device: { ...first, ak: eccAk({ label: 'stranger 2' }) } }, 'ek.denied');
  await lax.admits({ ...key('stranger', 'H-1'), ak: eccAk({ label: 'stranger 2' }) });
});

test('A55 refuses a denied TPM when its agent is given the certificate of another of its keys', async () => {
  const attest = async (path?: string): Promise<Judgement> => {
    const stream = lax.host.openAttestation();
    let response: Promise<Judgement> | undefined;
    const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti, ekCertificatePath: path });
    const refused = (error: unknown): Judgement => {
      if (error instanceof Error && 'code' in error && typeof error.code === 'number')
        return { outcome: 'refused', code: error.code, message: error.message };
      throw error;
    };
    try {
      const attestation = await attestor.attest(async (payload) => {
        stream.sendPayload(payload);
        const challenge = await stream.next();
        if (challenge.kind !== 'challenge') throw new Error('no challenge');
        return challenge.bytes;
      });
      response = lax.answered(stream, attestation.response);
      return await response;
    } catch (error) {
      return refused(error);
    } finally {
      stream.cancel();
    }
  };
  await tpm.tpm2('tpm2_nvread', ['0x01c00012', '-C', 'p', '-o', 'h1.der']);
  const other = join(tpm.folder, 'h1.der');
  const byL1 = await attest();
  if (byL1.outcome !== 'admitted') throw new Error(JSON.stringify(byL1));
  const byH1 = await attest(other);
  expect(byH1).toMatchObject({ outcome: 'admitted' });
  expect(byH1).not.toMatchObject({ agentId: byL1.agentId });
  await deny(lax, byL1.agentId.split('/').at(-1) ?? '');
  await lax.refused(await attest(), 'ek.denied');
  await lax.refused(await attest(other), 'ek.denied');
  expect(await lax.judge(forger(softwareDevice()))).toMatchObject({ outcome: 'admitted' });
});
