/**
 * The verifier. `begin` judges the agent's payload, and makes a challenge that only the machine with both keys can
 * answer. `finish` judges the answer. Pure: time and randomness are arguments, and a refusal is a returned verdict.
 *
 * Cheap checks come first: EK public area → AK attributes → list → EK certificate → secret → quote.
 */
import { hash as digestOf } from 'node:crypto';
import { equalBytes } from '../bytes/bytes.ts';
import { finished, type Pausable } from '../bytes/pausable.ts';
import { commitment } from '../evidence/binding.ts';
import { type BootLogKind, LOG_NUMBERS } from '../evidence/boot-logs.ts';
import {
  type Challenge,
  type ChallengeResponse,
  decodePayload,
  decodeResponse,
  encodeChallenge,
  LOGS_VERSION,
  NONCE_BYTES,
  type Payload,
  PROTOCOL_VERSIONS,
} from '../evidence/messages.ts';
import { type Entropy, makeCredential } from '../tpm/make-credential.ts';
import { encode } from '../tpm/structures/codec.ts';
import { TPM_ALG, TPM_RH } from '../tpm/structures/constants.ts';
import { handleName, qualifiedName } from '../tpm/structures/name.ts';
import { pcrSelection, type TpmlPcrSelection, tpmlPcrSelection } from '../tpm/structures/pcr.ts';
import { judgeAttestationKey } from './attestation-key.ts';
import { decodedOr, EVIDENCE_MALFORMED, RESPONSE_MALFORMED } from './decoding.ts';
import { admittedEndorsement, claimedEndorsement } from './endorsement.ts';
import {
  addUnopened,
  type BegunExchange,
  exactly,
  isSecret,
  judgeTime,
  type PendingCredential,
  provedKeys,
  rejected,
  requireMoment,
  untrusted,
} from './exchange.ts';
import { selectors } from './identity.ts';
import type { Judged, KnownMachines } from './known-machines.ts';
import { judgeLinks, type LinkedKeys } from './linked-keys.ts';
import { admitAgain, type OperatorLists } from './operator-lists.ts';
import { type PcrRequirement, type Policy, stepsOf } from './policy.ts';
import { quotedExtraData, verifyQuote } from './quote.ts';
import { Findings, type Trusted, type Verdict } from './verdict.ts';

export type { Entropy } from '../tpm/make-credential.ts';
export type { OperatorLists } from './operator-lists.ts';
export type { Policy } from './policy.ts';
export type { Verdict } from './verdict.ts';

declare const begun: unique symbol;

/** What the server keeps between challenge and answer, for one stream and one answer. Only `begin` makes it. */
export interface Pending extends PendingCredential, Judged {
  readonly [begun]: true;
  /** The qualifying data that the quote must have for this payload and this challenge. */
  readonly commitment: Uint8Array;
  readonly pcrSelection: TpmlPcrSelection;
  /** The boot logs that the challenge named. */
  readonly logs: readonly BootLogKind[];
  /** Remembers the machine, by `payloadHash`, when it has proved itself. */
  readonly known: KnownMachines | undefined;
  readonly payloadHash: string;
}

/** The result of `begin`. */
export type Begun = BegunExchange<Pending>;

/**
 * Judges the agent's payload, and makes a challenge if it passes.
 *
 * @param payload the agent's first message as received
 * @param entropy fresh random bytes
 * @param now when the payload is judged
 * @param known machines that attested under this policy. They never change the result
 * @param linked keys that were proved to be in one TPM, under any policy
 * @throws RangeError if the entropy source returns the wrong length, TypeError if `now` is an invalid date
 */
export function begin(
  payload: Uint8Array,
  policy: Policy,
  entropy: Entropy,
  now: Date,
  known?: KnownMachines,
  linked?: LinkedKeys,
): Begun {
  return finished(beginInSteps(payload, policy, entropy, now, known, linked));
}

/**
 * Like `begin`, for a server: it can pause between signature checks. An unknown sender's certificates cost
 * milliseconds.
 */
export function* beginInSteps(
  payload: Uint8Array,
  policy: Policy,
  entropy: Entropy,
  now: Date,
  known?: KnownMachines,
  linked?: LinkedKeys,
): Pausable<Begun> {
  requireMoment(now);
  const findings = new Findings();
  // tooth A62 [payload, -> decodePayload(payload).ekCertificates[0] ?? payload,]: a known machine's certificate is
  //   enough to pass for it
  const payloadHash = digestOf('sha256', payload, 'hex');
  const judged = known?.recall(payloadHash, policy, now) ?? (yield* judge(payload, policy, now, findings));
  // tooth one-identity [judged !== undefined && (linked?.remember(judged, policy.isDenied), true)]: a claim links two machines
  if (judged !== undefined) judgeLinks(judged, policy, linked, findings);
  if (judged === undefined || !findings.none) return rejected(findings);

  const { ek, ak, requirement, version } = judged;
  const logs = version < LOGS_VERSION ? [] : policy.logs;
  const random = exactly(entropy);
  const secret = random(NONCE_BYTES);
  const selection = [pcrSelection(requirement.hash, requirement.indices)];
  const nonce = random(NONCE_BYTES);
  const credential = makeCredential(ek.publicArea, ak.name, secret, random, ek.key, stepsOf(policy));
  const challenge: Challenge = {
    version,
    nonce,
    credentialBlob: credential.credentialBlob,
    encryptedSecret: credential.encryptedSecret,
    pcrSelection: encode(tpmlPcrSelection, selection),
    logs: logs.map((log) => LOG_NUMBERS[log]),
  };
  const encoded = encodeChallenge(challenge);
  const pending: Omit<Pending, typeof begun> = {
    ek,
    ak,
    requirement,
    version,
    policy,
    secret,
    commitment: commitment(policy.trustDomain, payload, encoded),
    pcrSelection: selection,
    logs,
    issuedAt: now,
    known,
    linked,
    payloadHash,
  };
  return { outcome: 'challenged', challenge: encoded, pending: pending as Pending };
}

