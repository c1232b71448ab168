import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeScratchFolder, removeScratchFolder } from '../files/scratch-folder.ts';

/** The default EK templates swtpm can make (EK Credential Profile v2.6, annex B; it has neither SM2 nor RSA-4096). */
export const SOFTWARE_EK_TEMPLATES = ['L-1', 'L-2', 'H-1', 'H-2', 'H-3', 'H-4', 'H-6'] as const;
/** Name of a template that swtpm can make. */
export type SoftwareEkTemplate = (typeof SOFTWARE_EK_TEMPLATES)[number];

/** How a software TPM is made. */
export interface ProvisionOptions {
  /** EK templates with a certificate in NV; none gives a TPM as blank as swtpm_setup leaves it. Default L-1 and H-3. */
  readonly templates?: readonly SoftwareEkTemplate[];
  /** PCR banks to allocate. Default sha256. */
  readonly pcrBanks?: readonly string[];
  /** Leaves each EK at a persistent handle, as the TCG suggests: 0x81010001 for L-1, else 0x81010000 plus the low byte of its NV index. */
  readonly persistentEks?: boolean;
}

/** A new software TPM, or a copy of one. */
export interface SoftwareTpmOptions extends ProvisionOptions {
  /** A folder `provisionSoftwareTpm` made: its TPM is copied, EK identity included, instead of making one. */
  readonly image?: string;
}

/** How a tpm2-tools command is run. */
export interface Tpm2Options {
  /** Where relative file names lie. Default: `folder` of the TPM. */
  readonly cwd?: string;
  readonly input?: Uint8Array | string;
}

/** A running swtpm, with a CA of its own that certified its endorsement keys. */
export interface SoftwareTpm {
  /** TCTI string of tpm2-tss. swtpm serves one client at a time; the next one waits. */
  readonly tcti: string;
  readonly socketPath: string;
  /** Holds everything of this TPM; gone after `stop`. */
  readonly folder: string;
  readonly stateDir: string;
  readonly caDir: string;
  /** PEM bundle of the manufacturer's root and intermediate, as `ca_path` takes it. */
  readonly caPath: string;
  readonly pid: number;
  /** Ends the TPM as a crash would. `powerCycle` brings it back. */
  kill(): void;
  /** Loses power without TPM2_Shutdown and comes back with Startup(CLEAR). Clients must have closed. */
  powerCycle(): Promise<void>;
  /** Ends the TPM and removes its folder. May be called again. */
  stop(): Promise<void>;
  /** Runs a tpm2-tools command against this TPM; rejects with its standard error when it fails. */
  tpm2(tool: `tpm2_${string}`, args?: readonly string[], options?: Tpm2Options): Promise<Tpm2Output>;
}

/** What a tpm2-tools command wrote. */
export interface Tpm2Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** The software TPM could not be made, started or reached. */
export class SoftwareTpmError extends Error {
  override readonly name = 'SoftwareTpmError';
  readonly code = 'ERR_SOFTWARE_TPM';
}

const run = promisify(execFile);
// Both from src/cli and from the bundle in dist/bin, the checkout is two levels up.
const SCRIPTS = fileURLToPath(new URL('../../scripts/swtpm/', import.meta.url));
const START_DEADLINE_MS = 10_000;

/**
 * Makes `folder/ca` and `folder/state`: a manufacturer CA and a TPM whose EKs it has certified.
 *
 * @param temporary where the scripts have their temporary files, some of them sockets
 */
export async function provisionSoftwareTpm(
  folder: string,
  options: ProvisionOptions = {},
  temporary: string = tmpdir(),
): Promise<void> {
  const ca = join(folder, 'ca');
  const templates = options.templates ?? ['L-1', 'H-3'];
  const args = ['--state', join(folder, 'state'), '--ca', ca, '--templates', templates.join(',')];
  if (options.pcrBanks !== undefined) args.push('--pcr-banks', options.pcrBanks.join(','));
  if (options.persistentEks === true) args.push('--persistent-eks');
  await runScript('make-ca', [ca], temporary);
  await runScript('provision', args, temporary);
}

