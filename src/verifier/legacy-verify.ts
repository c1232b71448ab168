/**
 * Judges agents that use the wire of spire-tpm-plugin. It has the same functions as verify.ts, and is as strict about
 * both keys. That wire has no quote: nothing proves what the machine booted, and nothing binds the secret to this
 * server or its trust domain. Pure.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { finished, type Pausable } from '../bytes/pausable.ts';
import { decodeEkPem, type EkPem } from '../evidence/ek-pem.ts';
import {
  decodePluginPayload,
  decodePluginResponse,
  encodePluginChallenge,
  type PluginPayload,
} from '../evidence/legacy-messages.ts';
import { NONCE_BYTES } from '../evidence/messages.ts';
import { LEGACY_EK_TEMPLATE } from '../evidence/wires.ts';
import { type Entropy, makeCredential } from '../tpm/make-credential.ts';
import { publicAreaOf } from '../tpm/public-key.ts';
import { encode } from '../tpm/structures/codec.ts';
import { tpmtPublic } from '../tpm/structures/public.ts';
import { ekTemplateNamed } from '../tpm/templates.ts';
import { judgeAttestationKey } from './attestation-key.ts';
import { judgeCreation } from './creation.ts';
import { decodedOr, EVIDENCE_MALFORMED, RESPONSE_MALFORMED } from './decoding.ts';
import { admittedEndorsement, type ClaimedEk, claimedEndorsement, type TrustedEk } from './endorsement.ts';
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
import { judgeLinks, type LinkedKeys } from './linked-keys.ts';
import { admitAgain, type OperatorLists } from './operator-lists.ts';
import { type Policy, stepsOf } from './policy.ts';
import { Findings, type ProvedKeys, type Trusted, type Untrusted } from './verdict.ts';

const NOTE =
  'wire: the agent uses the wire of spire-tpm-plugin, which has no quote: nothing proves what this machine booted';

type Proxmox = PluginPayload['PVE'];

/** @see begin of verify.ts */
export function begin(...question: Parameters<typeof beginInSteps>): BegunExchange<PendingCredential> {
  return finished(beginInSteps(...question));
}

/**
 * @see beginInSteps of verify.ts. It remembers nothing: agents of this wire make a new AK each time, which links
 * nothing.
 */
export function* beginInSteps(
  payload: Uint8Array,
  policy: Policy,
  entropy: Entropy,
  now: Date,
  linked?: LinkedKeys,
): Pausable<BegunExchange<PendingCredential>> {
  requireMoment(now);
  const findings = new Findings();
  if (policy.wire !== 'spire-tpm-plugin') {
    findings.add('evidence.wire', 'the agent speaks the wire of spire-tpm-plugin, which this server does not accept');
    return rejected(findings);
  }
  const evidence = decodedOr(findings, () => readPayload(payload), EVIDENCE_MALFORMED);
  if (evidence === undefined) return rejected(findings);

  const claimed = claimedEk(evidence.ek, policy, findings);
  const { Public, CreateData, CreateAttestation, CreateSignature } = evidence.ak;
  const ak = judgeAttestationKey(Public, findings, stepsOf(policy));
  const creation = { creationData: CreateData, certifyInfo: CreateAttestation, signature: CreateSignature };
  if (ak !== undefined) judgeCreation(ak, creation, findings);
  // tooth one-identity: a denied machine comes back by another of its keys on the legacy wire
  if (claimed !== undefined && ak !== undefined) judgeLinks({ ek: claimed, ak }, policy, linked, findings);
  // A chain costs more than all other checks, so it is not judged for a payload that is refused anyway.
  if (!findings.none || claimed === undefined || ak === undefined) return rejected(findings);
  const { certificate } = evidence.ek;
  const ek = yield* admittedEndorsement(claimed, certificate === undefined ? [] : [certificate], policy, now, findings);
  if (ek === undefined) return rejected(findings);

  const random = exactly(entropy);
  const secret = random(NONCE_BYTES);
  const credential = makeCredential(ek.publicArea, ak.name, secret, random, ek.key, stepsOf(policy));
  const challenge = encodePluginChallenge(credential);
  return {
    outcome: 'challenged',
    challenge,
    pending: { policy, secret, ek: withNotes(ek, notesOf(evidence.pve)), ak, issuedAt: now, linked },
  };
}

/** @see finish of verify.ts */
export function finish(
  pending: PendingCredential,
  response: Uint8Array,
  now: Date,
  lists: OperatorLists = pending.policy,
): Trusted<ProvedKeys> | Untrusted {
  requireMoment(now);
  const findings = new Findings();
  findings.pubHash = pending.ek.pubHash;
  const answer = decodedOr(findings, () => decodePluginResponse(response), RESPONSE_MALFORMED);
  if (answer === undefined) return untrusted(findings);
  judgeTime(pending, now, findings);
  const ek = admitAgain(pending.ek, pending.policy, lists, findings);
  // tooth one-identity: a denied machine comes back by another of its keys on the legacy wire
  // tooth one-identity: a denial does not reach the linked keys of a challenged machine on the legacy wire
  judgeLinks(pending, lists, pending.linked, findings);
  // tooth enforcement [pending.policy.enforce && !isSecret(pending, answer.Secret)]: without enforcement a machine need
  //   not hold its key
  if (!isSecret(pending, answer.Secret)) addUnopened(findings);
  if (!findings.none || ek === undefined) return untrusted(findings);
  const device = provedKeys(pending, ek, selectors(ek, 'credential-only'));
  const { notes, overlooked } = ek;
  return { verdict: 'trusted', device, notes: [...notes, NOTE], overlooked };
}

/** @throws MalformedError */
function readPayload(payload: Uint8Array): {
  readonly ek: EkPem;
  readonly ak: PluginPayload['AK'];
  readonly pve: Proxmox;
} {
  const { EK, AK, PVE } = decodePluginPayload(payload);
  return { ek: decodeEkPem(EK), ak: AK, pve: PVE };
}

function withNotes(ek: TrustedEk, notes: readonly string[]): TrustedEk {
  return { ...ek, notes: [...ek.notes, ...notes] };
}

/**
 * Logs the VM that the agent claims to be. The server of that plugin asks the hypervisor; here the claim has no effect.
 */
function notesOf(pve: Proxmox): readonly string[] {
  if (pve === null || pve === undefined) return [];
  const { cuid, uuid, vmid } = pve;
  return [`wire: the agent calls itself VM ${vmid} (${uuid}) of Proxmox cluster ${cuid}: nothing proves that`];
}

/** The EK's public area: the template with this key. A TPM whose EK differs cannot open the credential. */
function claimedEk({ publicKey }: EkPem, policy: Policy, findings: Findings): ClaimedEk | undefined {
  const key = readKey(publicKey);
  const publicArea = key === undefined ? undefined : publicAreaOf(key, ekTemplateNamed(LEGACY_EK_TEMPLATE).publicArea);
  if (publicArea === undefined) {
    findings.add(
      'ek.template',
      `the endorsement key is not of template ${LEGACY_EK_TEMPLATE}, the only one on this wire`,
    );
    return undefined;
  }
  return claimedEndorsement(encode(tpmtPublic, publicArea), policy, findings);
}

function readKey(spki: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'rsa' ? key : undefined;
  } catch {
    // OpenSSL's reason has no stable form.
    return undefined;
  }
}
