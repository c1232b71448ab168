/** The agent plugin: SPIRE gives it its configuration, and each stream is one attestation. */

import { type AgentErrorCode, isAgentError } from '../agent/agent-error.ts';
import type { AkMaker } from '../agent/ak-maker.ts';
import { type Attestation, Attestor } from '../agent/attest.ts';
import { isSoftwareTcti, tctiOrDevice, unusedTctiVariable } from '../agent/device-choice.ts';
import type { ReadBootLog } from '../agent/logs/boot-log-files.ts';
import { answerLogRequest } from '../agent/logs/log-answers.ts';
import { HierarchyPasswords } from '../agent/passwords/hierarchy-passwords.ts';
import { remedyFor } from '../agent/remedy.ts';
import { hex } from '../bytes/bytes.ts';
import { InvalidConfig } from '../spire/config/invalid-config.ts';
import { errorFields, type Logger } from '../spire/log/logger.ts';
import type { AttestationStream } from '../spire/plugin/attestation-stream.ts';
import type { PluginDefinition } from '../spire/plugin/plugin-definition.ts';
import { STATUS, type StatusCode, StatusError } from '../spire/status.ts';
import { NativeUnavailableError, TctiError, TpmError } from '../tpm/device/errors.ts';
import { type AddonChoice, exitProcess, nativeAddon } from '../tpm/device/native.ts';
import { Queue } from '../tpm/device/queue.ts';
import { refuseOtherFiles } from '../tpm/device/tcti.ts';
import { readAgentConfig } from './agent-config.ts';
import { StepLimit } from './step-limit.ts';

interface AgentPluginConfig {
  readonly attestor: Attestor;
  readonly tpmTimeoutMs: number;
  readonly serverTimeoutMs: number;
}

/**
 * Time for the keeper to flush a TPM without resource manager. SPIRE or its supervisor kills this process after 2 s.
 */
const LAST_PATIENCE_MS = 250;

const WITHOUT_QUOTE =
  'wire = "spire-tpm-plugin" sends no quote: the server learns nothing about what this machine booted, and a relayed challenge lets an attacker attest as this machine';

/** @param makeAk default: the primary key of the trust domain */
export function agentPlugin(logger: Logger, makeAk?: AkMaker): PluginDefinition<'agent', AgentPluginConfig> {
  // Shared by all configurations: they use the same TPM.
  const queue = new Queue();
  return {
    exit: (code) => exitProcess(code, LAST_PATIENCE_MS),
    idle: () => queue.idle(),
    limits: ({ tpmTimeoutMs, serverTimeoutMs }) => ({ attestTimeoutMs: 2 * tpmTimeoutMs + serverTimeoutMs }),
    config: {
      configure: async ({ trustDomain }, hcl) => {
        const read = readAgentConfig(hcl);
        if (!read.ok) throw new InvalidConfig(read.problems);
        const { tcti, ek, ak, ekCertificatePath, endorsementAuthFile, ownerAuthFile, addon, wire } = read.config;
        const { tpmTimeoutMs, serverTimeoutMs, bootLogs } = read.config;
        expectAddon(addon);
        expectTpm(tctiOrDevice(tcti));
        const unused = unusedTctiVariable(tcti, 'tcti in plugin_data');
        if (unused !== undefined) logger.warn(unused);
        if (isSoftwareTcti(tctiOrDevice(tcti))) {
          logger.warn(
            'the TCTI string names neither a device nor tpm2-abrmd: a software TPM proves nothing about this machine',
            { tcti: tctiOrDevice(tcti) },
          );
        }
        if (wire !== 'tpm-attestor') logger.warn(WITHOUT_QUOTE, { wire });
        const files = { endorsement: endorsementAuthFile, owner: ownerAuthFile };
        const passwords = new HierarchyPasswords(files, (message) => logger.warn(message));
        const options = {
          trustDomain,
          tcti: () => tctiOrDevice(tcti),
          ek,
          ak,
          ekCertificatePath,
          passwords,
          bootLogs,
          wire,
          queue,
        };
        const attestor = new Attestor(makeAk === undefined ? options : { ...options, makeAk });
        return { attestor, tpmTimeoutMs, serverTimeoutMs };
      },
      validate: async (_, hcl) => {
        const read = readAgentConfig(hcl);
        return read.ok ? [] : read.problems;
      },
    },
    attest: (stream, config) => attest(stream, config, logger.with({ attestation: stream.id })),
  };
}

/** Loads the addon when SPIRE configures the plugin, so that a missing or wrong addon is an error at once. */
function expectAddon(addon: AddonChoice): void {
  try {
    nativeAddon(addon);
  } catch (error) {
    if (error instanceof NativeUnavailableError) throw new StatusError(STATUS.FAILED_PRECONDITION, error.message);
    throw error;
  }
}

/** Refuses a path that is not a TPM now. Each attestation checks it again. */
function expectTpm(tcti: string): void {
  try {
    refuseOtherFiles(tcti);
  } catch (error) {
    if (error instanceof TctiError) throw new StatusError(STATUS.INVALID_ARGUMENT, error.message);
    throw error;
  }
}

