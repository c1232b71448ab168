/** `eventlog`: reads one raw event log, without any quote. */
import { Command } from 'commander';
import { type BootLog, readBootLog } from '../../boot-log/boot-log.ts';
import { LOG_LIMITS } from '../../boot-log/tcg/limits.ts';
import { MalformedLogError } from '../../boot-log/tcg/malformed-log.ts';
import { EXIT, type ExitCode, UsageError } from '../terminal/failure.ts';
import { nameOf, readBeginning } from '../terminal/files.ts';
import { type JsonOptions, jsonOption } from '../terminal/options.ts';
import { remark, sayJson } from '../terminal/terminal.ts';
import { eventLogDocument, refusedDocument, sayEventLog } from './eventlog-report.ts';
import { readPcrValues } from './pcr-values-file.ts';

interface EventLogOptions extends JsonOptions {
  readonly userspace?: string;
  readonly quotePcrs?: string;
  readonly areaDump?: true;
}

const EXIT_CODES = `
The firmware log of this machine is /sys/kernel/security/tpm0/binary_bios_measurements (for root).
Exit codes: 0 read, 1 read but it does not replay to the PCRs given, 2 usage, or a log that is refused.`;

export function eventlogCommand(): Command {
  return new Command('eventlog')
    .description('show the events of a firmware log, which of them are bound to its digests, and what they claim')
    .argument('<log>', 'firmware log; - for standard input, as for every input file')
    .option('--userspace <file>', "systemd's log, which continues it (/run/log/systemd/tpm2-measure.log)")
    .option(
      '--quote-pcrs <file>',
      'PCR values that the log must replay to: of tpm2_quote, tpm2_pcrread or an evidence file',
    )
    .option('--area-dump', 'the log is a dump of the memory area that ACPI names (CCEL): padded, and not of PCRs')
    .addOption(jsonOption())
    .addHelpText('after', EXIT_CODES)
    .action((path: string, options: EventLogOptions) => {
      process.exitCode = showEventLog(path, options);
    });
}

function showEventLog(path: string, { userspace, quotePcrs, areaDump, json }: EventLogOptions): ExitCode {
  if (areaDump && (quotePcrs !== undefined || userspace !== undefined))
    throw new UsageError('--area-dump is for registers that are no PCRs; leave out --quote-pcrs and --userspace');
  const firmware = readBeginning(path, LOG_LIMITS.firmwareBytes + 1);
  const options = {
    userspace: userspace === undefined ? undefined : readBeginning(userspace, LOG_LIMITS.userspaceBytes + 1),
    pcrValues: quotePcrs === undefined ? undefined : readPcrValues(quotePcrs),
    areaDump,
  };
  let log: BootLog;
  try {
    log = readBootLog(firmware, options);
  } catch (error) {
    if (!(error instanceof MalformedLogError)) throw error;
    const file = error.problem.startsWith('userspace.') ? (userspace ?? path) : path;
    remark(`tpm-attestor: ${nameOf(file)} is refused: ${error.problem}: ${error.message}${remedyOf(error)}`);
    if (json) sayJson(refusedDocument(error));
    return EXIT.USAGE;
  }
  if (json) sayJson(eventLogDocument(log));
  else sayEventLog(log);
  const isOff = log.problems.some(({ code }) => code === 'pcr.mismatch');
  // Values of banks that the log lacks prove nothing.
  return isOff || (quotePcrs !== undefined && !log.proven) ? EXIT.UNTRUSTED : EXIT.OK;
}

function remedyOf({ problem }: MalformedLogError): string {
  return problem === 'log.spec_id' || problem === 'log.truncated'
    ? '; add --area-dump if it is a dump of the memory area that ACPI names (CCEL)'
    : '';
}
