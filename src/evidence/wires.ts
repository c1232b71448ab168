/** The wires: the message formats that an agent and the server may speak. The first message tells which. Pure. */
import type { EkTemplateName } from '../tpm/templates.ts';

/** Our own wire, and the wire of spire-tpm-plugin, which carries no quote. */
export type Wire = 'tpm-attestor' | 'spire-tpm-plugin';

export const WIRES: readonly Wire[] = ['tpm-attestor', 'spire-tpm-plugin'];

export function isWire(text: string): text is Wire {
  return (WIRES as readonly string[]).includes(text);
}

/** Why `text` names no wire, as the end of a sentence; undefined when it names one. */
export function wireProblem(text: string): string | undefined {
  return isWire(text) ? undefined : `must be "${WIRES.join('" or "')}", not ${JSON.stringify(text.slice(0, 64))}`;
}

/**
 * The EK template on the wire of spire-tpm-plugin. That wire sends only the public key; the template supplies the
 * attributes and the policy.
 */
export const LEGACY_EK_TEMPLATE: EkTemplateName = 'L-1';

const OPENING_BRACE = 0x7b;

/**
 * The wire that an agent speaks, told from the first byte of its payload. JSON begins with a brace. In Protocol Buffers
 * that byte would start a group in field 15, and our messages have neither groups nor that field.
 */
export function wireOf(payload: Uint8Array): Wire {
  return payload[0] === OPENING_BRACE ? 'spire-tpm-plugin' : 'tpm-attestor';
}