async function attest(
  stream: AttestationStream<'agent'>,
  { attestor, tpmTimeoutMs, serverTimeoutMs }: AgentPluginConfig,
  logger: Logger,
): Promise<void> {
  const limit = new StepLimit(stream.signal);
  limit.begin({ name: 'looking for the keys in the TPM', limitMs: tpmTimeoutMs });
  const exchange = async (payload: Uint8Array): Promise<Uint8Array> => {
    limit.begin({ name: "waiting for the server's challenge", limitMs: serverTimeoutMs });
    stream.send({ kind: 'payload', bytes: payload });
    const challenge = await stream.receive();
    if (challenge === undefined) throw new StatusError(STATUS.FAILED_PRECONDITION, 'the server sent no challenge');
    limit.begin({ name: "the TPM's answer", limitMs: tpmTimeoutMs });
    return challenge.bytes;
  };
  try {
    const attestation = await attestor.attest(exchange, {
      signal: limit.signal,
      onClosed: (commands) => logCommands(logger, commands),
    });
    logAttestation(logger, attestation);
    stream.send({ kind: 'challenge_response', bytes: attestation.response });
    limit.end();
    await sendBootLogs(stream, attestation.logs);
  } catch (error) {
    // SPIRE replaces the message of a timeout, so the log must tell which step took too long.
    if (error instanceof StatusError && error.code === STATUS.DEADLINE_EXCEEDED) logger.error(error.message);
    throw statusOf(error, logger);
  } finally {
    limit.end();
  }
}

/** Until the server knows enough: SPIRE's agent then cancels the stream. */
async function sendBootLogs(stream: AttestationStream<'agent'>, logs: readonly ReadBootLog[]): Promise<void> {
  if (logs.length === 0) return;
  try {
    for (let request = await stream.receive(); request !== undefined; request = await stream.receive()) {
      stream.send({ kind: 'challenge_response', bytes: answerLogRequest(request.bytes, logs) });
    }
  } catch (error) {
    if (!stream.signal.aborted) throw error;
  }
}

function logAttestation(logger: Logger, { wire, endorsement, akAlgorithm, warm, logs }: Attestation): void {
  const { template, persistentHandle, certificates, certificateSource, notes } = endorsement;
  for (const note of notes) logger.warn(note);
  for (const { note } of logs) if (note !== undefined) logger.warn(note);
  logger.info('answered the challenge', {
    wire,
    ek_template: template.name,
    ek_algorithm: template.algorithm,
    ek_nv_index: handleText(template.certificateNvIndex),
    ek_source: persistentHandle === undefined ? 'created' : 'persistent',
    ...(persistentHandle === undefined ? {} : { ek_handle: handleText(persistentHandle) }),
    ek_certificates: certificates.length,
    ...(certificateSource === undefined ? {} : { ek_certificate_source: certificateSource }),
    ak_algorithm: akAlgorithm,
    warm,
  });
}

/**
 * Called once for each attestation, also after a failure. Names are short: SPIRE's log cuts a field at 256 characters.
 */
function logCommands(logger: Logger, commands: ReadonlyMap<string, number>): void {
  logger.debug('closed the TPM', {
    tpm_commands_total: [...commands.values()].reduce((sum, count) => sum + count, 0),
    tpm_commands: [...commands].map(([name, count]) => `${name.replace(/^TPM2_/, '')}:${count}`).join(','),
  });
}

/** The caller is the agent on this machine, so it may see the TPM's error. */
function statusOf(error: unknown, logger: Logger): unknown {
  if (error instanceof StatusError) return error;
  const remedy = remedyFor(error);
  const name = error instanceof TpmError ? { tpm_error: error.name, tpm_command: error.command } : {};
  logger.error('attestation failed', { ...errorFields(error), ...name, ...(remedy === undefined ? {} : { remedy }) });
  if (!isAgentError(error)) return new StatusError(STATUS.INTERNAL, 'internal error, see the log of the agent');
  const { code, message } = error;
  return new StatusError(STATUS_OF[code], remedy === undefined ? message : `${message}: ${remedy}`);
}

const STATUS_OF: Readonly<Record<AgentErrorCode, StatusCode>> = {
  ERR_TPM: STATUS.UNAVAILABLE,
  ERR_NATIVE_UNAVAILABLE: STATUS.UNAVAILABLE,
  ERR_PCR: STATUS.UNAVAILABLE,
  ERR_ENDORSEMENT: STATUS.FAILED_PRECONDITION,
  ERR_PASSWORD: STATUS.FAILED_PRECONDITION,
  ERR_TCTI: STATUS.FAILED_PRECONDITION,
  ERR_CERTIFICATE_FILE: STATUS.FAILED_PRECONDITION,
  ERR_MALFORMED: STATUS.INVALID_ARGUMENT,
};

function handleText(handle: number): string {
  return `0x${hex(Uint8Array.of(handle >>> 24, handle >>> 16, handle >>> 8, handle))}`;
}
