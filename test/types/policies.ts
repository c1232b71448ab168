/** Outsiders make policies from what the package exports, with `policyOf` and field by field. */
import {
  allowing,
  type Bundle,
  type BundleRules,
  type Policy,
  type PolicyOptions,
  policyOf,
  STRICT_RULES,
} from 'tpm-attestor/verifier';
import { type AnchorSet, type CrlSet, crlsFrom, PathCache, trustStoreFrom } from 'tpm-attestor/x509';

const { anchors }: { readonly anchors: AnchorSet } = trustStoreFrom([]);
const { crls }: { readonly crls: CrlSet } = crlsFrom([]);
const rules: BundleRules = { ...allowing(STRICT_RULES, ['expired_ek']), crlPolicy: 'warn', models: ['SLB 96*'] };
const bundle: Bundle = { name: 'lab', anchors, rules };

const options: PolicyOptions = { trustDomain: 'example.org', anchors, bundles: [bundle], pcrs: 'sha256:0-7' };
export const made: Policy = policyOf(options);
export const changed: Policy = { ...made, challengeTimeoutMs: 5_000 };

export const byHand: Policy = {
  trustDomain: 'example.org',
  pluginName: 'tpm',
  mode: 'either',
  bundles: [bundle],
  crls,
  cache: new PathCache(),
  isListed: (pubHash) => pubHash.startsWith('00'),
  isDenied: ({ serial }) => serial?.length === 0,
  enforce: true,
  pcrs: [{ hash: 0x000b, bank: 'sha256', indices: [0, 1, 2] }],
  ekTemplates: ['L-1'],
  allowSha1Bank: false,
  logs: ['firmware'],
  wire: 'tpm-attestor',
  challengeTimeoutMs: 60_000,
};

// @ts-expect-error: a policy is for a trust domain
policyOf({ anchors });
// @ts-expect-error: there is no such mode
policyOf({ trustDomain: 'example.org', anchors, mode: 'none' });
// @ts-expect-error: there is no such allowance
allowing(STRICT_RULES, ['everything']);
// @ts-expect-error: a made policy is not changed in place
made.enforce = false;
