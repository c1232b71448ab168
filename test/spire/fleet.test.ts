import { execFileSync } from 'node:child_process';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeScratchFolder, removeScratchFolder } from '../../src/files/scratch-folder.ts';
import { provisionSoftwareTpm, startSoftwareTpm } from '../../src/testing/software-tpm.ts';
import type { SpireAgent } from '../../src/testing/spire-agent.ts';
import { tpmAttestor } from '../../src/testing/spire-plugin-block.ts';
import { AttestAgentClient } from '../support/attest-agent.ts';
import { forger } from '../support/forger.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { softwareDevice } from '../support/software-device.ts';
import { admitting, agentOf, pluginPid, says, serverFor, startServer } from '../support/spire.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const folder: string = makeScratchFolder('fleet-');
afterAll(() => removeScratchFolder(folder));

test('5,000 attestations through one server lose none', { timeout: 300_000 }, async () => {
  const caPath = join(folder, 'ca.pem');
  await writeFile(caPath, pem(mintEkChain().root.der));
  const server = await startServer({ nodeAttestors: [tpmAttestor('server', `ca_path = "${caPath}"`)] });
  const plugin = await pluginPid(server);
  const client = await AttestAgentClient.to(server);
  const rounds = 160;
  const machines = Array.from({ length: 32 }, async (_, i) => {
    const device = forger(softwareDevice({ label: `machine ${i}` }));
    const ids: string[] = [];
    for (let round = 0; round < rounds; round++) ids.push(await client.attest(device));
    return ids;
  });
  const ids = await Promise.all(machines);
  client.close();
  expect(ids.flat().length).toBeGreaterThan(5000);
  expect(ids.map((own) => new Set(own).size)).toEqual(ids.map(() => 1));
  expect(new Set(ids.flat()).size).toBe(machines.length);
  expect(await pluginPid(server)).toBe(plugin);
  expect(server.process.log.records.filter(says('plugin process exited'))).toEqual([]);
});

test('50 agents with 50 TPMs attest at once', { timeout: 600_000 }, async () => {
  const tpms = await fleet(50);
  const server = await serverFor(tpms.slice(0, 1));
  const agents: SpireAgent[] = [];
  try {
    agents.push(...(await Promise.all(tpms.map((tpm) => agentOf(server, tpm)))));
    const ids = await Promise.all(agents.map((agent) => agent.attested(180_000)));
    expect(new Set(ids).size).toBe(50);
    expect((await server.nodes()).map(({ id }) => id).sort()).toEqual([...ids].sort());
  } finally {
    await Promise.all(agents.map((agent) => agent.stop()));
    await Promise.all(tpms.map((tpm) => tpm.stop()));
  }
});

/** TPMs of one manufacturer. Making an endorsement key and its certificate is what takes time. */
async function fleet(count: number): Promise<readonly SoftwareTpm[]> {
  const options = { templates: ['L-1'], persistentEks: true } as const;
  const first = await startSoftwareTpm(options);
  const tpms: SoftwareTpm[] = [first];
  const work = async (): Promise<void> => {
    while (tpms.length < count) {
      const image = makeScratchFolder('image-');
      const reserved = tpms.length;
      tpms.push(first);
      await cp(join(first.folder, 'ca'), join(image, 'ca'), { recursive: true });
      await provisionSoftwareTpm(image, options);
      tpms[reserved] = await startSoftwareTpm({ image });
      await removeScratchFolder(image);
    }
  };
  await Promise.all([work(), work()]);
  return tpms;
}

test('agents with join tokens and X.509 proof of possession go on beside TPMs on one server', {
  timeout: 120_000,
}, async () => {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const { certificate, key } = selfSigned();
  const server = await startServer({
    nodeAttestors: [
      tpmAttestor('server', admitting([tpm])),
      { name: 'join_token' },
      { name: 'x509pop', data: `ca_bundle_path = "${certificate}"` },
    ],
  });
  const { stdout } = await server.command('token', 'generate', '-output', 'json');
  const { value: joinToken } = JSON.parse(stdout) as { readonly value: string };
  const x509pop = { name: 'x509pop', data: `private_key_path = "${key}"\ncertificate_path = "${certificate}"` };
  const agents = await Promise.all([
    agentOf(server, tpm),
    agentOf(server, { name: 'join_token' }, { joinToken }),
    agentOf(server, x509pop),
  ]);
  const ids = await Promise.all(agents.map((agent) => agent.attested()));
  const kinds = ids.map((id) => /\/spire\/agent\/([^/]+)\//.exec(id)?.[1]);
  expect(kinds).toEqual(['tpm', 'join_token', 'x509pop']);
  // A TPM that is refused, and the end of the tpm plugin, are nothing to the others.
  const stranger = await agentOf(server, await startSwtpm({ templates: ['L-1'], identity: 'mixed-stranger' }));
  expect(await stranger.process.exited).toMatchObject({ code: 1 });
  process.kill(await pluginPid(server), 'SIGKILL');
  await server.process.log.until('the end of the plugin', says('plugin process exited'));
  // SPIRE knows an agent by the serial number of its SVID for a while, and the other agent with this ID has another one:
  // now and then it turns the new one away at first, and a supervisor would start it again.
  const again = async (): Promise<string> => (await agentOf(server, x509pop)).attested();
  expect(await again().catch(again)).toBe(ids[2]);
  const types = (await server.nodes()).map(({ attestationType }) => attestationType).sort();
  expect(types).toEqual(['join_token', 'tpm', 'x509pop']);
});

function selfSigned(): { readonly certificate: string; readonly key: string } {
  const [certificate, key] = [join(folder, 'node.pem'), join(folder, 'node.key')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=a node', '-addext', 'keyUsage=critical,digitalSignature,keyCertSign'],
      ...['-keyout', key, '-out', certificate],
    ],
    { stdio: 'ignore' },
  );
  return { certificate, key };
}
