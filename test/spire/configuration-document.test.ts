/** The first server and agent of docs/configuration.md in genuine SPIRE, with the folders and the port of this machine. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeScratchFolder, removeScratchFolder } from '../../src/files/scratch-folder.ts';
import { pluginExecutable } from '../../src/testing/spire-plugin-block.ts';
import { SpireProcess, spireFolder } from '../../src/testing/spire-process.ts';
import { freePort } from '../../src/testing/spire-server.ts';
import { MarkdownDocument } from '../support/document.ts';
import { execute } from '../support/execute.ts';
import { says } from '../support/spire.ts';
import { startSwtpm } from '../support/swtpm.ts';

const document = new MarkdownDocument('docs/configuration.md');
const folder: string = makeScratchFolder('configuration-');
const processes: SpireProcess[] = [];
afterAll(async () => {
  for (const process of processes.reverse()) await process.stop();
  await removeScratchFolder(folder);
}, 60_000);

test('an agent attests to a server, each by its whole configuration', { timeout: 120_000 }, async () => {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const port = await freePort();
  const folders = [
    'etc/tpm-cas',
    'etc/tpm-hashes',
    'lib/spire-server',
    'lib/spire-agent',
    'run/spire-server',
    'run/spire-agent',
  ];
  for (const name of folders) await mkdir(join(folder, name), { recursive: true });
  await copyFile(tpm.caPath, join(folder, 'etc/tpm-cas/ca.pem'));
  const start = async (side: 'server' | 'agent', edit: (text: string) => string): Promise<SpireProcess> => {
    const config = join(folder, `${side}.conf`);
    const here = document
      .block('hcl', `${side}.conf`)
      .replaceAll('/etc/spire/', `${folder}/etc/`)
      .replaceAll('/var/lib/', `${folder}/lib/`)
      .replaceAll('/run/', `${folder}/run/`)
      .replace(/\/opt\/.*\.cjs/, pluginExecutable(side))
      .replace('8081', `${port}`);
    await writeFile(config, edit(here));
    const file = join(await spireFolder(), `spire-${side}`);
    const process = new SpireProcess(file, ['run', '-config', config, '-logFormat', 'json'], { temporary: folder });
    processes.push(process);
    return process;
  };

  const server = await start('server', (text) =>
    text.replace('0.0.0.0', '127.0.0.1').replace(/^ +hash_path.*$/m, '$&\nallow_software_tpm = true'),
  );
  for (const network of ['unix', 'tcp']) await server.log.until(network, says('Starting Server APIs', { network }));
  await writeFile(join(folder, 'bundle.sh'), document.block('bash', 'bundle.sh'));
  const env = { ...process.env, PATH: `${await spireFolder()}:${process.env['PATH']}` };
  const socket = join(folder, 'run/spire-server/api.sock');
  // The log line comes a moment before the socket listens.
  await expect
    .poll(() => execute('bash', [join(folder, 'bundle.sh'), socket], { env }), { timeout: 10_000 })
    .toMatchObject({ code: 0 });
  const { stdout } = await execute('bash', [join(folder, 'bundle.sh'), socket], { env });
  await writeFile(join(folder, 'etc/bundle.pem'), stdout);

  const agent = await start('agent', (text) =>
    text
      .replace('spire-server.example.org', '127.0.0.1')
      .replace(/(tpm-attestor-agent\.cjs"\n +plugin_data \{)\}/, `$1\ntcti = "${tpm.tcti}"\n}`),
  );
  const done = await agent.log.until('attestation', says('Node attestation was successful'));
  expect(done.fields['spiffe_id']).toMatch(/^spiffe:\/\/example\.org\/spire\/agent\/tpm\/[0-9a-f]{64}$/);
});
