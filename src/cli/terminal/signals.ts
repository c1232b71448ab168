/** The signals that end the command: by handlers that clean up, or at once while a call blocks. */
import { constants } from 'node:os';
import { outputHoldsThread } from '../../spire/log/output.ts';
import { exitProcess } from '../../tpm/device/native.ts';
import { allSaid } from './terminal.ts';

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;

/** For what is loaded in a TPM without resource manager: it is flushed behind the command that is under way. */
const TPM_PATIENCE_MS = 1500;
/** For a thread that has written and is about to say so. */
const THREAD_PATIENCE_MS = 200;

let isEnding = false;

function end(signal: NodeJS.Signals): void {
  if (isEnding) return;
  isEnding = true;
  // As a shell tells of a process that the signal ended.
  const code = 128 + constants.signals[signal];
  // What was started ends and what is temporary goes. A TPM that does not answer is not waited for long.
  process.emit('exit', code);
  if (!outputHoldsThread()) exitProcess(code, TPM_PATIENCE_MS);
  // Node's exit would wait for a thread, and that thread for a reader who may never read.
  void allSaid(THREAD_PATIENCE_MS).finally(() => {
    if (outputHoldsThread()) process.kill(process.pid, 'SIGKILL');
    exitProcess(code, TPM_PATIENCE_MS);
  });
}

/** The handlers stay: a second signal must not cut the cleaning short. */
export function endOnSignals(): void {
  for (const signal of SIGNALS) process.on(signal, end);
}

/**
 * Runs `call`, which may block for as long as another process likes, or work on as much as it was given: no handler would
 * run meanwhile, so the signals do what they do by default. Nothing that an exit handler would have to end or remove may have been begun.
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

/** Before a descriptor that has nothing to read yet: it is tried again; any other error is thrown. */
export function waitOrThrow(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
}
