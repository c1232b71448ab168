/** A software TPM (swtpm) for tests, whose endorsement keys a CA of its own has certified. */
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

/**
 * The default EK templates that swtpm supports (EK Credential Profile 2.6, annex B). It has neither SM2 nor RSA-4096.
 */
export const SOFTWARE_EK_TEMPLATES = ['L-1', 'L-2', 'H-1', 'H-2', 'H-3', 'H-4', 'H-6'] as const;
/** Name of an EK template that swtpm supports. */
export type SoftwareEkTemplate = (typeof SOFTWARE_EK_TEMPLATES)[number];

/** Options for making a software TPM. */
export interface ProvisionOptions {
  /** EK templates with a certificate in NV. An empty list gives a TPM without certificates. Default L-1 and H-3. */
  readonly templates?: readonly SoftwareEkTemplate[];
  /** PCR banks to allocate. Default sha256. */
  readonly pcrBanks?: readonly string[];
  /**
   * Makes each EK persistent, at the handle that the TCG suggests: 0x81010001 for L-1, else 0x81010000 plus the low byte of
   * its NV index.
   */
  readonly persistentEks?: boolean;
}

/** Options for starting a software TPM: a new one, or a copy. */
export interface SoftwareTpmOptions extends ProvisionOptions {
  /** A folder of `provisionSoftwareTpm`. Its TPM is copied, with its EKs, instead of making a new one. */
  readonly image?: string;
}

/** Options for a tpm2-tools command. */
export interface Tpm2Options {
  /** The working folder of the command. Default: `folder` of the TPM. */
  readonly cwd?: string;
  readonly input?: Uint8Array | string;
}

/** A running software TPM. */
export interface SoftwareTpm {
  /** TCTI string of tpm2-tss. swtpm serves one client at a time; other clients wait. */
  readonly tcti: string;
  readonly socketPath: string;
  /** Holds all files of this TPM. `stop` removes it. */
  readonly folder: string;
  readonly stateDir: string;
  readonly caDir: string;
  /** PEM file with the root and intermediate certificates of the manufacturer, for `ca_path`. */
  readonly caPath: string;
  readonly pid: number;
  /** Kills the TPM, as in a crash. `powerCycle` starts it again. */
  kill(): void;
  /** Cuts the power without TPM2_Shutdown, and starts again with Startup(CLEAR). Clients must have disconnected. */
  powerCycle(): Promise<void>;
  /** Ends the TPM and removes its folder. May be called again. */
  stop(): Promise<void>;
  /** Runs a tpm2-tools command with this TPM. When it fails, rejects with its standard error. */
  tpm2(tool: `tpm2_${string}`, args?: readonly string[], options?: Tpm2Options): Promise<Tpm2Output>;
}

/** The output of a tpm2-tools command. */
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
// The checkout is two levels up, both from src/testing and from a bundle in dist/bin.
const SCRIPTS = fileURLToPath(new URL('../../scripts/swtpm/', import.meta.url));
const START_DEADLINE_MS = 10_000;

/**
 * Makes a manufacturer CA in `folder/ca`, and in `folder/state` a TPM whose EKs this CA has certified.
 *
 * @param temporary folder for the temporary files and sockets of the scripts
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

/** Starts a new TPM on a new unix socket. The kernel ends it when this process ends, also by SIGKILL. */
export async function startSoftwareTpm(options: SoftwareTpmOptions = {}): Promise<SoftwareTpm> {
  // Private (mode 0700), because it holds TPM seeds and CA keys.
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
        // The tool may end without reading its input. The exit code reports a failure, so ignore the broken pipe.
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
  // A killed TPM leaves its sockets. Remove them, so that only the new TPM can answer.
  await Promise.all([rm(socket, { force: true }), rm(`${socket}.ctrl`, { force: true })]);
  const logPath = join(folder, 'tpm.log');
  const log = openSync(logPath, 'a', 0o600);
  // setpriv becomes swtpm and keeps its pid. The kernel kills it when this process ends, even by SIGKILL.
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
    () => new SoftwareTpmError(`swtpm ended at once: ${readFileSync(logPath, 'utf8').trim() || 'it logged nothing'}`),
    (cause) => new SoftwareTpmError('cannot run setpriv (package util-linux)', { cause }),
  );
  const opened = await Promise.race([failed, awaitAnswer(socket, swtpm)]);
  if (opened !== undefined) {
    await end(swtpm, 'SIGKILL');
    throw opened;
  }
  return swtpm;
}

/** Resolves to undefined when the TPM answers on its command socket; to an error when it does not answer in time. */
async function awaitAnswer(path: string, swtpm: ChildProcess): Promise<SoftwareTpmError | undefined> {
  const deadline = performance.now() + START_DEADLINE_MS;
  while (swtpm.exitCode === null && performance.now() < deadline) {
    if (await answers(path)) return undefined;
    await sleep(5);
  }
  return new SoftwareTpmError('swtpm did not answer on its socket');
}

// TPM2_GetTestResult (Part 3, 10.4) needs no session and changes nothing.
const GET_TEST_RESULT = Buffer.from('80010000000a0000017c', 'hex');

/**
 * Sends a command, because an open socket proves little: swtpm opens it before it reads its state, and may then fail.
 */
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
/** Kills the whole process groups, because swtpm and the tools would go on writing into a removed folder. */
function killScripts(): void {
  for (const group of scripts) {
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // The group has already ended.
    }
  }
}

async function runScript(name: string, args: readonly string[], temporary: string): Promise<void> {
  const env = { ...process.env, TMPDIR: temporary };
  const script = spawn(join(SCRIPTS, name), args, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const { pid } = script;
  if (pid !== undefined) {
    // Runs before the exit handler that removes the folders.
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
      said.trim() || `cannot run scripts/swtpm/${name}: making a software TPM needs a checkout`,
      {
        cause,
      },
    );
  } finally {
    if (pid !== undefined && scripts.delete(pid) && scripts.size === 0) process.removeListener('exit', killScripts);
  }
}
