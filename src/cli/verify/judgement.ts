/** What `verify` answers, whatever was verified. */
import type { QuoteAttest, TpmsClockInfo } from '../../tpm/structures/attest.ts';
import type { Finding } from '../../verifier/findings.ts';
import { pcrNotes } from '../../verifier/pcr-notes.ts';
import type { PcrValue } from '../../verifier/verdict.ts';

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

/** Made after the verifier asked for it. */
export function isFresh({ verdict, asked }: Judgement): boolean {
  return verdict === 'trusted' && asked;
}

/** The document of `verify --json`. */
export function judgementDocument(judgement: Judgement): object {
  const { verdict, scope, findings, pcrs, clock, notes } = judgement;
  return {
    verdict,
    scope,
    fresh: isFresh(judgement),
    findings,
    pcrs,
    clock:
      clock === undefined
        ? null
        : {
            clock_ms: Number(clock.clock),
            reset_count: clock.resetCount,
            restart_count: clock.restartCount,
            safe: clock.safe,
          },
    notes,
  };
}
