/**
 * Runs one attestation on the server: payload, challenge, answer, verdict. All data about the machine is in local
 * variables.
 */
import { randomBytes } from 'node:crypto';
import type { BootLogKind } from '../evidence/boot-logs.ts';
import { type Wire, wireOf } from '../evidence/wires.ts';
import { inSlices, ownTurn, type Steps } from '../files/steps.ts';
import type { PolicyInForce } from '../policy/live-policy.ts';
import type { LogFields, Logger } from '../spire/log/logger.ts';
import type { AttestationStream } from '../spire/plugin/attestation-stream.ts';
import { PEER_SENTENCE, PeerError, STATUS, StatusError } from '../spire/status.ts';
import type { Entropy } from '../tpm/make-credential.ts';
import { type BootState, bootState } from '../verifier/boot-state.ts';
import { decodedOr, LOG_MALFORMED } from '../verifier/decoding.ts';
import { type BegunExchange, type PendingCredential, untrusted } from '../verifier/exchange.ts';
import type { Finding, FindingCode } from '../verifier/findings.ts';
import type { KnownMachines } from '../verifier/known-machines.ts';
import * as spireTpmPlugin from '../verifier/legacy-verify.ts';
import type { LinkedKeys } from '../verifier/linked-keys.ts';
import { LogCollector } from '../verifier/log-collector.ts';
import type { OperatorLists } from '../verifier/operator-lists.ts';
import type { Policy } from '../verifier/policy.ts';
import { Findings, type ProvedKeys, type Trusted, type TrustedDevice, type Untrusted } from '../verifier/verdict.ts';
import * as own from '../verifier/verify.ts';
import type { OpenChallenges } from './open-challenges.ts';
import type { Tolerances } from './tolerance-counts.ts';

/** Findings that are answered with INVALID_ARGUMENT: the agent did not send valid evidence. */
const MALFORMED: readonly FindingCode[] = [
  'evidence.malformed',
  'evidence.wire',
  'response.malformed',
  'boot.log_malformed',
];

/** The verifier of one wire. */
interface Judge<Pending> {
  readonly begin: (payload: Uint8Array, policy: Policy, entropy: Entropy, now: Date) => Steps<BegunExchange<Pending>>;
  /** The boot logs that the challenge named. */
  readonly logs: (pending: Pending) => readonly BootLogKind[];
  readonly finish: (
    pending: Pending,
    response: Uint8Array,
    now: Date,
    lists: OperatorLists,
  ) => Trusted<Proved> | Untrusted;
}
/** The facts of a quote exist only on tpm-attestor's own wire. */
type Proved = ProvedKeys & Partial<TrustedDevice>;
/** And what the boot logs add, where the policy asks for them. */
type Judged = Trusted<Proved> & { readonly boot: BootState | undefined };

/** State that is shared by all attestations. */
export interface Standing {
  /** The operator's lists in force at the call, whatever policy an attestation began with. */
  readonly lists: () => OperatorLists;
  readonly challenges: OpenChallenges;
  /** Machines that are asked for their boot logs. A place of their own: their challenges have been answered. */
  readonly collections: OpenChallenges;
  readonly tolerances: Tolerances;
  readonly linked: LinkedKeys;
  readonly maxMessageBytes: number;
}

export async function attest(
  stream: AttestationStream<'server'>,
  { policy, known }: PolicyInForce,
  logger: Logger,
  standing: Standing,
): Promise<void> {
  const log = logger.with({ attestation: stream.id });
  const payload = await stream.receive();
  if (payload?.kind !== 'payload') throw new PeerError(STATUS.INVALID_ARGUMENT, 'the first message is not a payload');
  const wire = wireOf(payload.bytes);
  const judged =
    wire === 'spire-tpm-plugin'
      ? await judge(pluginJudge(standing.linked), stream, payload.bytes, policy, standing, log)
      : await judge(rememberingJudge(known, standing.linked), stream, payload.bytes, policy, standing, log);

  logTrusted(judged, wire, standing.tolerances, log);
  const { agentId } = judged.device;
  const selectors = [...judged.device.selectors, ...(judged.boot?.selectors ?? [])];
  // Re-attestation is cheap and checks the boot state again, so SPIRE may do it at every SVID rotation.
  stream.send({ kind: 'agent_attributes', spiffeId: agentId, selectorValues: selectors, canReattest: true });
}

/** The verifier of tpm-attestor's own wire, which does not judge a known machine from the start. */
function rememberingJudge(known: KnownMachines, linked: LinkedKeys): Judge<own.Pending> {
  return {
    begin: (payload, policy, entropy, now) => own.beginInSteps(payload, policy, entropy, now, known, linked),
    logs: ({ logs }) => logs,
    finish: own.finish,
  };
}

function pluginJudge(linked: LinkedKeys): Judge<PendingCredential> {
  return {
    begin: (payload, policy, entropy, now) => spireTpmPlugin.beginInSteps(payload, policy, entropy, now, linked),
    logs: () => [],
    finish: spireTpmPlugin.finish,
  };
}

