/** Executable: the `tpm-attestor` command. */
import { exitProcess } from '../tpm/device/native.ts';
import { program } from './program.ts';
import { EXIT, failureOf } from './terminal/failure.ts';
import { endOnSignals } from './terminal/signals.ts';
import { allSaid, remark } from './terminal/terminal.ts';

// tpm2-tss writes to standard error by itself what this command says better; the operator's setting wins.
process.env['TSS2_LOG'] ??= 'all+NONE';

/** For what was said before an error that nobody caught. */
const LAST_WORDS_MS = 1000;

endOnSignals();

function fail(error: unknown): void {
  const { exitCode, sentence } = failureOf(error);
  if (sentence !== undefined) remark(`tpm-attestor: ${sentence}`);
  process.exitCode = exitCode;
}

// Node would end with 1, which says "untrusted".
process.on('uncaughtException', (error) => {
  fail(error);
  void allSaid(LAST_WORDS_MS).finally(() => exitProcess(EXIT.FAILED));
});

program()
  .parseAsync()
  .catch(fail)
  .then(() => allSaid())
  .catch(fail);
