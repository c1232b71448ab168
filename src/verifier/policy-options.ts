/** Makes a policy from a few required values. All others have the defaults of the server plugin. Pure. */
import type { EkTemplate, EkTemplateName } from '../tpm/templates.ts';
import type { AnchorSet } from '../x509/file/trust-store.ts';
import { PathCache } from '../x509/path/path-cache.ts';
import { crlSetOf } from '../x509/path/revocation.ts';
import { type Bundle, type Mode, type Policy, parsePcrList, STRICT_RULES } from './policy.ts';

/** The values used if neither the server's options nor a caller of the library gives others. */
export interface PolicyDefaults {
  readonly pluginName: string;
  /** In the form of the option `pcrs`. */
  readonly pcrs: string;
  readonly ekTemplates: readonly EkTemplateName[];
  readonly challengeTimeoutMs: number;
}

/** For each kind of key, the template for which nearly every TPM has a certificate. */
export const EK_TEMPLATE_OF_KIND: Readonly<Record<EkTemplate['algorithm'], EkTemplateName>> = {
  rsa: 'L-1',
  ecc: 'L-2',
};

/** The defaults of the library and of the server plugin. */
export const POLICY_DEFAULTS: PolicyDefaults = {
  pluginName: 'tpm',
  pcrs: 'sha256:0-7',
  // Every TPM has an RSA-2048 EK.
  ekTemplates: [EK_TEMPLATE_OF_KIND.rsa],
  challengeTimeoutMs: 60_000,
};

/** The trust domain, what admits a machine, and values that differ from the defaults. */
export interface PolicyOptions extends Partial<Omit<Policy, 'pcrs' | 'trustDomain'>> {
  readonly trustDomain: string;
  /** CAs of TPM manufacturers. They are a bundle named `ca_path` with strict rules, and come before `bundles`. */
  readonly anchors?: AnchorSet;
  /** The banks and PCRs that a quote must cover, in order of preference: `sha384:0-7 sha256:0-7`. */
  readonly pcrs?: string;
}

/** The name of the bundle of CAs that have no named bundle. */
export const CA_PATH_BUNDLE = 'ca_path';

/**
 * @throws RangeError if there are neither CAs nor a list to tell one TPM from another, and for invalid PCRs
 */
export function policyOf({ trustDomain, anchors, pcrs, ...others }: PolicyOptions): Policy {
  const named: readonly Bundle[] = others.bundles ?? [];
  const bundles = anchors === undefined ? named : [{ name: CA_PATH_BUNDLE, anchors, rules: STRICT_RULES }, ...named];
  if (bundles.length === 0 && others.isListed === undefined)
    throw new RangeError('a policy needs anchors, bundles or isListed: nothing else tells one TPM from another');
  const requirements = parsePcrList(pcrs ?? POLICY_DEFAULTS.pcrs);
  if (typeof requirements === 'string') throw new RangeError(requirements);
  return {
    mode: modeOf(bundles.length > 0, others.isListed !== undefined),
    crls: crlSetOf([]),
    cache: new PathCache(),
    isListed: undefined,
    isDenied: undefined,
    enforce: true,
    allowSha1Bank: false,
    logs: [],
    wire: 'tpm-attestor',
    ...POLICY_DEFAULTS,
    ...others,
    trustDomain,
    bundles,
    pcrs: requirements,
  };
}

/** The default mode. */
export function modeOf(hasAuthorities: boolean, hasList: boolean): Mode {
  if (!hasAuthorities) return 'hash';
  return hasList ? 'either' : 'certificate';
}
