/** `policy.hcl`: the options of the server plugin, and the trust domain that SPIRE tells it otherwise. */

import { serverConfigOf } from '../server-plugin/config.ts';
import { parseHcl } from '../spire/hcl.ts';
import { type HclBody, HclError } from '../spire/hcl-body.ts';
import { StatusError } from '../spire/status.ts';
import type { Policy } from '../verifier/policy.ts';
import { UsageError } from './failure.ts';
import { readText } from './files.ts';
import { remark } from './terminal.ts';

/** As SPIRE checks it (SPIFFE ID 2.1). */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;

/**
 * The policy, with its relaxations said on standard error. Its trust domain is empty when the file names none, which no
 * attestation has.
 *
 * @throws UsageError
 */
export function readPolicyFile(path: string): Policy {
  const text = readText(path);
  try {
    const { trustDomain, body } = separated(parseHcl(text), path);
    const { policy, warnings } = serverConfigOf(trustDomain, body);
    for (const warning of warnings) remark(`policy: ${warning}`);
    return policy;
  } catch (cause) {
    if (!(cause instanceof HclError || cause instanceof StatusError)) throw cause;
    throw new UsageError(`${path}: ${cause.message}`, { cause });
  }
}

function separated({ entries }: HclBody, path: string): { readonly trustDomain: string; readonly body: HclBody } {
  const entry = entries.find(({ key }) => key === 'trust_domain');
  const body = { entries: entries.filter(({ key }) => key !== 'trust_domain') };
  if (entry === undefined) return { trustDomain: '', body };
  const { value, line } = entry;
  if (value.kind !== 'string' || !isTrustDomain(value.value))
    throw new UsageError(`${path}: line ${line}: "trust_domain" must be a name such as "example.org"`);
  return { trustDomain: value.value, body };
}

export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text);
}
