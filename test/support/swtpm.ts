/** Starts software TPMs for tests, from cached images. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import {
  type ProvisionOptions,
  provisionSoftwareTpm,
  type SoftwareTpm,
  startSoftwareTpm,
} from '../../src/testing/software-tpm.ts';

export type { SoftwareEkTemplate, SoftwareTpm } from '../../src/testing/software-tpm.ts';

export interface SwtpmOptions extends ProvisionOptions {
  /**
   * TPMs with equal options and equal `identity` are copies of one TPM: same seeds, same EKs, same CA.
   * Another identity is another machine, from another CA. Default 0.
   */
  readonly identity?: number | string;
  /** Makes a new TPM instead of a copy. It takes about a second. */
  readonly fresh?: boolean;
}

const running = new Set<SoftwareTpm>();
afterAll(async () => {
  await Promise.all([...running].map((tpm) => tpm.stop()));
});

/** Starts a software TPM for a test. It is stopped at the latest when the test file ends. */
export async function startSwtpm(options: SwtpmOptions = {}): Promise<SoftwareTpm> {
  const tpm = await startSoftwareTpm(options.fresh === true ? options : { image: await image(options) });
  const stop = tpm.stop.bind(tpm);
  tpm.stop = async () => {
    running.delete(tpm);
    await stop();
  };
  running.add(tpm);
  return tpm;
}

/** The folder of a provisioned TPM with these options. The first test process that needs it makes it. */
async function image({ templates = ['L-1', 'H-3'], pcrBanks = ['sha256'], ...options }: SwtpmOptions): Promise<string> {
  const identity = options.identity ?? 0;
  const persistentEks = options.persistentEks ?? false;
  const key = JSON.stringify([provisioningVersion(), [...templates].sort(), pcrBanks, persistentEks, `${identity}`]);
  const cache = await privateCache();
  const folder = join(cache, createHash('sha256').update(key).digest('hex').slice(0, 20));
  if (existsSync(folder)) return folder;
  const unfinished = await mkdtemp(join(cache, 'unfinished-'));
  try {
    await provisionSoftwareTpm(unfinished, { templates, pcrBanks, persistentEks });
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // If another process was faster, use its TPM: equal options must give equal EKs.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** A hash of the provisioning scripts: changed scripts need a new image. */
function provisioningVersion(): string {
  const scripts = fileURLToPath(new URL('../../scripts/swtpm/', import.meta.url));
  const hash = createHash('sha256');
  for (const name of readdirSync(scripts).sort()) hash.update(`${name}\0`).update(readFileSync(join(scripts, name)));
  return hash.digest('hex');
}

/** A cache folder that only this user can read, because it holds CA keys and TPM seeds. */
async function privateCache(): Promise<string> {
  const { uid } = userInfo();
  const cache = join(tmpdir(), `tpm-attestor-test-${uid}`);
  await mkdir(cache, { recursive: true, mode: 0o700 });
  if ((await stat(cache)).uid !== uid) throw new Error(`${cache} belongs to another user; set TMPDIR`);
  await chmod(cache, 0o700);
  return cache;
}
