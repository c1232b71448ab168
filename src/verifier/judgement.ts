/** The result of judging evidence for a report: verdict, scope, and open questions. Pure. */
import type { QuoteAttest, TpmsClockInfo } from '../tpm/structures/attest.ts';
import { EVIDENCE_MALFORMED } from './decoding.ts';
import type { Finding } from './findings.ts';
import { pcrNotes } from './pcr-notes.ts';
import { Findings, type PcrValue, type Verdict } from './verdict.ts';

/** `attestation`: a known TPM holds the AK that signed the quote. `quote`: this key signed these PCRs, and no more. */
export type Scope = 'attestation' | 'quote';

/** A class of checks: the part of a finding's code before the dot. */
export type CheckClass = 'evidence' | 'ek' | 'ak' | 'pcr' | 'response' | 'credential' | 'quote';

export interface Judgement {
  readonly verdict: 'trusted' | 'untrusted';
  readonly scope: Scope;
  /**
   * Whether the quote was compared with the verifier's own nonce or challenge. Nothing else proves that it is fresh.
   */
  readonly asked: boolean;
  readonly findings: readonly Finding[];
  /** Empty unless trusted. */
  readonly pcrs: readonly PcrValue[];
  readonly clock: TpmsClockInfo | undefined;
  /** The classes that were judged. */
  readonly judged: readonly CheckClass[];
  /** Why a class could not be judged. Classes outside the scope are not listed. */
  readonly unjudged?: Unjudged;
  /** Sentences for the reader: the exceptions that the verdict needed, and the questions it leaves open. */
  readonly notes: readonly string[];
}

export type Unjudged = Readonly<Partial<Record<CheckClass, string>>>;

export interface QuoteFacts {
  readonly attest: QuoteAttest;
  readonly pcrs: readonly PcrValue[];
}

/** A judgement with scope `quote`: trusted if the quote was verified and there are no findings. */
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

/** The judgement of a file that is not evidence. @param message the reason, in one sentence */
export function unreadableJudgement(message: string, asked: boolean): Judgement {
  const findings = new Findings();
  findings.add(EVIDENCE_MALFORMED.code, message);
  return quoteJudgement(undefined, asked, findings.list, ['evidence'], []);
}

/** A judgement with scope `attestation`. */
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

/** Whether the TPM made the quote after the verifier asked for it. */
export function isFresh({ verdict, asked }: Judgement): boolean {
  return verdict === 'trusted' && asked;
}
