/** What commander does otherwise in every command of ours. */
import { Command, Help, type Option } from 'commander';
import { UsageError } from './failure.ts';
import { complain, sayAll } from './terminal.ts';

/** Help for each group by our own command, and errors thrown. */
export function commandTree(root: Command): Command {
  const groups = [root, ...root.commands].filter(({ commands }) => commands.length > 0);
  for (const group of groups) group.helpCommand(false).addCommand(helpCommand());
  return throwing(root);
}

/** Commander's own shows the help of the group for a command that is not there, and says nothing. */
function helpCommand(): Command {
  const help: Command = new Command('help')
    .description('help for a command')
    .argument('[command...]')
    .action((words: readonly string[]) => {
      const group = help.parent;
      if (group === null) throw new RangeError('help is a command of a group');
      let command = group;
      for (const word of words) {
        const next = command.commands.find((sub) => sub.name() === word);
        if (next === undefined)
          throw new UsageError(`there is no command "${words.join(' ')}"; run it with --help for the commands`);
        command = next;
      }
      command.help();
    });
  return help;
}

function describedOption(option: Option): string {
  return `${new Help().optionDescription(option)}${option.mandatory ? ' (required)' : ''}`;
}

/** Commander would end the process; `runCommand` alone does. Help, too, may be cut short by its reader. */
function throwing(command: Command): Command {
  command
    .exitOverride()
    .configureHelp({ optionDescription: describedOption })
    .configureOutput({ writeOut: sayAll, writeErr: complain })
    .showHelpAfterError('(add --help for the options)');
  for (const sub of command.commands) throwing(sub);
  return command;
}
