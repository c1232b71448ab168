/** Executable: the `tpm-attestor` command. */
import { program } from './program.ts';
import { runCommand } from './terminal/run-command.ts';

runCommand(program());
