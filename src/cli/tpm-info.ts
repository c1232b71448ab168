/** `tpm info`: what the TPM is, whether it can attest now, and which endorsement certificates it holds. */
import { Command } from 'commander';
import { readCertificate } from '../agent/endorsement-certificate.ts';
import { NvReader } from '../agent/nv-index.ts';
import type { TpmCommands } from '../tpm/commands.ts';
import { publicKeyHash } from '../tpm/public-key.ts';
import { EK_TEMPLATES, type EkTemplate } from '../tpm/templates.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { handleText } from './endorsement-report.ts';
import { type JsonOptions, jsonOption, passwordsOf, type TpmOptions, tpmOptions } from './options.ts';
import { say, sayJson } from './terminal.ts';
import { readTpmFacts, type TpmFacts } from './tpm-capabilities.ts';
import { withTpm } from './tpm-device.ts';

interface CertifiedEk {
  readonly template: string;
  readonly algorithm: 'rsa' | 'ecc';
  readonly nv_index: string;
  /** Null when the certificate cannot be read. */
  readonly pub_hash: string | null;
}

export function tpmInfoCommand(): Command {
  const command = new Command('info')
    .description('manufacturer, firmware, PCR banks, lockout, free slots, endorsement certificates')
    .addOption(jsonOption());
  for (const option of tpmOptions()) command.addOption(option);
  return command.action(async (options: TpmOptions & JsonOptions) => {
    const [facts, eks] = await withTpm(options, async (run) => [
      await readTpmFacts(run),
      await certifiedEks(run, options),
    ]);
    if (options.json) sayJson(documentOf(facts, eks));
    else for (const line of linesOf(facts, eks)) say(line);
  });
}

async function certifiedEks(run: TpmCommands, options: TpmOptions): Promise<readonly CertifiedEk[]> {
  const nv = new NvReader(run, passwordsOf(options));
  const eks: CertifiedEk[] = [];
  for (const template of EK_TEMPLATES) {
    const certificate = await readCertificate(nv, template);
    if (certificate !== undefined) eks.push(certifiedEk(template, certificate));
  }
  return eks;
}

function certifiedEk({ name, algorithm, certificateNvIndex }: EkTemplate, certificate: Uint8Array): CertifiedEk {
  return { template: name, algorithm, nv_index: handleText(certificateNvIndex), pub_hash: pubHashOf(certificate) };
}

function pubHashOf(certificate: Uint8Array): string | null {
  try {
    const { publicKey } = parseCertificate(certificate);
    return publicKey === undefined ? null : publicKeyHash(publicKey);
  } catch (error) {
    if (error instanceof MalformedCertificateError) return null;
    throw error;
  }
}

function documentOf(facts: TpmFacts, eks: readonly CertifiedEk[]): object {
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
  };
}

function linesOf(facts: TpmFacts, eks: readonly CertifiedEk[]): readonly string[] {
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
        `  ${template} ${algorithm}  ${nv_index}  pub_hash ${pub_hash ?? '(cannot be read)'}`,
    ),
  ];
}
