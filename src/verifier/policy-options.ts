/** A policy of the few things that must be said of one; the rest is as a server has it by default. Pure. */
import type { EkTemplate, EkTemplateName } from '../tpm/templates.ts';
import type { AnchorSet } from '../x509/file/trust-store.ts';
import { PathCache } from '../x509/path/path-cache.ts';
import { crlSetOf } from '../x509/path/revocation.ts';
import { type Bundle, type Mode, type Policy, parsePcrList, STRICT_RULES } from './policy.ts';

/** Where neither the server's options nor a caller of the library says otherwise. */
export interface PolicyDefaults {
  readonly pluginName: string;
  /** As the option `pcrs` has it. */
  readonly pcrs: string;
  readonly ekTemplates: readonly EkTemplateName[];
  readonly challengeTimeoutMs: number;
}

/** For each kind of key the template of which nearly every TPM has its certificates. */
export const EK_TEMPLATE_OF_KIND: Readonly<Record<EkTemplate['algorithm'], EkTemplateName>> = {
  rsa: 'L-1',
  ecc: 'L-2',
};

/** The defaults of the server plugin, too. */
export const POLICY_DEFAULTS: PolicyDefaults = {
  pluginName: 'tpm',
  pcrs: 'sha256:0-7',
  // RSA 2048, which every TPM has.
  ekTemplates: [EK_TEMPLATE_OF_KIND.rsa],
  challengeTimeoutMs: 60_000,
};

/** The trust domain, what admits a machine, and what differs from the defaults. */
export interface PolicyOptions extends Partial<Omit<Policy, 'pcrs' | 'trustDomain'>> {
  readonly trustDomain: string;
  /** CAs of TPM manufacturers: one bundle, called `ca_path`, under strict rules. Beside `bundles` it is the first. */
  readonly anchors?: AnchorSet;
  /** Banks and PCRs that a quote must cover, by preference: `sha384:0-7 sha256:0-7`. */
  readonly pcrs?: string;
}

/** The bundle that CAs without a name are. */
export const CA_PATH_BUNDLE = 'ca_path';

/**
 * @throws RangeError when nothing in it could tell one TPM from another (neither CAs nor a list), and for PCRs that cannot be
 * asked for
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

/** What admits where nobody says what does. */
export function modeOf(hasAuthorities: boolean, hasList: boolean): Mode {
  if (!hasAuthorities) return 'hash';
  return hasList ? 'either' : 'certificate';
}
