/** Runs one attestation of the demo, and records its messages and outcome. */

import { STATUS } from '../../spire/status.ts';
import { AttestationFailed, type AttestedAgent, relayAttestation } from '../../testing/plugin-host/relay.ts';
import type { Actor } from './demo-scene.ts';
import type { RelayHooks } from './tampering.ts';

export interface Round {
  readonly ms: number;
  /** What the agent sent, before any tampering. Empty if it sent nothing. */
  readonly payload: Uint8Array;
  readonly response: Uint8Array;
  readonly outcome:
    | { readonly verdict: 'trusted'; readonly agent: AttestedAgent }
    | { readonly verdict: 'untrusted'; readonly peerMessage: string; readonly correlationId: string };
}

/** Called with each message before any tampering. */
export interface Passing {
  readonly payload?: (bytes: Uint8Array) => void;
  readonly challenge?: (bytes: Uint8Array) => void;
  readonly response?: (bytes: Uint8Array) => void;
}

const REFUSED: readonly number[] = [STATUS.PERMISSION_DENIED, STATUS.INVALID_ARGUMENT];

/** @throws AttestationFailed if it failed for another reason than a refusal by the server */
export async function attestOnce(
  agent: Actor<'agent'>,
  server: Actor<'server'>,
  hooks: RelayHooks = {},
  passing: Passing = {},
): Promise<Round> {
  const seen = { payload: new Uint8Array(), challenge: new Uint8Array(), response: new Uint8Array() };
  const observed = (name: keyof typeof seen, hook: RelayHooks['onPayload']) => (bytes: Uint8Array) => {
    seen[name] = bytes.slice();
    passing[name]?.(bytes);
    return hook === undefined ? bytes : hook(bytes);
  };
  const started = performance.now();
  const ended = (outcome: Round['outcome']): Round => ({
    ms: Math.round((performance.now() - started) * 10) / 10,
    payload: seen.payload,
    response: seen.response,
    outcome,
  });
  try {
    const attested = await relayAttestation(agent.host, server.host, {
      onPayload: observed('payload', hooks.onPayload),
      onChallenge: observed('challenge', hooks.onChallenge),
      onResponse: observed('response', hooks.onResponse),
    });
    return ended({ verdict: 'trusted', agent: attested });
  } catch (error) {
    if (!(error instanceof AttestationFailed) || error.side !== 'server' || !REFUSED.includes(error.code)) throw error;
    return ended({ verdict: 'untrusted', ...separated(error.message) });
  }
}

/** Separates the general sentence from the attestation's id. */
function separated(message: string): { readonly peerMessage: string; readonly correlationId: string } {
  const match = /^(.*) \(attestation ([0-9a-f]+)\)$/s.exec(message);
  return { peerMessage: match?.[1] ?? message, correlationId: match?.[2] ?? '' };
}
