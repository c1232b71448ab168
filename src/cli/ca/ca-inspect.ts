/** `ca inspect`: lists the trust anchors that the server would read from a `ca_path`, and their problems. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { fileFailure } from '../../files/file-failure.ts';
import { readTrustStore } from '../../policy/trust-files.ts';
import {
  type AuthorityProblem,
  authorityProblem,
  judgeAuthorities,
  type StoredAuthority,
} from '../../x509/authority/authority-problems.ts';
import { authorityReport } from '../../x509/authority/authority-report.ts';
import type { TrustStoreProblem } from '../../x509/file/trust-store.ts';
import { EXIT, type ExitCode } from '../terminal/failure.ts';
import { atOption, type JsonOptions, jsonOption, nonEmpty } from '../terminal/options.ts';
import { interruptible } from '../terminal/signals.ts';
import { remark, say, sayJson } from '../terminal/terminal.ts';
import { type AuthorityInventory, inventoryLines, type ListedAuthority, summaryOf } from './authority-inventory.ts';
import { filesOfCaPath, nothingFound } from './ca-folder.ts';

interface InspectOptions extends JsonOptions {
  readonly at?: Date;
  readonly problems?: true;
}

const EXIT_CODES = `
Exit codes: 0 nothing worse than warnings, 1 something is unreadable or of no use, 2 usage or no certificate found.`;

export function caInspectCommand(): Command {
  return new Command('inspect')
    .description('list the trust anchors that the server would take from a ca_path, and their problems')
    .argument('<path...>', 'file or folder, PEM or DER, as ca_path names it', (path: string, paths: string[] = []) => [
      ...paths,
      nonEmpty(path),
    ])
    .option('--problems', 'only certificates with errors and warnings')
    .addOption(atOption())
    .addOption(jsonOption())
    .addHelpText('after', EXIT_CODES)
    .action((paths: readonly string[], options: InspectOptions) => {
      const all = interruptible(() => takeInventory(paths, options.at ?? new Date()));
      const shown = options.problems ? { ...all, ...onlyProblems(all) } : all;
      if (options.json) sayJson(shown);
      else for (const line of inventoryLines(shown)) say(line);
      if (all.summary.certificates === 0) remark(`tpm-attestor: ${nothingFound(paths)}`);
      process.exitCode = exitCodeOf(all);
    });
}

function exitCodeOf({ summary }: AuthorityInventory): ExitCode {
  if (summary.certificates === 0) return EXIT.USAGE;
  return summary.errors === 0 ? EXIT.OK : EXIT.UNTRUSTED;
}

function onlyProblems({
  certificates,
  problems,
}: AuthorityInventory): Pick<AuthorityInventory, 'certificates' | 'problems'> {
  const severe = problems.filter(({ severity }) => severity !== 'remark');
  const concerned = new Set(severe.map(({ fingerprint }) => fingerprint));
  return { certificates: certificates.filter(({ fingerprint }) => concerned.has(fingerprint)), problems: severe };
}

/** @throws UsageError if a path does not exist */
function takeInventory(paths: readonly string[], now: Date): AuthorityInventory {
  const found = new Map<string, { readonly certificate: StoredAuthority['certificate']; readonly files: string[] }>();
  const unread: AuthorityProblem[] = [];
  for (const path of paths) {
    for (const file of filesOfCaPath(path)) {
      try {
        const { anchors, problems } = readTrustStore(file);
        unread.push(...problems.map(unreadableProblem));
        for (const certificate of anchors.certificates) {
          const known = found.get(certificate.fingerprint);
          if (known === undefined) found.set(certificate.fingerprint, { certificate, files: [file] });
          else if (!known.files.includes(file)) known.files.push(file);
        }
      } catch (cause) {
        unread.push(authorityProblem('file_unusable', file, `it cannot be read: ${fileFailure(cause)}`));
      }
    }
    unread.push(...foldersIn(path).map((folder) => authorityProblem('folder_left_out', folder, 'it is a folder')));
  }
  const authorities = [...found.values()];
  const certificates = authorities.map(
    ({ certificate, files }): ListedAuthority => ({ files, ...authorityReport(certificate) }),
  );
  const problems = [...unread, ...judgeAuthorities(authorities, now)];
  return { certificates, problems, summary: summaryOf(certificates, problems) };
}

function unreadableProblem({ name, message, kind }: TrustStoreProblem): AuthorityProblem {
  return kind === undefined
    ? authorityProblem('unreadable', name, message)
    : authorityProblem('unreadable', name, `it is ${kind.what}`, `${kind.remedy}; the server leaves it out.`);
}

/** Subfolders, which the server ignores. Hidden ones are not reported: they are hidden on purpose. */
function foldersIn(path: string): readonly string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => join(path, name));
  } catch {
    return [];
  }
}
