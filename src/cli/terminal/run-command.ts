/** Runs a command of an executable: parses arguments, handles signals, prints errors and sets the exit code. */
import type { Command } from 'commander';
import { exitProcess } from '../../tpm/device/native.ts';
import { commandTree } from './command-tree.ts';
import { EXIT, failureOf } from './failure.ts';
import { endOnSignals } from './signals.ts';
import { allSaid, remark } from './terminal.ts';

/** Time to write the remaining output after an uncaught error. */
const LAST_WORDS_MS = 1000;

/** Parses the arguments of this process and runs the command. */
export function runCommand(root: Command): void {
  // Silences tpm2-tss, unless the operator has set TSS2_LOG: this command reports the same errors better.
  process.env['TSS2_LOG'] ??= 'all+NONE';
  endOnSignals();
  const fail = (error: unknown): void => {
    const { exitCode, sentence } = failureOf(error);
    if (sentence !== undefined) remark(`${root.name()}: ${sentence}`);
    process.exitCode = exitCode;
  };
  // Node would exit with 1, which means "untrusted".
  process.on('uncaughtException', (error) => {
    fail(error);
    void allSaid(LAST_WORDS_MS).finally(() => exitProcess(EXIT.FAILED));
  });
  commandTree(root)
    .parseAsync()
    .catch(fail)
    .then(() => allSaid())
    .catch(fail);
}