/** Starts a TPM of its own on a unix socket of its own. It ends with this process, however that ends. */
export async function startSoftwareTpm(options: SoftwareTpmOptions = {}): Promise<SoftwareTpm> {
  // It holds seeds and CA keys.
  const folder = makeScratchFolder('swtpm-');
  try {
    if (options.image === undefined) await provisionSoftwareTpm(folder, options, folder);
    else await cp(options.image, folder, { recursive: true });
    let swtpm = await startSwtpm(folder);
    const socketPath = join(folder, 'tpm.sock');
    const tcti = `swtpm:path=${socketPath}`;
    return {
      tcti,
      socketPath,
      folder,
      stateDir: join(folder, 'state'),
      caDir: join(folder, 'ca'),
      caPath: join(folder, 'ca', 'ca.pem'),
      get pid(): number {
        return swtpm.pid ?? 0;
      },
      kill(): void {
        swtpm.kill('SIGKILL');
      },
      async powerCycle(): Promise<void> {
        await end(swtpm, 'SIGKILL');
        swtpm = await startSwtpm(folder);
      },
      async stop(): Promise<void> {
        await end(swtpm, 'SIGKILL');
        await removeScratchFolder(folder);
      },
      async tpm2(tool, args = [], { cwd = folder, input } = {}): Promise<Tpm2Output> {
        const env = { ...process.env, TPM2TOOLS_TCTI: tcti, TSS2_LOG: 'all+NONE' };
        const command = run(tool, [...args], { cwd, env, encoding: 'utf8' });
        // The tool may end without reading its input; its exit code tells, not the broken pipe.
        command.child.stdin?.on('error', () => undefined).end(input);
        return command;
      },
    };
  } catch (error) {
    await removeScratchFolder(folder);
    throw error;
  }
}

async function startSwtpm(folder: string): Promise<ChildProcess> {
  const socket = join(folder, 'tpm.sock');
  // A killed TPM leaves its sockets; what answers next must be the new one.
  await Promise.all([rm(socket, { force: true }), rm(`${socket}.ctrl`, { force: true })]);
  const logPath = join(folder, 'tpm.log');
  const log = openSync(logPath, 'a', 0o600);
  // setpriv becomes swtpm and keeps its pid; the kernel then ends it when this process dies, even by SIGKILL.
  const swtpm = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--', 'swtpm', 'socket', '--tpm2', '--tpmstate', `dir=${join(folder, 'state')}`],
      ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
      ...['--flags', 'not-need-init,startup-clear'],
    ],
    { stdio: ['ignore', log, log] },
  );
  closeSync(log);
  swtpm.unref();
  const failed = once(swtpm, 'exit').then(
    () => new SoftwareTpmError(`swtpm ended at once: ${readFileSync(logPath, 'utf8').trim() || 'it said nothing'}`),
    (cause) => new SoftwareTpmError('cannot run setpriv (package util-linux)', { cause }),
  );
  const opened = await Promise.race([failed, awaitAnswer(socket, swtpm)]);
  if (opened !== undefined) {
    await end(swtpm, 'SIGKILL');
    throw opened;
  }
  return swtpm;
}

/** Resolves to nothing once the TPM answers on its command socket; to the reason when it does not. */
async function awaitAnswer(path: string, swtpm: ChildProcess): Promise<SoftwareTpmError | undefined> {
  const deadline = performance.now() + START_DEADLINE_MS;
  while (swtpm.exitCode === null && performance.now() < deadline) {
    if (await answers(path)) return undefined;
    await sleep(5);
  }
  return new SoftwareTpmError('swtpm did not answer on its socket');
}

// TPM2_GetTestResult, part 3 section 10.4: it asks for no session and changes nothing.
const GET_TEST_RESULT = Buffer.from('80010000000a0000017c', 'hex');

/** An open socket alone says little: swtpm opens it before it looks for its state, and may end then. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    socket.write(GET_TEST_RESULT);
    return await Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.ref();
  child.kill(signal);
  await exited;
}

const scripts = new Set<number>();
/** Whole process groups: swtpm and the tools write into the folder, which must not happen when it has gone. */
function killScripts(): void {
  for (const group of scripts) {
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
}

async function runScript(name: string, args: readonly string[], temporary: string): Promise<void> {
  const env = { ...process.env, TMPDIR: temporary };
  const script = spawn(join(SCRIPTS, name), args, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const { pid } = script;
  if (pid !== undefined) {
    // Ahead of the folders, which go at the exit, too.
    if (scripts.size === 0) process.prependListener('exit', killScripts);
    scripts.add(pid);
  }
  let said = '';
  script.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    const [code] = await once(script, 'close');
    if (code !== 0) throw new Error(`it ended with exit code ${code}`);
  } catch (cause) {
    throw new SoftwareTpmError(
      said.trim() || `cannot run scripts/swtpm/${name}: a software TPM is made from a checkout`,
      {
        cause,
      },
    );
  } finally {
    if (pid !== undefined && scripts.delete(pid) && scripts.size === 0) process.removeListener('exit', killScripts);
  }
}
