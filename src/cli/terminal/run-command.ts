/** How an executable of ours runs: its commands, its signals, its exit codes, and what is said last. */
import type { Command } from 'commander';
import { exitProcess } from '../../tpm/device/native.ts';
import { commandTree } from './command-tree.ts';
import { EXIT, failureOf } from './failure.ts';
import { endOnSignals } from './signals.ts';
import { allSaid, remark } from './terminal.ts';

/** For what was said before an error that nobody caught. */
const LAST_WORDS_MS = 1000;

/** Parses the arguments of this process and does what they ask for. */
export function runCommand(root: Command): void {
  // tpm2-tss writes to standard error by itself what this command says better; the operator's setting wins.
  process.env['TSS2_LOG'] ??= 'all+NONE';
  endOnSignals();
  const fail = (error: unknown): void => {
    const { exitCode, sentence } = failureOf(error);
    if (sentence !== undefined) remark(`${root.name()}: ${sentence}`);
    process.exitCode = exitCode;
  };
  // Node would end with 1, which says "untrusted".
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
