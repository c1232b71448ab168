/** Changes commander's defaults for all commands: help, output and errors. */
import { Command, Help, type Option } from 'commander';
import { UsageError } from './failure.ts';
import { complain, sayAll } from './terminal.ts';

/** Adds a help command to each group, and makes all commands throw their errors. */
export function commandTree(root: Command): Command {
  const groups = [root, ...root.commands].filter(({ commands }) => commands.length > 0);
  for (const group of groups) group.helpCommand(false).addCommand(helpCommand());
  return throwing(root);
}

/** Commander's own help command shows the help of the group if a command does not exist, without an error. */
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

/**
 * Makes commander throw instead of ending the process. All text goes through `terminal.ts`, which handles a closed
 * pipe.
 */
function throwing(command: Command): Command {
  command
    .exitOverride()
    .configureHelp({ optionDescription: describedOption })
    .configureOutput({ writeOut: sayAll, writeErr: complain })
    .showHelpAfterError('(add --help for the options)');
  for (const sub of command.commands) throwing(sub);
  return command;
}
