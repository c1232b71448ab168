/** From a proved EK to the SPIFFE ID and selectors of the agent. Pure. */
import { hex } from '../bytes/bytes.ts';
import { vendorLetters } from '../x509/ek/vendors.ts';
import type { CertifiedEk } from './ek-certificate.ts';
import type { TrustedEk } from './endorsement.ts';

/**
 * The ID comes from the EK alone, in full: no part of it is chosen by the node, so no node can take another's.
 * The same TPM has the same ID under spire-tpm-plugin.
 */
export function agentId(trustDomain: string, pluginName: string, ek: TrustedEk): string {
  return `spiffe://${trustDomain}/spire/agent/${pluginName}/${ek.pubHash}`;
}

/**
 * Selector values; SPIRE puts the plugin name in front. Digests, configured values and facts that a trusted CA signed,
 * these in a few characters that nothing can be hidden in; never text from the evidence.
 *
 * @param proof what there was less than the whole proof, where there was less
 */
export function selectors(ek: TrustedEk, proof?: 'credential-only'): readonly string[] {
  return [
    `pub_hash:${ek.pubHash}`,
    ...(ek.certified === undefined ? [] : certifiedSelectors(ek.certified)),
    // tooth enforcement [[]]: a machine that was admitted without enforcement looks like any other
    ...(ek.admittedBy === 'unenforced' ? ['enforced:false'] : []),
    ...(proof === undefined ? [] : [`proof:${proof}`]),
  ];
}

function certifiedSelectors({ bundle, facts, issuerKeyHash }: CertifiedEk): readonly string[] {
  const { manufacturer, model, version } = facts;
  return [
    `ca:${bundle}`,
    `manufacturer:${vendorLetters(manufacturer.id) ?? manufacturer.id.toLowerCase()}`,
    ...(model === undefined ? [] : modelSelectors(model)),
    ...(version === undefined ? [] : [`tpm_firmware:${version.toLowerCase()}`]),
    `ek_issuer:${issuerKeyHash}`,
  ];
}

/** Longest model given as text; those in the field have up to 24 characters. */
const MAX_MODEL_CHARS = 64;
/** And as bytes: SPIRE's datastore has room for 255 characters of a selector in some databases, and takes all or none. */
const MAX_MODEL_BYTES = 120;

/**
 * `model:SLB_9670_TPM2.0`: letters, digits, point and hyphen, with `_` for a blank. Any other text, one that has a `_` of
 * its own included, is given as its bytes: no two models have the same selector, and one longer than any has none.
 */
function modelSelectors(model: string): readonly string[] {
  // tooth A72 [true]: a model is given as it is
  // tooth A72 [/^[A-Za-z0-9.-]+( [A-Za-z0-9.-]+)*$/ -> /^[A-Za-z0-9._-]+( [A-Za-z0-9._-]+)*$/]: a blank and a low line
  //   are the same
  // tooth A72 [model.length <= MAX_MODEL_CHARS -> true]: a model is as long as it likes
  const isPlain = model.length <= MAX_MODEL_CHARS && /^[A-Za-z0-9.-]+( [A-Za-z0-9.-]+)*$/.test(model);
  if (isPlain) return [`model:${model.replaceAll(' ', '_')}`];
  const bytes = new TextEncoder().encode(model);
  return bytes.length > MAX_MODEL_BYTES ? [] : [`model_hex:${hex(bytes)}`];
}