/** Undefined, with at least one finding, if the payload is refused. */
function* judge(payload: Uint8Array, policy: Policy, now: Date, findings: Findings): Pausable<Judged | undefined> {
  const evidence = decodedOr(findings, () => decodePayload(payload), EVIDENCE_MALFORMED);
  if (evidence === undefined) return undefined;

  const version = judgeEnvelope(evidence, policy, findings);
  const claimed = claimedEndorsement(evidence.ekPublic, policy, findings);
  const ak = judgeAttestationKey(evidence.akPublic, findings, stepsOf(policy));
  const requirement = choosePcrs(evidence.pcrBanks, policy, findings);
  // A chain costs more than all other checks, so it is not judged for a payload that is refused anyway.
  // tooth A79 [!findings.none -> false]: a chain is searched for a payload that is refused anyway
  if (!findings.none || claimed === undefined || ak === undefined || requirement === undefined) return undefined;
  const ek = yield* admittedEndorsement(claimed, evidence.ekCertificates, policy, now, findings);
  return ek === undefined ? undefined : { ek, ak, requirement, version };
}

/**
 * Judges the answer to a challenge.
 *
 * @param pending from `begin` of this stream. Use it for one answer only: a second answer needs a new challenge
 * @param response the agent's answer as received
 * @param now when the answer arrived, by the clock of `begin`
 * @param lists the lists in force now. Default: the lists of the policy that made the challenge
 * @throws TypeError if `now` is an invalid date
 */
export function finish(
  pending: Pending,
  response: Uint8Array,
  now: Date,
  lists: OperatorLists = pending.policy,
): Verdict {
  requireMoment(now);
  const findings = new Findings();
  findings.pubHash = pending.ek.pubHash;
  const { ak } = pending;
  const answer = decodedOr(findings, () => decodeResponse(response), RESPONSE_MALFORMED);
  if (answer === undefined) return untrusted(findings);

  judgeTime(pending, now, findings);
  const ek = admitAgain(pending.ek, pending.policy, lists, findings);
  // tooth one-identity: a denial does not reach the linked keys of a challenged machine
  judgeLinks(pending, lists, pending.linked, findings);
  const replayed = judgeSecret(pending, answer, findings);
  const expectation = {
    extraData: replayed ? undefined : pending.commitment,
    pcrSelection: pending.pcrSelection,
    qualifiedSigner: qualifiedName(handleName(TPM_RH.ENDORSEMENT), ak.name),
  };
  const quote = verifyQuote(ak, answer, expectation, findings);
  if (!findings.none || ek === undefined || quote === undefined) return untrusted(findings);

  pending.linked?.remember(pending, lists.isDenied);
  pending.known?.remember(pending.payloadHash, pending.policy, pending);
  const trusted: Trusted = {
    verdict: 'trusted',
    device: {
      ...provedKeys(pending, ek, selectors(ek)),
      pcrs: quote.pcrs,
      clockInfo: quote.attest.clockInfo,
      firmwareVersion: quote.attest.firmwareVersion,
    },
    notes: ek.notes,
    overlooked: ek.overlooked,
  };
  return trusted;
}

/** The highest version that both sides speak. */
function judgeEnvelope(evidence: Payload, policy: Policy, findings: Findings): number {
  const version = PROTOCOL_VERSIONS.findLast((one) => evidence.versions.includes(one)) ?? 0;
  if (version === 0)
    findings.add('evidence.version', `the agent speaks versions ${evidence.versions.join(', ') || 'none'}`);
  // This finding only helps honest agents. The commitment, with the server's own trust domain, stops dishonest ones.
  if (evidence.trustDomain !== policy.trustDomain)
    findings.add('evidence.trust_domain', 'the agent attests to another trust domain');
  return version;
}

function choosePcrs(banks: readonly number[], policy: Policy, findings: Findings): PcrRequirement | undefined {
  const allowed = policy.pcrs.filter(({ hash }) => policy.allowSha1Bank || hash !== TPM_ALG.SHA1);
  const chosen = allowed.find(({ hash }) => banks.includes(hash));
  if (chosen === undefined) {
    const wanted = allowed.map(({ bank }) => bank).join(', ') || 'none';
    findings.add('pcr.bank', `the TPM has allocated none of the accepted PCR banks (${wanted})`);
  }
  return chosen;
}

/** Checks the secret. Returns whether the answer belongs to another challenge, which is one finding instead of two. */
function judgeSecret(pending: Pending, answer: ChallengeResponse, findings: Findings): boolean {
  // tooth enforcement [!pending.policy.enforce || isSecret(pending, answer.secret)]: without enforcement a machine need
  //   not hold its key
  if (isSecret(pending, answer.secret)) return false;
  const extraData = quotedExtraData(answer.quoted);
  const replayed = extraData !== undefined && !equalBytes(extraData, pending.commitment);
  if (replayed) findings.add('response.other_exchange', 'neither its secret nor its quote answers this challenge');
  else addUnopened(findings);
  return replayed;
}
