/** One attestation on the server: payload, challenge, answer, verdict. All it remembers is in local variables. */
import { randomBytes } from 'node:crypto';
import type { AttestationStream } from '../spire/attestation-stream.ts';
import type { Logger } from '../spire/logger.ts';
import { STATUS, StatusError } from '../spire/status.ts';
import type { Finding, FindingCode } from '../verifier/findings.ts';
import type { Trusted, Untrusted } from '../verifier/verdict.ts';
import { begin, finish } from '../verifier/verify.ts';
import type { ServerConfig } from './config.ts';

/** All the peer ever learns, with the id under which the log has the reasons. */
const REFUSAL = 'attestation refused; the reasons are in the log of the SPIRE server';
const MALFORMED: readonly FindingCode[] = ['evidence.malformed', 'response.malformed'];

export async function attest(
  stream: AttestationStream<'server'>,
  { policy }: ServerConfig,
  logger: Logger,
): Promise<void> {
  const log = logger.with({ attestation: stream.id });
  const payload = await stream.receive();
  if (payload?.kind !== 'payload') throw new StatusError(STATUS.INVALID_ARGUMENT, 'the first message is no payload');
  const begun = begin(payload.bytes, policy, randomBytes, new Date());
  if (begun.outcome === 'rejected') throw refusal(begun.verdict, stream, log);

  stream.send({ kind: 'challenge', bytes: begun.challenge });
  const response = await stream.receive();
  if (response?.kind !== 'challenge_response')
    throw new StatusError(STATUS.INVALID_ARGUMENT, 'the challenge was not answered');
  const verdict = finish(begun.pending, response.bytes, new Date());
  if (verdict.verdict === 'untrusted') throw refusal(verdict, stream, log);

  logTrusted(verdict, log);
  const { agentId, selectors } = verdict.device;
  // Re-attestation is cheap and looks at the boot state anew, so every SVID rotation is one.
  stream.send({ kind: 'agent_attributes', spiffeId: agentId, selectorValues: selectors, canReattest: true });
}

/** Logs every finding and makes the one sentence for the peer. */
function refusal({ findings }: Untrusted, stream: AttestationStream<'server'>, log: Logger): StatusError {
  const address = stream.metadata.get('x-forwarded-client-ip') ?? '';
  for (const { code, message, remedy } of findings)
    log.warn(`attestation refused: ${message}`, { finding: code, remedy, client_ip: address });
  return new StatusError(statusOf(findings), `${REFUSAL} (attestation ${stream.id})`);
}

function statusOf(findings: readonly Finding[]): StatusError['code'] {
  return findings.some(({ code }) => MALFORMED.includes(code)) ? STATUS.INVALID_ARGUMENT : STATUS.PERMISSION_DENIED;
}

function logTrusted({ device, notes }: Trusted, log: Logger): void {
  for (const note of notes) log.warn(`relaxed policy: ${note}`, { agent_id: device.agentId });
  log.info('node attested', {
    agent_id: device.agentId,
    ek: device.ek.algorithm,
    ek_template: device.ek.template,
    admitted_by: device.ek.admittedBy,
    ak: device.ak.algorithm,
    ak_name: device.ak.name,
    reset_count: device.clockInfo.resetCount,
    restart_count: device.clockInfo.restartCount,
    clock_safe: device.clockInfo.safe,
  });
}
