/** Executable: the `tpm-attestor` command. */
import { exitProcess } from '../tpm/native.ts';
import { EXIT, failureOf } from './failure.ts';
import { program } from './program.ts';
import { remark } from './terminal.ts';

// tpm2-tss writes to standard error by itself what this command says better; the operator's setting wins.
process.env['TSS2_LOG'] ??= 'all+NONE';

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
for (const [signal, code] of Object.entries(SIGNALS)) {
  process.once(signal, () => {
    // What was started ends and what is temporary goes; a TPM that does not answer is not waited for.
    process.emit('exit', code);
    exitProcess(code);
  });
}

function fail(error: unknown): void {
  const { exitCode, sentence } = failureOf(error);
  if (sentence !== undefined) remark(`tpm-attestor: ${sentence}`);
  process.exitCode = exitCode;
}

// Node would end with 1, which says "untrusted".
process.on('uncaughtException', (error) => {
  fail(error);
  exitProcess(EXIT.FAILED);
});

program().parseAsync().catch(fail);
