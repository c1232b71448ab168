/** The command line: commands, their help, and how misuse ends. */
import { Command, Help, type Option } from 'commander';
import { VERSION } from '../spire/version.ts';
import { caImportCommand } from './ca/ca-import.ts';
import { caInspectCommand } from './ca/ca-inspect.ts';
import { demoCommand } from './demo/demo.ts';
import { demoSpireCommand } from './demo/demo-spire.ts';
import { tamperingAgentCommand } from './demo/tampering-agent.ts';
import { ekDoctorCommand } from './ek/ek-doctor.ts';
import { ekHashCommand } from './ek/ek-hash.ts';
import { ekShowCommand } from './ek/ek-show.ts';
import { ekVerifyCommand } from './ek/ek-verify.ts';
import { UsageError } from './terminal/failure.ts';
import { complain, sayAll } from './terminal/terminal.ts';
import { tpmInfoCommand } from './tpm/tpm-info.ts';
import { tpmQuoteCommand } from './tpm/tpm-quote.ts';
import { challengeCommand } from './verify/challenge.ts';
import { verifyCommand } from './verify/verify.ts';

export function program(): Command {
  const root = new Command('tpm-attestor')
    .description('attests machines by their TPM 2.0, and judges their quotes')
    .version(VERSION)
    .addHelpText('after', '\nExit codes: 0 trusted or done, 1 untrusted, 2 usage or configuration, 3 TPM or system.');
  const tpm = new Command('tpm').description('look at the TPM of this machine').addCommand(tpmInfoCommand());
  tpm.addCommand(tpmQuoteCommand());
  const ek = new Command('ek')
    .description('the endorsement key of this machine, and saved ones and their certificates')
    .addCommand(ekShowCommand());
  ek.addCommand(ekHashCommand()).addCommand(ekVerifyCommand()).addCommand(ekDoctorCommand());
  const ca = new Command('ca').description('the CAs that the server believes').addCommand(caInspectCommand());
  ca.addCommand(caImportCommand());
  for (const command of [demoCommand(), demoSpireCommand(), tpm, ek, ca, challengeCommand(), verifyCommand()])
    root.addCommand(command);
  // The demo starts it by itself.
  root.addCommand(tamperingAgentCommand(), { hidden: true });
  for (const group of [root, tpm, ek, ca]) group.helpCommand(false).addCommand(helpCommand(group));
  return throwing(root);
}

/** Commander's own shows the help of the group for a command that is not there, and says nothing. */
function helpCommand(group: Command): Command {
  return new Command('help')
    .description('help for a command')
    .argument('[command...]')
    .action((words: readonly string[]) => {
      let command = group;
      for (const word of words) {
        const next = command.commands.find((sub) => sub.name() === word);
        if (next === undefined) throw new UsageError(`there is no command "${words.join(' ')}"; see "--help"`);
        command = next;
      }
      command.help();
    });
}

function describedOption(option: Option): string {
  return `${new Help().optionDescription(option)}${option.mandatory ? ' (required)' : ''}`;
}

/** Commander would end the process; `main.ts` alone does. Help, too, may be cut short by its reader. */
function throwing(command: Command): Command {
  command
    .exitOverride()
    .configureHelp({ optionDescription: describedOption })
    .configureOutput({ writeOut: sayAll, writeErr: complain })
    .showHelpAfterError('(add --help for the options)');
  for (const sub of command.commands) throwing(sub);
  return command;
}
