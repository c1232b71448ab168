/** What is said of evidence, whatever of it was verified: the verdict, its scope, and what it leaves open. Pure. */
import type { QuoteAttest, TpmsClockInfo } from '../tpm/structures/attest.ts';
import { EVIDENCE_MALFORMED } from './decoding.ts';
import type { Finding } from './findings.ts';
import { pcrNotes } from './pcr-notes.ts';
import { Findings, type PcrValue, type Verdict } from './verdict.ts';

/** `attestation`: the EK vouches for the AK that signed. `quote`: only that this key signed these PCRs. */
export type Scope = 'attestation' | 'quote';

/** A class of checks: the part of a finding's code in front of the dot. */
export type CheckClass = 'evidence' | 'ek' | 'ak' | 'pcr' | 'response' | 'credential' | 'quote';

export interface Judgement {
  readonly verdict: 'trusted' | 'untrusted';
  readonly scope: Scope;
  /** Whether the quote was compared with a nonce or challenge of the verifier's own: nothing else tells its age. */
  readonly asked: boolean;
  readonly findings: readonly Finding[];
  /** Empty unless trusted. */
  readonly pcrs: readonly PcrValue[];
  readonly clock: TpmsClockInfo | undefined;
  /** The classes that were judged. */
  readonly judged: readonly CheckClass[];
  /** Why a class could not be judged. A class that the scope leaves out has no reason here. */
  readonly unjudged?: Unjudged;
  /** For the reader, one sentence each: what the verdict leaned on, and what it leaves open. */
  readonly notes: readonly string[];
}

export type Unjudged = Readonly<Partial<Record<CheckClass, string>>>;

export interface QuoteFacts {
  readonly attest: QuoteAttest;
  readonly pcrs: readonly PcrValue[];
}

/** Of the scope `quote`: trusted when the quote was verified and nothing was found. */
export function quoteJudgement(
  quote: QuoteFacts | undefined,
  asked: boolean,
  findings: readonly Finding[],
  judged: readonly CheckClass[],
  notes: readonly string[],
  unjudged: Unjudged = {},
): Judgement {
  const trusted = quote !== undefined && findings.length === 0;
  return {
    verdict: trusted ? 'trusted' : 'untrusted',
    scope: 'quote',
    asked,
    findings,
    pcrs: trusted ? quote.pcrs : [],
    clock: trusted ? quote.attest.clockInfo : undefined,
    judged,
    unjudged,
    notes: trusted ? [...notes, ...pcrNotes(quote.pcrs)] : notes,
  };
}

/** Of what is no evidence at all. @param message why, in one sentence */
export function unreadableJudgement(message: string, asked: boolean): Judgement {
  const findings = new Findings();
  findings.add(EVIDENCE_MALFORMED.code, message);
  return quoteJudgement(undefined, asked, findings.list, ['evidence'], []);
}

/** Of the scope `attestation`. */
export function attestationJudgement(verdict: Verdict): Judgement {
  const trusted = verdict.verdict === 'trusted' ? verdict : undefined;
  return {
    verdict: verdict.verdict,
    scope: 'attestation',
    asked: true,
    findings: verdict.verdict === 'untrusted' ? verdict.findings : [],
    pcrs: trusted?.device.pcrs ?? [],
    clock: trusted?.device.clockInfo,
    judged: ['evidence', 'ek', 'ak', 'pcr', 'response', 'credential', 'quote'],
    notes:
      trusted === undefined
        ? []
        : [...trusted.notes, `this machine is ${trusted.device.agentId}`, ...pcrNotes(trusted.device.pcrs)],
  };
}

/** Made after the verifier asked for it. */
export function isFresh({ verdict, asked }: Judgement): boolean {
  return verdict === 'trusted' && asked;
}
