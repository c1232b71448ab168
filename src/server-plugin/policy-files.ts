/** From settings and the files they name to the policy that a verdict depends on. */
import type { Bundle, Policy } from '../verifier/policy.ts';
import { authorityKind } from '../x509/authority-kinds.ts';
import { kindSentence } from '../x509/file-kind.ts';
import { PathCache } from '../x509/path-cache.ts';
import { describe } from '../x509/path-rules.ts';
import { crlsFrom } from '../x509/revocation.ts';
import { type AnchorSet, type TrustStoreFile, type TrustStoreProblem, trustStoreFrom } from '../x509/trust-store.ts';
import { TPM_KINDS, type TpmKind } from '../x509/vendors.ts';
import { type BundleSettings, CA_PATH_BUNDLE } from './bundle-options.ts';
import { InvalidConfig, type ServerSettings } from './config.ts';
import { readDenyList } from './deny-list.ts';
import { fileFailure } from './file-failure.ts';
import { readHashList } from './hash-list.ts';
import { readTrustFiles } from './trust-files.ts';

export interface LoadedPolicy {
  readonly policy: Policy;
  /** What of the files is left out, and why; one sentence each. */
  readonly warnings: readonly string[];
  /** Files of certificates and revocation lists of which nothing is left out. */
  readonly whole: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Reads the files. Writes and locks nothing.
 *
 * @param sound files of which nothing may be left out: they could be read before, and may be half written now
 * @throws InvalidConfig listing all that cannot be used
 */
export function loadPolicy(settings: ServerSettings, sound: ReadonlySet<string> = NONE): LoadedPolicy {
  const problems: string[] = [];
  const warnings: string[] = [];
  const whole = new Set<string>();
  const leaveOut = (option: string, files: readonly TrustStoreFile[], left: readonly TrustStoreProblem[]): void => {
    for (const { name } of files) {
      const first = left.find((problem) => problem.name === name || problem.name.startsWith(`${name}:`));
      if (first === undefined) whole.add(name);
      else if (sound.has(name)) throw new Error(`${first.name} could be read in whole before; now ${first.message}`);
    }
    warnings.push(...left.map(({ name, message }) => `${option}: ${name} is left out: ${message}`));
  };
  const attempt = <T>(path: string | undefined, option: string, read: (path: string) => T): T | undefined => {
    if (path === undefined) return undefined;
    try {
      return read(path);
    } catch (error) {
      problems.push(`${option} cannot be used: ${path}: ${fileFailure(error)}`);
      return undefined;
    }
  };
  const bundles = settings.bundles.flatMap((bundle): Bundle[] => {
    const option = bundle.name === CA_PATH_BUNDLE ? 'ca_path' : `ca_path of bundle "${bundle.name}"`;
    const anchors = attempt(bundle.caPath, quoted(option), (path) => {
      const files = readTrustFiles(path);
      const store = trustStoreFrom(files);
      if (store.anchors.certificates.length === 0) throw new Error(noAnchors(files, store.problems));
      leaveOut(option, files, store.problems);
      return store.anchors;
    });
    if (anchors === undefined) return [];
    warnings.push(...strangers(bundle, anchors).map((text) => `${option}: ${text}`));
    return [{ ...named(bundle), anchors }];
  });
  // A folder without lists is one that nobody has filled yet; whether that will do is the policy's to say.
  const crls = attempt(settings.crlPath, quoted('crl_path'), (path) => {
    const files = readTrustFiles(path);
    const lists = crlsFrom(files);
    leaveOut('crl_path', files, lists.problems);
    if (lists.crls.lists.length === 0) warnings.push(`crl_path: ${NO_LISTS}`);
    return lists.crls;
  });
  const list = attempt(settings.hashPath, quoted('hash_path'), readHashList);
  warnings.push(...(list?.warnings ?? []).map((text) => `hash_path: ${text}`));
  const denied = attempt(settings.denyPath, quoted('deny_path'), readDenyList);
  if (denied?.namesSerials === true && admitsWithoutCertificate(settings))
    warnings.push(`deny_path: ${SERIALS_EVADED}`);
  if (problems.length > 0) throw new InvalidConfig(problems);

  const { trustDomain, pluginName, mode, enforce, pcrs, ekAlgorithms, allowSha1Bank, wire } = settings;
  const policy: Policy = {
    ...{ trustDomain, pluginName, mode, enforce, pcrs, ekAlgorithms, allowSha1Bank, wire },
    bundles,
    crls: crls ?? crlsFrom([]).crls,
    cache: new PathCache(),
    isListed: list?.isListed,
    isDenied: denied?.isDenied,
    challengeTimeoutMs: settings.attestTimeoutMs,
  };
  return { policy, warnings, whole };
}

const NO_LISTS =
  'holds no revocation list: under crl_policy = "fail-closed" nobody is admitted by a certificate, under "warn" everybody as if none was revoked';
const SERIALS_EVADED =
  'a machine named by the serial number of its certificate alone can leave that certificate out and be admitted all the same; name it by its hash';

/** An empty folder, or one file of another kind, says better than its size what is to be done. */
function noAnchors({ length }: readonly TrustStoreFile[], [first]: readonly TrustStoreProblem[]): string {
  if (length === 0)
    return 'holds no file; put CA certificates there (PEM or DER), with "tpm-attestor ca import" or by hand';
  const why = first?.kind === undefined ? '' : `: ${length > 1 ? `of ${first.name}, ` : ''}${kindSentence(first.kind)}`;
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
  cloud: 'vTPMs of a cloud, which whoever rents a machine there has',
  software: 'software TPMs, which anybody can copy',
};

/** CAs that somebody may not have meant, by what they call themselves: one of each kind is named. */
function strangers({ name, rules }: BundleSettings, { certificates }: AnchorSet): readonly string[] {
  const kinds = new Map(certificates.toReversed().map((certificate) => [authorityKind(certificate), certificate]));
  const isMixed = name === CA_PATH_BUNDLE && kinds.has('cloud') && kinds.has('hardware');
  return TPM_KINDS.flatMap((kind) => {
    const example = kinds.get(kind);
    if (example === undefined) return [];
    const whose = `${describe(example)} certifies ${VOUCHED[kind]}`;
    if (!rules.kinds.includes(kind)) return [`${whose}, which this bundle does not admit`];
    if (kind !== 'cloud' || !isMixed) return [];
    return [`${whose}, and others certify hardware: a bundle with kind = "cloud" would tell the two apart`];
  });
}

/** As problems with options are told: a bare option stands in quotes. */
function quoted(option: string): string {
  return option.includes(' ') ? option : `"${option}"`;
}
