/** `tpm info`: shows the TPM, whether it can attest now, and its EK certificates. */
import { Command } from 'commander';
import { attempt } from '../../agent/endorsement/endorsement-inventory.ts';
import { EndorsementStorage } from '../../agent/endorsement/endorsement-storage.ts';
import { NvReader } from '../../agent/endorsement/nv-index.ts';
import { type NvNote, nvNoteText } from '../../agent/endorsement/nv-note.ts';
import { remedyFor } from '../../agent/remedy.ts';
import { handleText } from '../../enrolment/endorsement-report.ts';
import { readTpmFacts, type TpmFacts } from '../../enrolment/tpm-capabilities.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { TpmError } from '../../tpm/device/errors.ts';
import { EK_CHAIN_INDICES } from '../../tpm/ek-nv-indices.ts';
import { publicKeyHash } from '../../tpm/public-key.ts';
import { EK_TEMPLATES, type EkTemplate } from '../../tpm/templates.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { type JsonOptions, jsonOption, passwordsOf, type TpmOptions, tpmOptions } from '../terminal/options.ts';
import { say, sayJson } from '../terminal/terminal.ts';
import { withTpm } from '../terminal/tpm-device.ts';

interface CertifiedEk {
  readonly template: string;
  readonly algorithm: 'rsa' | 'ecc';
  readonly nv_index: string;
  /** Null for an unsupported kind of key. */
  readonly pub_hash: string | null;
}

export function tpmInfoCommand(): Command {
  const command = new Command('info')
    .description('print manufacturer, firmware, PCR banks, lockout, free slots and endorsement certificates')
    .addOption(jsonOption());
  for (const option of tpmOptions()) command.addOption(option);
  return command.action(async (options: TpmOptions & JsonOptions) => {
    const [facts, stored] = await withTpm(options, async (run) => [
      await readTpmFacts(run),
      await lookAtStorage(run, options),
    ]);
    if (options.json) sayJson(documentOf(facts, stored));
    else for (const line of linesOf(facts, stored)) say(line);
  });
}

interface Stored {
  readonly eks: readonly CertifiedEk[];
  /** Notes on NV indices that are unusable or odd. */
  readonly notes: readonly NvNote[];
}

/** Reads the EK certificates. An index that fails does not stop the others. */
async function lookAtStorage(run: TpmCommands, options: TpmOptions): Promise<Stored> {
  const storage = new EndorsementStorage(run, new NvReader(run, passwordsOf(options)));
  const eks: CertifiedEk[] = [];
  for (const template of EK_TEMPLATES) {
    const look = await attempt(() => storage.certificate(template));
    if ('error' in look) storage.note(failedNote(template.certificateNvIndex, look.error));
    else if (look.value.state === 'certificate') eks.push(certifiedEk(template, look.value.der));
    // Only its notes are used.
    const making = await attempt(() => storage.creationTemplate(template));
    if ('error' in making && making.error instanceof TpmError)
      storage.note(failedNote(template.templateNvIndex, making.error));
  }
  const chain = await attempt(() => storage.chain());
  if ('error' in chain) storage.note(failedNote(EK_CHAIN_INDICES.first, chain.error));
  return { eks, notes: storage.notes };
}

function failedNote(index: number, error: Error): NvNote {
  const remedy = remedyFor(error) ?? 'try again';
  return {
    index,
    code: 'unreadable',
    message: `cannot be read now: ${error.message}`,
    remedy: `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}.`,
  };
}

function certifiedEk({ name, algorithm, certificateNvIndex }: EkTemplate, certificate: Uint8Array): CertifiedEk {
  const { publicKey } = parseCertificate(certificate);
  const pubHash = publicKey === undefined ? null : publicKeyHash(publicKey);
  return { template: name, algorithm, nv_index: handleText(certificateNvIndex), pub_hash: pubHash };
}

function documentOf(facts: TpmFacts, { eks, notes }: Stored): object {
  const { lockout, transient, passwordSet } = facts;
  return {
    manufacturer: facts.manufacturer,
    manufacturer_id: facts.manufacturerId,
    model: facts.model,
    firmware: facts.firmware,
    pcr_banks: facts.banks,
    lockout: {
      active: lockout.active,
      failures: lockout.failures,
      max_failures: lockout.maxFailures,
      recovery_seconds: lockout.recoverySeconds,
    },
    password_set: passwordSet,
    transient: { free: transient.free, loaded: transient.loaded },
    persistent_handles: facts.persistentHandles.map(handleText),
    endorsement_certificates: eks,
    nv_notes: notes.map(({ index, code, message, remedy }) => ({ nv_index: handleText(index), code, message, remedy })),
  };
}

function linesOf(facts: TpmFacts, { eks, notes }: Stored): readonly string[] {
  const { lockout, transient, passwordSet, persistentHandles } = facts;
  const passwords = [passwordSet.owner ? 'owner' : [], passwordSet.endorsement ? 'endorsement' : []].flat();
  return [
    `manufacturer     ${facts.manufacturer} (${facts.manufacturerId})${facts.model === '' ? '' : `, ${facts.model}`}`,
    `firmware         ${facts.firmware}`,
    `PCR banks        ${facts.banks.join(', ') || 'none allocated'}`,
    `lockout          ${lockout.active ? 'IN LOCKOUT' : 'no'}, ${lockout.failures} of ${lockout.maxFailures} failures`,
    `passwords set    ${passwords.join(', ') || 'none'}`,
    `transient slots  ${transient.free} free, ${transient.loaded} taken`,
    `persistent keys  ${persistentHandles.map(handleText).join(', ') || 'none'}`,
    ...(eks.length === 0 ? ['EK certificates  none'] : ['EK certificates']),
    ...eks.map(
      ({ template, algorithm, nv_index, pub_hash }) =>
        `  ${template} ${algorithm}  ${nv_index}  pub_hash ${pub_hash ?? '(of another kind of key)'}`,
    ),
    ...notes.map((note) => `note             ${nvNoteText(note)}`),
  ];
}
