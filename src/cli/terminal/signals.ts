/** Ends the command on signals: with a clean-up, or at once during a blocking call. */
import { constants } from 'node:os';
import { outputHoldsThread } from '../../spire/log/output.ts';
import { exitProcess } from '../../tpm/device/native.ts';
import { allSaid } from './terminal.ts';

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;

/** Time to flush objects in a TPM without resource manager, after the TPM command under way. */
const TPM_PATIENCE_MS = 1500;
/** Time for a thread whose write is done to report back. */
const THREAD_PATIENCE_MS = 200;

let isEnding = false;

function end(signal: NodeJS.Signals): void {
  if (isEnding) return;
  isEnding = true;
  // The exit code that a shell reports for a process killed by the signal.
  const code = 128 + constants.signals[signal];
  // The exit handlers end child processes and remove temporary files.
  process.emit('exit', code);
  if (!outputHoldsThread()) exitProcess(code, TPM_PATIENCE_MS);
  // process.exit would wait for a thread, and that thread waits for a reader who may never read.
  void allSaid(THREAD_PATIENCE_MS).finally(() => {
    if (outputHoldsThread()) process.kill(process.pid, 'SIGKILL');
    exitProcess(code, TPM_PATIENCE_MS);
  });
}

/** The handlers stay installed, so that a second signal does not interrupt the clean-up. */
export function endOnSignals(): void {
  for (const signal of SIGNALS) process.on(signal, end);
}

/**
 * Runs a call that may block or compute for long. No signal handler could run meanwhile, so signals have their default
 * effect. The caller must not have started or created anything that an exit handler must clean up.
 */
export function interruptible<T>(call: () => T): T {
  const handled = SIGNALS.filter((signal) => process.listeners(signal).includes(end));
  for (const signal of handled) process.removeListener(signal, end);
  try {
    return call();
  } finally {
    for (const signal of handled) process.on(signal, end);
  }
}

/** Waits a little if a descriptor has nothing to read yet (EAGAIN). Throws any other error. */
export function waitOrThrow(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
}
