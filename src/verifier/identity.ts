/** Derives the SPIFFE ID and the selectors of an agent from its proved EK. Pure. */
import { hex } from '../bytes/bytes.ts';
import { vendorLetters } from '../x509/ek/vendors.ts';
import type { CertifiedEk } from './ek-certificate.ts';
import type { TrustedEk } from './endorsement.ts';

/**
 * The ID depends only on the EK. The node chooses no part of it, so no node can take the ID of another. With
 * spire-tpm-plugin, the same TPM has the same ID.
 */
export function agentId(trustDomain: string, pluginName: string, ek: TrustedEk): string {
  return `spiffe://${trustDomain}/spire/agent/${pluginName}/${ek.pubHash}`;
}

/**
 * The selector values, without the plugin name that SPIRE puts in front. They are digests, configured values, and facts
 * that a trusted CA signed, with few allowed characters. They never hold other text from the evidence.
 *
 * @param proof given if the exchange proved less than a full attestation does
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

/** The longest model written as text. Models in the field have up to 24 characters. */
const MAX_MODEL_CHARS = 64;
/**
 * The longest model written as hexadecimal. In some databases, SPIRE rejects all selectors if one exceeds 255
 * characters.
 */
const MAX_MODEL_BYTES = 120;

/**
 * `model:SLB_9670_TPM2.0`: letters, digits, point and hyphen, with `_` for a blank. All other text, including text with
 * a `_` of its own, becomes hexadecimal, so that no two models share a selector. An overlong model gets no selector.
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
