/** `ca import`: copies CA certificates from cabinets, bundles and folders into the folder of `ca_path`, one a file. */
import { Command } from 'commander';
import { EXIT, type ExitCode } from '../terminal/failure.ts';
import { atOption, type JsonOptions, jsonOption, nonEmpty } from '../terminal/options.ts';
import { remark, say, sayJson } from '../terminal/terminal.ts';
import { authorityFileName, authorityFileText } from './authority-file.ts';
import { addFiles, fingerprintsIn, isTaken, type NewFile, nothingFound } from './ca-folder.ts';
import { type ImportReport, importLines, reportOf } from './ca-import-report.ts';
import { type LeftOutCertificate, type SelectedCertificate, selectCertificates } from './ca-selection.ts';
import { readSources } from './ca-sources.ts';

interface ImportOptions extends JsonOptions {
  readonly to: string;
  readonly manufacturer?: readonly string[];
  readonly allowSoftware?: true;
  readonly allowCloud?: true;
  readonly allowUnknown?: true;
  readonly at?: Date;
  readonly dryRun?: true;
}

const EXIT_CODES = `
Exit codes: 0 done; 1 done but for files that cannot be read or names that are taken, or all that was found is left out;
2 usage or nothing found.`;

const each = (text: string, before: readonly string[] = []): readonly string[] => [...before, nonEmpty(text)];

export function caImportCommand(): Command {
  return new Command('import')
    .description('write the CA certificates of cabinets, bundles and folders into a ca_path, one a file')
    .argument('<source...>', "Microsoft's TrustedTpm.cab, PEM, DER, PKCS#7 (.p7b), base64, or a folder of them", each)
    .requiredOption('--to <folder>', 'folder to write to, a ca_path; made if it does not exist', nonEmpty)
    .option(
      '--manufacturer <name...>',
      'only these makers, by their folder in the cabinet or their name; put it behind the sources',
      each,
    )
    .option('--allow-software', 'also take CAs of software TPMs')
    .option('--allow-cloud', 'also take CAs of the virtual TPMs of clouds')
    .option('--allow-unknown', 'also take CAs that name no TPM, such as those of the web')
    .option('--dry-run', 'write nothing')
    .addOption(atOption())
    .addOption(jsonOption())
    .addHelpText('after', EXIT_CODES)
    .action(async (sources: readonly string[], options: ImportOptions) => {
      const report = await importAuthorities(sources, options);
      if (options.json) sayJson(report);
      else for (const line of importLines(report)) say(line);
      const code = exitCodeOf(report);
      if (code === EXIT.USAGE)
        remark(`tpm-attestor: ${nothingFound(sources, 'name a file or a folder with CA certificates')}`);
      process.exitCode = code;
    });
}

function exitCodeOf({ summary, left_out }: ImportReport): ExitCode {
  if (summary.added + summary.present + summary.left_out === 0) return EXIT.USAGE;
  if (summary.added + summary.present === 0) return EXIT.UNTRUSTED;
  return summary.unreadable > 0 || left_out.some(({ code }) => code === 'name_taken') ? EXIT.UNTRUSTED : EXIT.OK;
}

/** Reads all sources before it writes any file. @throws UsageError */
async function importAuthorities(sources: readonly string[], options: ImportOptions): Promise<ImportReport> {
  const { to: folder, dryRun = false } = options;
  const read = await readSources(sources);
  const { selected, leftOut } = selectCertificates(read.certificates, {
    now: options.at ?? new Date(),
    allowSoftware: options.allowSoftware ?? false,
    allowCloud: options.allowCloud ?? false,
    allowUnknown: options.allowUnknown ?? false,
    manufacturers: options.manufacturer ?? [],
  });
  const there = fingerprintsIn(folder);
  const present = selected.filter(({ certificate }) => there.has(certificate.fingerprint));
  const wanted = selected.filter(({ certificate }) => !there.has(certificate.fingerprint));
  const files = new Map<string, SelectedCertificate>();
  const taken: (Omit<LeftOutCertificate, 'code'> & { readonly code: 'name_taken' })[] = [];
  for (const one of wanted) {
    const name = authorityFileName(one.certificate, one.manufacturer);
    if (files.has(name) || isTaken(folder, name))
      taken.push({ ...one, code: 'name_taken', message: `${name} exists and holds something else; move it away` });
    else files.set(name, one);
  }
  const fresh = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  if (!dryRun && fresh.length > 0)
    await addFiles(
      folder,
      fresh.map(([name, { certificate }]): NewFile => ({ name, text: authorityFileText(certificate) })),
    );
  return reportOf({ folder, dryRun, fresh, present, leftOut: [...leftOut, ...taken], read });
}
