/** `ek doctor`: says why a server would refuse this machine, and the shortest ways to enrol it. */
import { Command, Option } from 'commander';
import { takeEndorsementInventory } from '../../agent/endorsement/endorsement-inventory.ts';
import type { NvNote } from '../../agent/endorsement/nv-note.ts';
import { type DoctorDocument, ekEntry, tpmEntry } from '../../enrolment/doctor-document.ts';
import { authoritiesOf, diagnose, type EkDiagnosis } from '../../enrolment/ek-diagnosis.ts';
import { type DoctorFinding, remarkOf, remarkOfError, remarkOfNote } from '../../enrolment/ek-remarks.ts';
import { subjectOfFile, subjectsOfTpm } from '../../enrolment/ek-subject.ts';
import {
  type EnrolmentContext,
  type EnrolmentWay,
  enrolmentWays,
  passwordWays,
  waysToAKey,
} from '../../enrolment/enrolment-ways.ts';
import { nvRemarks } from '../../enrolment/nv-remarks.ts';
import { readTpmFacts } from '../../enrolment/tpm-capabilities.ts';
import { judgingOptions } from '../policy/judging-policy.ts';
import { EXIT, type ExitCode, UsageError } from '../terminal/failure.ts';
import { nameOf } from '../terminal/files.ts';
import {
  type EkOptions,
  ekOptions,
  type JsonOptions,
  jsonOption,
  nonEmpty,
  passwordFilesOf,
  searchOf,
  tpmOptions,
} from '../terminal/options.ts';
import { remark, say, sayJson } from '../terminal/terminal.ts';
import { withTpm } from '../terminal/tpm-device.ts';
import { doctorLines } from './doctor-text.ts';
import { type EnrolmentOptions, enrolmentContextOf } from './enrolment-context.ts';
import { readSavedEk, savedEks } from './saved-ek.ts';

type DoctorOptions = EkOptions & EnrolmentOptions & JsonOptions;

const EXIT_CODES = `
Exit codes: 0 the given CAs or list can admit the key that the agent takes, 1 findings about that key, 2 usage or a
file that cannot be read, 3 TPM or system. Of several files, the worst.`;

export function ekDoctorCommand(): Command {
  const command = new Command('doctor')
    .description(
      'say which endorsement keys and certificates a machine has, what is odd or missing, and how to enrol it',
    )
    .argument('[file...]', 'files or folders with saved endorsement keys; without any, the TPM of this machine');
  const hashPath = new Option(
    '--hash-path <path>',
    "the server's hash_path, file or folder: is the key listed there?",
  ).argParser(nonEmpty);
  for (const option of [...ekOptions(), ...tpmOptions(), ...judgingOptions(), hashPath, jsonOption()])
    command.addOption(option);
  return command.addHelpText('after', EXIT_CODES).action(async (files: readonly string[], options: DoctorOptions) => {
    if (files.length > 0) refuseTpmOptions(command);
    const context = enrolmentContextOf(options);
    const { document, exitCode } = files.length > 0 ? await ofFiles(files, context) : await ofTpm(options, context);
    if (options.json) sayJson(document);
    // If no file could be read, the remarks have said everything.
    else if (files.length === 0 || document.eks.length > 0) for (const line of doctorLines(document)) say(line);
    process.exitCode = exitCode;
  });
}

interface Outcome {
  readonly document: DoctorDocument;
  readonly exitCode: ExitCode;
}

