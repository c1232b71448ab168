/** Makes a policy from the settings and the files they name. */

import { fileFailure } from '../files/file-failure.ts';
import { atOnce, type Steps } from '../files/steps.ts';
import { InvalidConfig } from '../spire/config/invalid-config.ts';
import type { PublicKeySteps } from '../tpm/public-key-steps.ts';
import type { Bundle, Policy } from '../verifier/policy.ts';
import { CA_PATH_BUNDLE } from '../verifier/policy-options.ts';
import { authorityKind, tellingAuthorities } from '../x509/authority/authority-kinds.ts';
import { TPM_KINDS, type TpmKind } from '../x509/ek/vendors.ts';
import { kindSentence } from '../x509/file/file-kind.ts';
import { type AnchorSet, anchorsIn, type FileContents, type TrustStoreProblem } from '../x509/file/trust-store.ts';
import { PathCache } from '../x509/path/path-cache.ts';
import { describe } from '../x509/path/path-rules.ts';
import { crlsIn } from '../x509/path/revocation.ts';
import type { BundleSettings } from './bundle-options.ts';
import { type DenyList, denyList } from './deny-list.ts';
import { type FileKind, LoadedFiles } from './loaded-files.ts';
import { type Place, type PolicyStock, takeStock } from './policy-stock.ts';
import type { ServerSettings } from './server-settings.ts';

export interface LoadedPolicy {
  readonly policy: Policy;
  /** Warnings about the files, such as certificates that are left out. One sentence each. */
  readonly warnings: readonly string[];
}

