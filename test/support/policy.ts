/** A strict policy for tests. It admits only what a test adds. */
import {
  type Bundle,
  type BundleRules,
  type PcrRequirement,
  type Policy,
  parsePcrs,
  STRICT_RULES,
} from '../../src/verifier/policy.ts';
import type { AnchorSet } from '../../src/x509/file/trust-store.ts';
import { PathCache } from '../../src/x509/path/path-cache.ts';
import { crlsFrom } from '../../src/x509/path/revocation.ts';

export const TRUST_DOMAIN = 'example.org';

export const STRICT: BundleRules = STRICT_RULES;
/** Rules that accept swtpm's certificates. */
export const SOFTWARE: Partial<BundleRules> = { kinds: ['hardware', 'cloud', 'software'] };

export function pcrs(text: string): PcrRequirement {
  const requirement = parsePcrs(text);
  if (typeof requirement === 'string') throw new RangeError(requirement);
  return requirement;
}

export function bundle(anchors: AnchorSet, rules: Partial<BundleRules> = {}, name = 'ca_path'): Bundle {
  return { name, anchors, rules: { ...STRICT, ...rules } };
}

/** The default mode depends on CAs and list, as in the configuration. */
export function testPolicy(changes: Partial<Policy> = {}): Policy {
  const { bundles = [], isListed } = changes;
  const listing = isListed === undefined ? 'certificate' : 'either';
  return {
    trustDomain: TRUST_DOMAIN,
    pluginName: 'tpm',
    mode: bundles.length === 0 ? 'hash' : listing,
    bundles,
    crls: crlsFrom([]).crls,
    cache: new PathCache(),
    isListed,
    isDenied: undefined,
    enforce: true,
    pcrs: [pcrs('sha256:0-7')],
    logs: [],
    ekTemplates: ['L-1'],
    allowSha1Bank: false,
    wire: 'tpm-attestor',
    challengeTimeoutMs: 60_000,
    ...changes,
  };
}
