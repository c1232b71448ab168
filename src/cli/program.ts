/** The tree of commands of `tpm-attestor`. */
import { Command } from 'commander';
import { VERSION } from '../spire/version.ts';
import { eventlogCommand } from './boot/eventlog.ts';
import { caImportCommand } from './ca/ca-import.ts';
import { caInspectCommand } from './ca/ca-inspect.ts';
import { ekDoctorCommand } from './ek/ek-doctor.ts';
import { ekHashCommand } from './ek/ek-hash.ts';
import { ekShowCommand } from './ek/ek-show.ts';
import { ekVerifyCommand } from './ek/ek-verify.ts';
import { tpmInfoCommand } from './tpm/tpm-info.ts';
import { tpmQuoteCommand } from './tpm/tpm-quote.ts';
import { challengeCommand } from './verify/challenge.ts';
import { verifyCommand } from './verify/verify.ts';

/** The operators' command. */
export function program(): Command {
  const root = new Command('tpm-attestor')
    .description('attests machines by their TPM 2.0, and judges their quotes')
    .version(VERSION)
    .addHelpText('after', '\nExit codes: 0 trusted or done, 1 untrusted, 2 usage or configuration, 3 TPM or system.');
  const tpm = new Command('tpm')
    .description('show the TPM of this machine, and make quotes')
    .addCommand(tpmInfoCommand());
  tpm.addCommand(tpmQuoteCommand());
  const ek = new Command('ek')
    .description('endorsement keys and their certificates, of this machine or saved in files')
    .addCommand(ekShowCommand());
  ek.addCommand(ekHashCommand()).addCommand(ekVerifyCommand()).addCommand(ekDoctorCommand());
  const ca = new Command('ca').description('CA certificates that the server trusts').addCommand(caInspectCommand());
  ca.addCommand(caImportCommand());
  for (const command of [tpm, ek, ca, challengeCommand(), verifyCommand(), eventlogCommand()]) root.addCommand(command);
  return root;
}
