/** The forms of exchange that agent and server know, told apart by the first message. Pure. */
import type { EkTemplateName } from '../tpm/templates.ts';

/** Our own, and that of spire-tpm-plugin, which has no quote. */
export type Wire = 'tpm-attestor' | 'spire-tpm-plugin';

export const WIRES: readonly Wire[] = ['tpm-attestor', 'spire-tpm-plugin'];

export function isWire(text: string): text is Wire {
  return (WIRES as readonly string[]).includes(text);
}

/** What is wrong with the name of a wire, as the end of a sentence; undefined for the name of one. */
export function wireProblem(text: string): string | undefined {
  return isWire(text) ? undefined : `must be "${WIRES.join('" or "')}", not ${JSON.stringify(text.slice(0, 64))}`;
}

/** The EK that the wire of spire-tpm-plugin can name: a public key says nothing of attributes and policy, the template the rest. */
export const LEGACY_EK_TEMPLATE: EkTemplateName = 'L-1';

const OPENING_BRACE = 0x7b;

/**
 * The wire an agent speaks, by the first byte it sends: JSON begins with a brace, which as a Protocol Buffers key would
 * be a group of field 15, and no message of ours has either.
 */
export function wireOf(payload: Uint8Array): Wire {
  return payload[0] === OPENING_BRACE ? 'spire-tpm-plugin' : 'tpm-attestor';
}