/** A policy from all files but the deny list. These files are used as a whole or not at all. */
export interface TrustInForce extends LoadedPolicy {
  /** The files of certificates and revocation lists in which every item was readable. */
  readonly whole: ReadonlySet<string>;
  /** The parsed contents of each file. An unchanged file has the same object. */
  readonly contents: readonly unknown[];
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Reads the files synchronously. Writes and locks nothing.
 *
 * @throws InvalidConfig listing all problems
 */
export function loadPolicy(settings: ServerSettings): LoadedPolicy {
  const problems: string[] = [];
  const attempt = <T>(load: Steps<T>): T | undefined => {
    try {
      return atOnce(load);
    } catch (error) {
      if (!(error instanceof InvalidConfig)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const trusted = attempt(loadAll(settings));
  const list = attempt(loadDenyList(settings));
  if (problems.length > 0 || trusted === undefined) throw new InvalidConfig(problems);
  const { policy, warnings } = trusted;
  if (list === undefined) return { policy, warnings };
  const { isDenied } = list;
  return { policy: { ...policy, isDenied }, warnings: [...warnings, ...denyWarnings(settings, list)] };
}

function* loadAll(settings: ServerSettings): Steps<TrustInForce> {
  return yield* loadTrust(settings, yield* takeStock(settings), new LoadedFiles());
}

function* loadDenyList({ denyPath }: ServerSettings): Steps<DenyList | undefined> {
  if (denyPath === undefined) return undefined;
  try {
    return yield* denyList(denyPath);
  } catch (error) {
    throw new InvalidConfig([unusable('deny_path', denyPath, error)]);
  }
}

/** Warnings about a usable deny list. */
export function denyWarnings(settings: ServerSettings, { namesSerials }: DenyList): readonly string[] {
  return namesSerials && admitsWithoutCertificate(settings) ? [`deny_path: ${SERIALS_EVADED}`] : [];
}

/**
 * Makes a policy, without a deny list, from the files in stock.
 *
 * @param files the cache of parsed files
 * @param sound files that were readable in whole before. An unreadable item in one of them is an error: the file may be
 * half written
 * @param steps of the policy; by node:crypto by default
 * @throws InvalidConfig listing all problems
 */
export function* loadTrust(
  settings: ServerSettings,
  stock: PolicyStock,
  files: LoadedFiles,
  sound: ReadonlySet<string> = NONE,
  steps?: PublicKeySteps,
): Steps<TrustInForce> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const whole = new Set<string>();
  const used: unknown[] = [];
  const load = function* load<Kind extends FileKind>(kind: Kind, place: Place) {
    if ('failure' in place) throw place.failure;
    const contents = [];
    for (const [path, state] of place.files) contents.push(yield* files.load(kind, path, state));
    used.push(...contents);
    return contents;
  };
  const leaveOut = (option: string, place: Place, contents: readonly FileContents<unknown>[]): void => {
    const names = 'files' in place ? [...place.files.keys()] : [];
    for (const [i, name] of names.entries()) {
      const [first] = contents[i]?.problems ?? [];
      if (first === undefined) whole.add(name);
      else if (sound.has(name))
        throw new Error(`${first.name} was readable in whole before, but now: ${first.message}`);
    }
    const left: readonly TrustStoreProblem[] = contents.flatMap((one) => one.problems);
    warnings.push(...left.map(({ name, message }) => `${option}: ${name} is left out: ${message}`));
  };
  const attempt = function* attempt<T>(path: string, option: string, work: () => Steps<T>): Steps<T | undefined> {
    try {
      return yield* work();
    } catch (error) {
      problems.push(unusable(option, path, error));
      return undefined;
    }
  };

  const bundles: Bundle[] = [];
  for (const [i, bundle] of settings.bundles.entries()) {
    const option = bundle.name === CA_PATH_BUNDLE ? 'ca_path' : `ca_path of bundle "${bundle.name}"`;
    const place = stock.bundles[i];
    if (place === undefined) throw new RangeError(`${option} is not in stock`);
    const anchors = yield* attempt(bundle.caPath, option, function* anchors(): Steps<AnchorSet> {
      const contents = yield* load('certificates', place);
      const set = yield* anchorsIn(contents);
      if (set.certificates.length === 0) throw new Error(noAnchors(contents));
      leaveOut(option, place, contents);
      return set;
    });
    if (anchors === undefined) continue;
    warnings.push(...(yield* unintended(bundle, anchors)).map((text) => `${option}: ${text}`));
    bundles.push({ ...named(bundle), anchors });
  }
  // An empty folder of lists is no error: nobody may have filled it yet. The policy decides whether lists are needed.
  const crls =
    settings.crlPath === undefined
      ? crlsIn([], steps)
      : yield* attempt(settings.crlPath, 'crl_path', function* lists() {
          const contents = yield* load('lists', stock.crls);
          leaveOut('crl_path', stock.crls, contents);
          const set = crlsIn(contents, steps);
          if (set.lists.length === 0) warnings.push(`crl_path: ${NO_LISTS}`);
          return set;
        });
  const list =
    settings.hashPath === undefined
      ? undefined
      : yield* attempt(settings.hashPath, 'hash_path', function* hashes() {
          const [only] = yield* load('hashes', stock.hashes);
          return only;
        });
  warnings.push(...(list?.warnings ?? []).map((text) => `hash_path: ${text}`));
  // tooth reload: the sound part of changed files counts
  if (problems.length > 0 || crls === undefined) throw new InvalidConfig(problems);

  const { trustDomain, pluginName, mode, enforce, pcrs, ekTemplates, allowSha1Bank, logs, wire } = settings;
  const policy: Policy = {
    ...{ trustDomain, pluginName, mode, enforce, pcrs, ekTemplates, allowSha1Bank, logs, wire },
    bundles,
    crls,
    cache: new PathCache(),
    isListed: list?.isListed,
    isDenied: undefined,
    challengeTimeoutMs: settings.attestTimeoutMs,
    steps,
  };
  return { policy, warnings, whole, contents: used };
}

const NO_LISTS =
  'holds no revocation list: crl_policy = "fail-closed" then refuses every certificate, and "warn" treats none as revoked';
const SERIALS_EVADED =
  'a machine that is denied by the serial number of its certificate can be admitted if it omits that certificate; deny its hash';

/** Why there are no anchors, with the most helpful remedy. */
function noAnchors(contents: readonly FileContents<unknown>[]): string {
  if (contents.length === 0)
    return 'holds no file; put CA certificates there (PEM or DER), with "tpm-attestor ca import" or by hand';
  const first = contents.flatMap(({ problems }) => problems).at(0);
  const which = contents.length > 1 ? `of ${first?.name}, ` : '';
  const why = first?.kind === undefined ? '' : `: ${which}${kindSentence(first.kind)}`;
  return `holds no certificate that can be read${why}`;
}

function admitsWithoutCertificate({ mode, enforce }: ServerSettings): boolean {
  return mode === 'hash' || mode === 'either' || !enforce;
}

function named({ name, rules }: BundleSettings): Pick<Bundle, 'name' | 'rules'> {
  return { name, rules };
}

const CERTIFIED: Readonly<Record<TpmKind, string>> = {
  hardware: 'hardware TPMs',
  cloud: 'cloud vTPMs, which anybody who rents a machine there gets',
  software: 'software TPMs, which anybody can copy',
};

const REMOVE_UNINTENDED =
  'Web CAs certify anybody. Remove the CAs that you do not want; "tpm-attestor ca inspect" lists them';

/** Warnings about CAs that the operator may not want, judged by their names. Each names the first CA of a kind. */
function* unintended({ name, rules }: BundleSettings, { certificates }: AnchorSet): Steps<readonly string[]> {
  const kinds = new Map<TpmKind | undefined, (typeof certificates)[number]>();
  for (const certificate of certificates) {
    const kind = authorityKind(certificate);
    if (!kinds.has(kind)) kinds.set(kind, certificate);
    yield;
  }
  const telling = yield* tellingAuthorities(certificates);
  const silent = certificates.filter((certificate) => !telling.has(certificate));
  const isMixed = name === CA_PATH_BUNDLE && kinds.has('cloud') && kinds.has('hardware');
  const refusal =
    name === CA_PATH_BUNDLE
      ? ', which `ca_path` does not admit without allow_software_tpm'
      : ', which this bundle does not admit';
  const ofKinds = TPM_KINDS.flatMap((kind) => {
    const example = kinds.get(kind);
    if (example === undefined) return [];
    const whose = `${describe(example)} certifies ${CERTIFIED[kind]}`;
    if (!rules.kinds.includes(kind)) return [`${whose}${refusal}`];
    if (kind !== 'cloud' || !isMixed) return [];
    return [`${whose}, and others certify hardware; put it into a bundle with kind = "cloud"`];
  });
  const [first] = silent;
  if (first === undefined) return ofKinds;
  const others = silent.length > 1 ? `, and ${silent.length - 1} more` : '';
  return [...ofKinds, `nothing in ${describe(first)} says that it certifies TPMs${others}. ${REMOVE_UNINTENDED}`];
}

/** The problem sentence of an unusable file. */
export function unusable(option: string, path: string, error: unknown): string {
  return `${quoted(option)} cannot be used: ${path}: ${fileFailure(error)}`;
}

/** Quotes a bare option, as in problems of options. */
function quoted(option: string): string {
  return option.includes(' ') ? option : `"${option}"`;
}
