/** From a proved EK to the SPIFFE ID and selectors of the agent. Pure. */
import type { TrustedEk } from './endorsement.ts';

/**
 * The ID comes from the EK alone, in full: no part of it is chosen by the node, so no node can take another's.
 * The same TPM has the same ID under spire-tpm-plugin.
 */
export function agentId(trustDomain: string, pluginName: string, ek: TrustedEk): string {
  return `spiffe://${trustDomain}/spire/agent/${pluginName}/${ek.pubHash}`;
}

/**
 * Selector values; SPIRE puts the plugin name in front. Digests and configured values only, never text from evidence.
 *
 * @param proof what there was less than the whole proof, where there was less
 */
export function selectors(ek: TrustedEk, proof?: 'credential-only'): readonly string[] {
  const values = [`pub_hash:${ek.pubHash}`];
  return proof === undefined ? values : [...values, `proof:${proof}`];
}
