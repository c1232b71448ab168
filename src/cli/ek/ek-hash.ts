/** `ek hash`: prints the pub_hash of EKs, from the TPM of this machine or from saved files. */
import type { Command } from 'commander';
import { makeEveryKey } from '../../agent/endorsement/every-endorsement-key.ts';
import { EndorsementError, loadEndorsement } from '../../agent/endorsement/load-endorsement.ts';
import { endorsementReport } from '../../enrolment/endorsement-report.ts';
import { isEkTemplateName, linesAccepting } from '../../policy/ek-templates.ts';
import { printable } from '../../spire/log/hclog.ts';
import type { EkTemplate } from '../../tpm/templates.ts';
import { POLICY_DEFAULTS } from '../../verifier/policy-options.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { checkEkProfile } from '../../x509/ek/ek-profile.ts';
import { formatName } from '../../x509/name.ts';
import { csvRecord } from '../terminal/csv.ts';
import { UsageError } from '../terminal/failure.ts';
import { nameOf, STANDARD } from '../terminal/files.ts';
import { type EkOptions, passwordsOf, searchOf } from '../terminal/options.ts';
import { Progress, remark, say, sayAll } from '../terminal/terminal.ts';
import { withTpm } from '../terminal/tpm-device.ts';
import { ekCommand, readEk } from './ek-show.ts';
import { readSavedEk, type SavedEk, savedEks } from './saved-ek.ts';

interface HashOptions extends EkOptions {
  readonly all?: true;
  readonly csv?: true;
}

/** Files read between two pauses, in which signals are handled. */
const FILES_AT_ONCE = 16;

const COLUMNS: readonly string[] = [
  ...['file', 'pub_hash', 'form', 'algorithm'],
  ...['manufacturer', 'model', 'firmware', 'issuer', 'not_after'],
  'problem',
];

/** The longest field. Fields are made printable, because people also look at the table in a terminal. */
const MAX_FIELD_CHARS = 4096;

export function ekHashCommand(): Command {
  return ekCommand(
    'hash',
    'print the hash of the endorsement key; a file with this name in hash_path admits the machine',
  )
    .argument(
      '[file...]',
      'files or folders with saved endorsement keys (certificates, public keys, answers of services) instead of the TPM',
    )
    .option('--all', 'print every hash of this machine, for deny_path; slow, because the TPM makes each key')
    .option('--csv', 'print a table of the files, as comma-separated values')
    .action(async (files: readonly string[], options: HashOptions, command: Command) => {
      if (files.length === 0) {
        if (options.csv) throw new UsageError('--csv needs saved endorsement keys; give their files or folders');
        if (options.all) await everyHashOfTpm(options);
        else await hashOfTpm(options);
        return;
      }
      refuseTpmOptions(command);
      await hashFiles(files, options.csv === true);
    });
}

async function hashOfTpm(options: EkOptions): Promise<void> {
  const { pub_hash, notes, template, algorithm } = await readEk(options);
  for (const note of notes) remark(note);
  remark(`this is the key that the agent sends: ${sentText(options)}, template ${template} (${algorithm})`);
  const lines = isEkTemplateName(template) ? linesAccepting(template, POLICY_DEFAULTS.ekTemplates) : [];
  if (lines.length > 0) remark(`the server does not accept this key by default; set ${lines.join(' and ')} there`);
  say(pub_hash);
}

function sentText({ ek, ekCertificate }: EkOptions): string {
  return ekCertificate === undefined ? `ek = "${ek}"` : `ek_certificate_path = "${ekCertificate}"`;
}

/**
 * Prints every hash of the machine as lines for deny_path. The agent's own key comes first, even without a template.
 */
async function everyHashOfTpm(options: EkOptions): Promise<void> {
  const search = await searchOf(options);
  await withTpm(options, async (run) => {
    const sent = await loadEndorsement(run, options.ek, passwordsOf(options), search).catch((error) => {
      if (!(error instanceof EndorsementError)) throw error;
      remark(`the agent has no key to send: ${error.message}`);
      return undefined;
    });
    if (sent !== undefined) await run.release(sent.object);
    const hashOfSent = sent === undefined ? undefined : endorsementReport(sent.endorsement, '').pub_hash;
    if (sent !== undefined)
      say(`${hashOfSent} # ${sent.endorsement.template.name}, the key that the agent sends: ${sentText(options)}`);
    const making = ({ name }: EkTemplate): void => remark(`making the key of template ${name}`);
    const none = ({ name }: EkTemplate): void => remark(`the TPM cannot make a key of template ${name}`);
    for (const { template, pubHash } of await makeEveryKey(run, passwordsOf(options), making, none))
      if (pubHash !== hashOfSent) say(`${pubHash} # ${template.name}`);
  });
}

function refuseTpmOptions(command: Command): void {
  const given = command.options.filter((option) => {
    return option.attributeName() !== 'csv' && command.getOptionValueSource(option.attributeName()) === 'cli';
  });
  if (given.length > 0)
    throw new UsageError(
      `${given.map(({ long }) => long).join(', ')} cannot be used with files, because it is about the TPM; leave one out`,
    );
}

/** @throws UsageError after all files, if one of them holds no readable EK */
async function hashFiles(paths: readonly string[], csv: boolean): Promise<void> {
  const files = paths.flatMap(savedEks);
  const progress = new Progress('endorsement keys', files.length);
  if (csv) sayAll(csvRecord(COLUMNS));
  let failed = 0;
  for (const [i, file] of files.entries()) {
    if (i % FILES_AT_ONCE === 0) {
      progress.show(i);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const read = file.problem === undefined ? readSavedEk(file.path) : file;
    if (read.key === undefined) failed++;
    if (csv) sayAll(csvRecord(fieldsOf(read).map((text) => printable(text, MAX_FIELD_CHARS))));
    else sayHash(read);
  }
  progress.end();
  if (failed > 0) throw new UsageError(`${failed} of ${files.length} files could not be read`);
}

function sayHash({ path, key, problem }: SavedEk): void {
  if (key === undefined) {
    remark(`${nameOf(path)}: ${problem}`);
    return;
  }
  if (key.oddities.includes('not-of-a-TCG-template'))
    remark(`${nameOf(path)}: its key is of no TCG template, so it may be no endorsement key`);
  if (key.oddities.includes('further-key-in-file'))
    remark(`${nameOf(path)}: it has several endorsement keys; the hash is for the RSA key, or for the first`);
  say(key.spkiHash);
}

function fieldsOf({ path, key, problem = '' }: SavedEk): readonly string[] {
  const name = path === STANDARD ? nameOf(path) : path;
  if (key === undefined) return [name, ...COLUMNS.slice(2).map(() => ''), problem];
  const { algorithm, bits } = key.key;
  return [name, key.spkiHash, key.form, `${algorithm}-${bits}`, ...certificateFields(key.certificate), problem];
}

function certificateFields(der: Uint8Array | undefined): readonly string[] {
  if (der === undefined) return ['', '', '', '', ''];
  const certificate = parseCertificate(der);
  const { manufacturer, model = '', version = '' } = checkEkProfile(certificate, { keyIsKnown: true }).facts ?? {};
  const maker = manufacturer === undefined ? '' : (manufacturer.name ?? `id:${manufacturer.id}`);
  return [maker, model, version, formatName(certificate.issuer), certificate.notAfter.toISOString()];
}