function refuseTpmOptions(command: Command): void {
  const names = new Set([...ekOptions(), ...tpmOptions()].map((option) => option.attributeName()));
  const given = command.options.filter((option) => {
    return names.has(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli';
  });
  if (given.length > 0)
    throw new UsageError(
      `${given.map(({ long }) => long).join(', ')} cannot be used with files, because it is about the TPM; leave one out`,
    );
}

async function ofTpm(options: DoctorOptions, context: EnrolmentContext): Promise<Outcome> {
  const search = await searchOf(options);
  const [facts, inventory] = await withTpm(options, async (run) => [
    await readTpmFacts(run),
    await takeEndorsementInventory(run, options.ek, passwordFilesOf(options), search),
  ]);
  const subjects = subjectsOfTpm(inventory, options.ek, facts.manufacturerId);
  const diagnoses = subjects.map((subject) => diagnose(subject, context.judge));
  const taken = diagnoses.find(({ subject }) => subject.taken);
  const ofAll = [
    ...(inventory.error === undefined ? [] : [remarkOfError(inventory.error, 'agent.no_key', null, inventory.refused)]),
    ...nvRemarks(inventory, (note) => remarkAmong(note, diagnoses)),
    ...diagnoses.flatMap((one) => manufacturerRemarks(one, facts.manufacturerId)),
    ...casRemarks(context),
  ];
  const findings = [...diagnoses.flatMap((one) => one.findings), ...ofAll];
  const others = diagnoses.filter((one) => one !== taken);
  const ways =
    taken === undefined
      ? waysToAKey(findings, others, context)
      : [...(taken.admittedBy === null ? passwordWays(findings) : []), ...enrolmentWays(taken, others, context)];
  return {
    document: documentOf(tpmEntry(facts), diagnoses, findings, ways, context),
    exitCode: taken !== undefined && isSound(taken) ? EXIT.OK : EXIT.UNTRUSTED,
  };
}

/** A certificate for another key was not copied from another machine if that key is in this very TPM. */
function remarkAmong(note: NvNote, diagnoses: readonly EkDiagnosis[]): DoctorFinding {
  const finding = remarkOfNote(note);
  const { certifiedHash } = note;
  const owner = diagnoses.find(({ subject: { pubHash } }) => certifiedHash !== undefined && pubHash === certifiedHash);
  if (owner === undefined) return finding;
  const { id } = owner.subject;
  return {
    ...finding,
    message: `${finding.message}: it is for the ${id} key of this very TPM`,
    remedy: `Set ek so that the agent takes the ${id} key; this certificate is for that key.`,
  };
}

async function ofFiles(paths: readonly string[], context: EnrolmentContext): Promise<Outcome> {
  const diagnoses: EkDiagnosis[] = [];
  const unread: DoctorFinding[] = [];
  for (const saved of paths.flatMap(savedEks)) {
    // Lets signals in between files: a folder may hold the keys of a whole fleet.
    await new Promise((resolve) => setImmediate(resolve));
    const { path, key, problem = '' } = saved.problem === undefined ? readSavedEk(saved.path) : saved;
    if (key !== undefined) diagnoses.push(diagnose(subjectOfFile(path, key), context.judge));
    else {
      remark(`${nameOf(path)}: ${problem}`);
      unread.push(remarkOf('file.unreadable', `${nameOf(path)}: ${problem}`, path));
    }
  }
  const findings = [...diagnoses.flatMap((one) => one.findings), ...unread, ...casRemarks(context)];
  const ways = diagnoses.flatMap((one) => enrolmentWays(one, [], context));
  const judged = diagnoses.every(isSound) ? EXIT.OK : EXIT.UNTRUSTED;
  return {
    document: documentOf(null, diagnoses, findings, ways, context),
    exitCode: unread.length > 0 ? EXIT.USAGE : judged,
  };
}

function documentOf(
  tpm: DoctorDocument['tpm'],
  diagnoses: readonly EkDiagnosis[],
  findings: readonly DoctorFinding[],
  ways: readonly EnrolmentWay[],
  { judge }: EnrolmentContext,
): DoctorDocument {
  return { tpm, eks: diagnoses.map(ekEntry), findings, ways, cas: authoritiesOf(judge.policy) };
}

function isSound({ admittedBy, findings }: EkDiagnosis): boolean {
  return admittedBy !== null || !findings.some(({ severity }) => severity === 'error');
}

function casRemarks({ judge: { policy } }: EnrolmentContext): readonly DoctorFinding[] {
  if (authoritiesOf(policy) > 0) return [];
  return [remarkOf('cas.none', 'no CAs were given, so the issuer of the certificate was not checked')];
}

function manufacturerRemarks({ subject, certificate }: EkDiagnosis, manufacturerId: string): readonly DoctorFinding[] {
  const certified = certificate?.manufacturer;
  if (certified === undefined || certified === null || certified === `id:${manufacturerId}`) return [];
  const message = `the TPM names id:${manufacturerId} as its manufacturer, and its certificate names ${certified}`;
  return [remarkOf('tpm.manufacturer', message, subject.id)];
}
