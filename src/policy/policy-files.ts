/** From settings and the files they name to the policy that a verdict depends on. */

import { fileFailure } from '../files/file-failure.ts';
import { atOnce, type Steps } from '../files/steps.ts';
import { InvalidConfig } from '../spire/config/invalid-config.ts';
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
  /** What of the files is left out, and why; one sentence each. */
  readonly warnings: readonly string[];
}

/** All that a policy takes from files that are read as a whole or not at all. */
export interface TrustInForce extends LoadedPolicy {
  /** Files of certificates and revocation lists of which nothing is left out. */
  readonly whole: ReadonlySet<string>;
  /** What was made of each file: the same objects where the files are the same. */
  readonly contents: readonly unknown[];
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Reads the files, at once. Writes and locks nothing.
 *
 * @throws InvalidConfig listing all that cannot be used
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

/** What an operator should hear of a deny list that can be used. */
export function denyWarnings(settings: ServerSettings, { namesSerials }: DenyList): readonly string[] {
  return namesSerials && admitsWithoutCertificate(settings) ? [`deny_path: ${SERIALS_EVADED}`] : [];
}

/**
 * Makes a policy of files as they are in stock. Nobody is denied in it.
 *
 * @param files what was made of them before
 * @param sound files of which nothing may be left out: they could be read before, and may be half written now
 * @throws InvalidConfig listing all that cannot be used
 */
export function* loadTrust(
  settings: ServerSettings,
  stock: PolicyStock,
  files: LoadedFiles,
  sound: ReadonlySet<string> = NONE,
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
      else if (sound.has(name)) throw new Error(`${first.name} could be read in whole before; now ${first.message}`);
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
    warnings.push(...(yield* strangers(bundle, anchors)).map((text) => `${option}: ${text}`));
    bundles.push({ ...named(bundle), anchors });
  }
  // A folder without lists is one that nobody has filled yet; whether that will do is the policy's to say.
  const crls =
    settings.crlPath === undefined
      ? crlsIn([])
      : yield* attempt(settings.crlPath, 'crl_path', function* lists() {
          const contents = yield* load('lists', stock.crls);
          leaveOut('crl_path', stock.crls, contents);
          const set = crlsIn(contents);
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
  };
  return { policy, warnings, whole, contents: used };
}

const NO_LISTS =
  'holds no revocation list: crl_policy = "fail-closed" then refuses every certificate, and "warn" treats none as revoked';
const SERIALS_EVADED =
  'a machine that is denied by the serial number of its certificate can leave that certificate out and be admitted; deny its hash';

/** An empty folder, or one file of another kind, says better than its size what is to be done. */
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

const VOUCHED: Readonly<Record<TpmKind, string>> = {
  hardware: 'TPMs in hardware',
  cloud: 'vTPMs of a cloud, which anybody who rents a machine there has',
  software: 'software TPMs, which anybody can copy',
};

const MEANT =
  'CAs of the web certify whoever pays. Remove the CAs that you do not mean; "tpm-attestor ca inspect" lists them';

/** CAs that somebody may not have meant, by what they call themselves: the first of each kind is named. */
function* strangers({ name, rules }: BundleSettings, { certificates }: AnchorSet): Steps<readonly string[]> {
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
    const whose = `${describe(example)} certifies ${VOUCHED[kind]}`;
    if (!rules.kinds.includes(kind)) return [`${whose}${refusal}`];
    if (kind !== 'cloud' || !isMixed) return [];
    return [`${whose}, and others certify hardware; put it into a bundle with kind = "cloud"`];
  });
  const [first] = silent;
  if (first === undefined) return ofKinds;
  const others = silent.length > 1 ? `, and ${silent.length - 1} more` : '';
  return [...ofKinds, `nothing in ${describe(first)} says that it certifies TPMs${others}. ${MEANT}`];
}

/** As problems with files are told. */
export function unusable(option: string, path: string, error: unknown): string {
  return `${quoted(option)} cannot be used: ${path}: ${fileFailure(error)}`;
}

/** As problems with options are told: a bare option stands in quotes. */
function quoted(option: string): string {
  return option.includes(' ') ? option : `"${option}"`;
}
