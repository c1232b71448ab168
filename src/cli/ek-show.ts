/** `ek show` and `ek hash`: the endorsement key the agent would attest with. */
import { Command, Option } from 'commander';
import { type KeyChoice, loadEndorsement } from '../agent/endorsement.ts';
import { type EndorsementReport, endorsementReport } from './endorsement-report.ts';
import { type JsonOptions, jsonOption, passwordsOf, type TpmOptions, tpmOptions } from './options.ts';
import { remark, say, sayJson } from './terminal.ts';
import { withTpm } from './tpm-device.ts';

interface EkOptions extends TpmOptions {
  readonly ek: KeyChoice;
}

export function ekShowCommand(): Command {
  return ekCommand('show', 'the endorsement key: kind, hash, certificate')
    .addOption(jsonOption())
    .action(async (options: EkOptions & JsonOptions) => {
      const report = await readEk(options);
      if (options.json) sayJson(report);
      else for (const line of linesOf(report)) say(line);
    });
}

export function ekHashCommand(): Command {
  return ekCommand('hash', 'the hash that names this machine: a file of this name in hash_path admits it').action(
    async (options: EkOptions) => {
      const { pub_hash, notes } = await readEk(options);
      for (const note of notes) remark(note);
      say(pub_hash);
    },
  );
}

function ekCommand(name: string, description: string): Command {
  const command = new Command(name).description(description).addOption(ekOption());
  for (const option of tpmOptions()) command.addOption(option);
  return command;
}

export function ekOption(): Option {
  return new Option('--ek <kind>', 'kind of the endorsement key').choices(['auto', 'rsa', 'ecc']).default('auto');
}

function readEk(options: EkOptions): Promise<EndorsementReport> {
  return withTpm(options, async (run) => {
    const { endorsement, object } = await loadEndorsement(run, options.ek, passwordsOf(options));
    await run.release(object);
    return endorsementReport(endorsement);
  });
}

function linesOf(report: EndorsementReport): readonly string[] {
  const { certificate, notes } = report;
  return [
    `template     ${report.template} (${report.algorithm})`,
    `pub_hash     ${report.pub_hash}`,
    `key          ${report.persistent_handle === null ? 'made when needed' : `at ${report.persistent_handle}`}`,
    ...(certificate === null
      ? ['certificate  none: list the pub_hash in hash_path']
      : [
          `certificate  of ${certificate.issuer}, serial ${certificate.serial}`,
          `             ${certificate.not_before} to ${certificate.not_after}, ${report.chain} of its chain in the TPM`,
        ]),
    ...notes.map((note) => `note         ${note}`),
  ];
}
