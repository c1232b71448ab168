/** Judges an evidence file by a policy. Without a secret it proves a genuine quote, but not whose TPM made it. Pure. */
import { equalBytes } from '../bytes/bytes.ts';
import { MalformedError } from '../bytes/malformed.ts';
import { commitment } from '../evidence/binding.ts';
import {
  type ChallengeResponse,
  type Evidence,
  encodeChallenge,
  encodePayload,
  type Payload,
} from '../evidence/messages.ts';
import { tpmsAttest } from '../tpm/structures/attest.ts';
import { decode, encode } from '../tpm/structures/codec.ts';
import { TPM_ALG, TPM_RH } from '../tpm/structures/constants.ts';
import { handleName, qualifiedName } from '../tpm/structures/name.ts';
import { pcrSelection, type TpmlPcrSelection, tpmlPcrSelection } from '../tpm/structures/pcr.ts';
import { judgeAttestationKey } from './attestation-key.ts';
import { judgeEndorsement } from './endorsement.ts';
import { type Judgement, quoteJudgement } from './judgement.ts';
import type { Policy } from './policy.ts';
import { verifyQuote } from './quote.ts';
import { Findings } from './verdict.ts';

/** @param nonce the qualifying data of the quote; without it, freshness is not judged */
export function judgeEvidence(
  evidence: Evidence & { readonly payload: Payload; readonly response: ChallengeResponse },
  policy: Policy,
  nonce: Uint8Array | undefined,
  now: Date,
): Judgement {
  const { payload, challenge, response } = evidence;
  const findings = new Findings();
  const notes: string[] = ['scope "quote": nothing proves that the signing key and the endorsement key are in one TPM'];
  const ek = judgeEndorsement(payload, policy, now, findings);
  const ak = judgeAttestationKey(payload.akPublic, findings, policy.steps);
  notes.push(...(ek?.notes ?? []));

  const answered =
    challenge === undefined
      ? undefined
      : commitment(policy.trustDomain, encodePayload(payload), encodeChallenge(challenge));
  // The node wrote the challenge in the file: it binds the quote to the payload, but proves nothing about its age.
  const extraData = nonce ?? answered;
  if (nonce === undefined) notes.push('without --nonce the quote may be of any age');
  const quote =
    ak === undefined
      ? undefined
      : verifyQuote(
          ak,
          response,
          {
            extraData,
            pcrSelection: expectedSelection(policy, response.quoted),
            qualifiedSigner: qualifiedName(handleName(TPM_RH.ENDORSEMENT), ak.name),
          },
          findings,
        );
  return quoteJudgement(quote, nonce !== undefined, findings.list, ['ek', 'ak', 'quote'], notes);
}

/** The policy's selection that was quoted. If none was, the first one, which the finding then names. */
function expectedSelection({ pcrs, allowSha1Bank }: Policy, quoted: Uint8Array): TpmlPcrSelection {
  const allowed = pcrs.filter(({ hash }) => allowSha1Bank || hash !== TPM_ALG.SHA1);
  const selections = allowed.map(({ hash, indices }) => [pcrSelection(hash, indices)]);
  const actual = quotedSelection(quoted);
  const same = (selection: TpmlPcrSelection): boolean =>
    actual !== undefined && equalBytes(encode(tpmlPcrSelection, selection), encode(tpmlPcrSelection, actual));
  return selections.find(same) ?? selections[0] ?? [];
}

/** Undefined if the bytes are not a quote; `verifyQuote` adds the finding for that. */
export function quotedSelection(quoted: Uint8Array): TpmlPcrSelection | undefined {
  try {
    const attest = decode(tpmsAttest, quoted);
    return attest.type === 'quote' ? attest.attested.pcrSelect : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
