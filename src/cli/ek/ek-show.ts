/** `ek show`: prints the EK with which the agent would attest. */
import { Command } from 'commander';
import { loadEndorsement } from '../../agent/endorsement/load-endorsement.ts';
import { type EndorsementReport, endorsementReport } from '../../enrolment/endorsement-report.ts';
import { readManufacturerId } from '../../enrolment/tpm-capabilities.ts';
import {
  type EkOptions,
  ekOptions,
  type JsonOptions,
  jsonOption,
  passwordsOf,
  searchOf,
  tpmOptions,
} from '../terminal/options.ts';
import { say, sayJson } from '../terminal/terminal.ts';
import { withTpm } from '../terminal/tpm-device.ts';

export function ekShowCommand(): Command {
  return ekCommand('show', 'print kind, hash and certificate of the endorsement key')
    .addOption(jsonOption())
    .action(async (options: EkOptions & JsonOptions) => {
      const report = await readEk(options);
      if (options.json) sayJson(report);
      else for (const line of linesOf(report)) say(line);
    });
}

export function ekCommand(name: string, description: string): Command {
  const command = new Command(name).description(description);
  for (const option of [...ekOptions(), ...tpmOptions()]) command.addOption(option);
  return command;
}

export async function readEk(options: EkOptions): Promise<EndorsementReport> {
  const search = await searchOf(options);
  return withTpm(options, async (run) => {
    const { endorsement, object } = await loadEndorsement(run, options.ek, passwordsOf(options), search);
    await run.release(object);
    return endorsementReport(endorsement, await readManufacturerId(run));
  });
}

function chainText(above: number): string {
  return above === 0
    ? 'without CA certificates above it'
    : `with ${above} CA certificate${above === 1 ? '' : 's'} above it`;
}

function linesOf(report: EndorsementReport): readonly string[] {
  const { certificate, notes } = report;
  return [
    `template     ${report.template} (${report.algorithm})`,
    `pub_hash     ${report.pub_hash}`,
    `key          ${report.persistent_handle === null ? 'made when needed' : `at ${report.persistent_handle}`}`,
    ...(certificate === null
      ? [
          'certificate  none; add the pub_hash to hash_path',
          ...report.certificate_urls.map((url) => `             its manufacturer may have it: ${url}`),
        ]
      : [
          `certificate  of ${certificate.issuer}, serial ${certificate.serial}`,
          `             ${certificate.not_before} to ${certificate.not_after}, ${chainText(report.chain)}`,
          `             from ${report.certificate_source}`,
        ]),
    ...notes.map((note) => `note         ${note}`),
  ];
}
