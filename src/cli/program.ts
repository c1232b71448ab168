/** The command line: commands, their help, and how misuse ends. */
import { Command } from 'commander';
import { VERSION } from '../spire/version.ts';
import { challengeCommand } from './challenge.ts';
import { demoCommand } from './demo.ts';
import { demoSpireCommand } from './demo-spire.ts';
import { ekHashCommand, ekShowCommand } from './ek-show.ts';
import { tamperingAgentCommand } from './tampering-agent.ts';
import { tpmInfoCommand } from './tpm-info.ts';
import { tpmQuoteCommand } from './tpm-quote.ts';
import { verifyCommand } from './verify.ts';

export function program(): Command {
  const root = new Command('tpm-attestor')
    .description('attests machines by their TPM 2.0, and judges their quotes')
    .version(VERSION)
    .addHelpText('after', '\nExit codes: 0 trusted or done, 1 untrusted, 2 usage or configuration, 3 TPM or system.');
  const tpm = new Command('tpm').description('look at the TPM of this machine').addCommand(tpmInfoCommand());
  tpm.addCommand(tpmQuoteCommand());
  const ek = new Command('ek').description('the endorsement key of this machine').addCommand(ekShowCommand());
  ek.addCommand(ekHashCommand());
  for (const command of [demoCommand(), demoSpireCommand(), tpm, ek, challengeCommand(), verifyCommand()])
    root.addCommand(command);
  // The demo starts it by itself.
  root.addCommand(tamperingAgentCommand(), { hidden: true });
  return throwing(root);
}

/** Commander would end the process; `main.ts` alone does. */
function throwing(command: Command): Command {
  command.exitOverride().showHelpAfterError('(add --help for the options)');
  for (const sub of command.commands) throwing(sub);
  return command;
}
