/** Makes the policy of `ek doctor` from its options: CAs, the allow-list, or a policy file. */
import { statSync } from 'node:fs';
import type { EkJudge } from '../../enrolment/ek-diagnosis.ts';
import type { EnrolmentContext, HashListPlace } from '../../enrolment/enrolment-ways.ts';
import { fileFailure } from '../../files/file-failure.ts';
import { readHashList } from '../../policy/hash-list.ts';
import type { Policy } from '../../verifier/policy.ts';
import { policyOf } from '../../verifier/policy-options.ts';
import {
  intermediatesOf,
  type JudgingOptions,
  type JudgingPolicy,
  policyOfFile,
  policyOfOptions,
} from '../policy/judging-policy.ts';
import { UsageError } from '../terminal/failure.ts';
import { nameOf } from '../terminal/files.ts';
import { remark } from '../terminal/terminal.ts';

export interface EnrolmentOptions extends JudgingOptions {
  readonly hashPath?: string;
}

/** @throws UsageError */
export function enrolmentContextOf(options: EnrolmentOptions): EnrolmentContext {
  const now = options.at ?? new Date();
  const intermediates = intermediatesOf(options);
  const [blank] = policyOfOptions({}).bundles;
  if (blank === undefined) throw new RangeError('a policy of options has a bundle');
  if (options.policy !== undefined) {
    if (options.hashPath !== undefined)
      throw new UsageError('--hash-path cannot be used with --policy; set hash_path in the policy');
    const { policy, settings } = policyOfFile(options.policy, options);
    const hashList = settings.hashPath === undefined ? undefined : placeOf(settings.hashPath);
    return { judge: { policy, blank, intermediates, now, isServers: true }, hashList };
  }
  const given = options.hashPath === undefined ? undefined : hashListOf(options.hashPath);
  const policy = completed(policyOfOptions(options), options.caPath !== undefined, given?.isListed);
  const judge: EkJudge = { policy, blank, intermediates, now, isServers: false };
  return { judge, hashList: given?.place };
}

function hashListOf(path: string): { readonly place: HashListPlace; readonly isListed: (hash: string) => boolean } {
  try {
    const { isListed, warnings } = readHashList(path);
    for (const warning of warnings) remark(`--hash-path: ${warning}`);
    return { place: placeOf(path), isListed };
  } catch (cause) {
    throw new UsageError(`--hash-path: ${nameOf(path)} cannot be read: ${fileFailure(cause)}`, { cause });
  }
}

function placeOf(path: string): HashListPlace {
  return { path, kind: statSync(path).isDirectory() ? 'folder' : 'file' };
}

/** Completes a policy with the server's defaults. The values that options cannot set do not matter for an EK. */
function completed(judging: JudgingPolicy, hasAuthorities: boolean, isListed: Policy['isListed']): Policy {
  const listing = hasAuthorities ? 'either' : 'hash';
  const mode = isListed === undefined ? 'certificate' : listing;
  return policyOf({ ...judging, trustDomain: '', mode, isListed });
}