async function judge<Pending extends PendingCredential>(
  { begin, logs, finish }: Judge<Pending>,
  stream: AttestationStream<'server'>,
  payload: Uint8Array,
  policy: Policy,
  { challenges, collections, lists, linked, maxMessageBytes }: Standing,
  log: Logger,
): Promise<Judged> {
  // SPIRE has one connection: what came on it together would else be judged in one turn.
  await ownTurn();
  // tooth A01, A03 [randomBytes -> (count: number) => new Uint8Array(count).fill(1)]: every nonce and secret is the
  //   same
  const begun = await inSlices(begin(payload, policy, randomBytes, new Date()), stream.signal);
  if (begun.outcome === 'rejected') throw refusal(begun.verdict, stream, linked, log);

  stream.send({ kind: 'challenge', bytes: begun.challenge });
  const response = await challenges.wait(begun.pending.ek.pubHash, () => stream.receive());
  if (response?.kind !== 'challenge_response')
    throw new PeerError(STATUS.INVALID_ARGUMENT, 'the challenge was not answered');
  await ownTurn();
  stream.signal.throwIfAborted();
  const verdict = finish(begun.pending, response.bytes, new Date(), lists());
  // tooth A03 [verdict.verdict === 'untrusted' && finish(begun.pending, (await stream.receive())?.bytes ?? new
  //   Uint8Array(), new Date(), lists()).verdict === 'untrusted']: a second answer may follow a wrong one
  if (verdict.verdict === 'untrusted') throw refusal(verdict, stream, linked, log);
  const { pcrs } = verdict.device;
  if (policy.logs.length === 0 || pcrs === undefined) return { ...verdict, boot: undefined };
  const findings = new Findings();
  findings.pubHash = begun.pending.ek.pubHash;
  const collector = new LogCollector(logs(begun.pending), maxMessageBytes);
  await collections.wait(findings.pubHash, () => collectLogs(stream, collector, findings));
  if (!findings.none) throw refusal(untrusted(findings), stream, linked, log);
  await ownTurn();
  return { ...verdict, boot: bootState(collector.logs, pcrs) };
}

/** Asks a machine that has proved itself for the boot logs that its challenge named. */
async function collectLogs(
  stream: AttestationStream<'server'>,
  collector: LogCollector,
  findings: Findings,
): Promise<void> {
  for (let request = collector.request(); request !== undefined && findings.none; request = collector.request()) {
    stream.send({ kind: 'challenge', bytes: request });
    const part = await stream.receive();
    if (part?.kind !== 'challenge_response')
      throw new PeerError(STATUS.INVALID_ARGUMENT, 'the boot logs were not sent');
    decodedOr(findings, () => collector.take(part.bytes), LOG_MALFORMED);
  }
}

/** Logs every finding. The peer gets one general sentence. */
function refusal(
  { findings, claimedPubHash }: Untrusted,
  stream: AttestationStream<'server'>,
  linked: LinkedKeys,
  log: Logger,
): StatusError {
  const address = stream.metadata.get('x-forwarded-client-ip') ?? '';
  const claimed = claimedPubHash === undefined ? {} : { claimed_pub_hash: claimedPubHash };
  for (const { code, message, remedy } of findings) {
    // tooth one-identity [{}]: the log does not name the other hashes of a denied machine
    const others = code === 'ek.denied' ? otherHashes(claimedPubHash, linked) : {};
    log.warn(`attestation refused: ${message}`, { finding: code, remedy, client_ip: address, ...claimed, ...others });
  }
  return new StatusError(statusOf(findings), `${PEER_SENTENCE.server} (attestation ${stream.id})`);
}

/** The other hashes of a denied machine, so that the operator can deny all of them. */
function otherHashes(pubHash: string | undefined, linked: LinkedKeys): LogFields {
  const known = pubHash === undefined ? [] : linked.with({ pubHash }).map((subject) => subject.pubHash);
  const others = known.filter((one) => one !== pubHash);
  // One field for each hash: a log field has at most 256 characters.
  return Object.fromEntries(others.map((hash, i) => [`other_pub_hash_${i + 1}`, hash]));
}

function statusOf(findings: readonly Finding[]): StatusError['code'] {
  return findings.some(({ code }) => MALFORMED.includes(code)) ? STATUS.INVALID_ARGUMENT : STATUS.PERMISSION_DENIED;
}

function logTrusted(
  { device, notes, overlooked, boot }: Judged,
  wire: Wire,
  tolerances: Tolerances,
  log: Logger,
): void {
  for (const note of notes) log.warn(`relaxed policy: ${note}`, { agent_id: device.agentId });
  // tooth enforcement: nobody hears what was overlooked
  for (const { code, message, remedy } of overlooked)
    log.warn(`not enforced: ${message}`, { agent_id: device.agentId, finding: code, remedy });
  for (const note of boot?.notes ?? []) log.warn(note, { agent_id: device.agentId });
  const { bundle, tolerated } = device.ek;
  log.info('node attested', {
    agent_id: device.agentId,
    wire,
    ek: device.ek.algorithm,
    ek_template: device.ek.template,
    admitted_by: device.ek.admittedBy,
    ...(bundle === undefined ? {} : { bundle }),
    ...(tolerated.length === 0 ? {} : { tolerated: tolerances.count(tolerated).join(' ') }),
    ak: device.ak.algorithm,
    ak_name: device.ak.name,
    ...(device.clockInfo === undefined
      ? {}
      : {
          reset_count: device.clockInfo.resetCount,
          restart_count: device.clockInfo.restartCount,
          clock_safe: device.clockInfo.safe,
        }),
  });
}
