/** The policy in force. It is reloaded when its files change, as a whole or not at all; the deny list is separate. */

import { AddonFileError } from '../files/addon-file.ts';
import { isStill } from '../files/file-state.ts';
import { inSlices, type Steps } from '../files/steps.ts';
import { InvalidConfig } from '../spire/config/invalid-config.ts';
import type { PublicKeySteps } from '../tpm/public-key-steps.ts';
import { KnownMachines } from '../verifier/known-machines.ts';
import type { OperatorLists } from '../verifier/operator-lists.ts';
import type { Policy } from '../verifier/policy.ts';
import { type DenyReport, LiveDenyList } from './live-deny-list.ts';
import { LoadedFiles } from './loaded-files.ts';
import { nativeSteps } from './native-steps.ts';
import { loadTrust, type TrustInForce } from './policy-files.ts';
import { type PolicyStock, takeStock } from './policy-stock.ts';
import { readServerSettings, type ServerSettings } from './server-settings.ts';
import { Watch } from './watch.ts';

/** The interval at which files are checked for changes. */
const LOOK_EVERY_MS = 5000;
/** The longest interval, if there are so many files that a check takes long. */
const LOOK_AT_LEAST_EVERY_MS = 15_000;
/** The interval for the deny list, which is one file. */
const DENY_LIST_EVERY_MS = 2000;
/** A check that takes longer is reported. */
const SLOW_LOOK_MS = 30_000;
/** How often files that change while they are read are read again at once. */
const MOST_ROUNDS = 3;

/** A policy, and the machines that attested under it. A changed file replaces both. */
export interface PolicyInForce {
  readonly policy: Policy;
  readonly known: KnownMachines;
}

/** Events of changed files. Problems and warnings are one sentence each. */
export interface ReloadReport extends DenyReport {
  readonly reloaded: (policy: Policy, warnings: readonly string[]) => void;
  /** The files cannot be used. The earlier policy stays in force. */
  readonly failed: (problems: readonly string[]) => void;
  /** The file system has not answered for this long. The earlier policy stays in force. */
  readonly unanswered: (what: string, ms: number) => void;
  /** An error that is not about the files. */
  readonly fault: (error: unknown) => void;
}

export class LivePolicy {
  readonly settings: ServerSettings;
  /** The warnings about the settings and about the files at the first reading. */
  readonly warnings: readonly string[];
  readonly #report: ReloadReport;
  readonly #denyList: LiveDenyList | undefined;
  readonly #files: LoadedFiles;
  readonly #ending = new AbortController();
  #trust: TrustInForce;
  #inForce: PolicyInForce;
  /** The state of the files in force. */
  #state: StockState;
  #failure: { readonly message: string; readonly state: StockState | undefined } | undefined;
  /** The watch of the other files, then the watch of the deny list. Neither waits for the other. */
  readonly #watches: readonly Watch[];

  private constructor(settings: ServerSettings, report: ReloadReport, first: FirstLoad) {
    this.settings = settings;
    this.#report = report;
    this.#denyList = first.denyList;
    this.#files = first.files;
    this.#trust = first.trust;
    this.#state = first.state;
    this.#inForce = this.#inForceOf(first.trust);
    const { denyList } = first;
    const ofDenyList =
      denyList === undefined
        ? []
        : [this.#watchOf('deny_path', DENY_LIST_EVERY_MS, DENY_LIST_EVERY_MS, () => denyList.look())];
    const ofOthers = this.#watchOf(
      'a file of CAs, revocation lists or hashes',
      LOOK_EVERY_MS,
      LOOK_AT_LEAST_EVERY_MS,
      () => this.#lookAtTrust(),
    );
    this.#watches = [ofOthers, ...ofDenyList];
    this.warnings = [...settings.warnings, ...first.trust.warnings, ...(first.denyList?.warnings ?? [])];
  }

  /**
   * Reads the files for the first time, in slices, without blocking the event loop.
   *
   * @throws InvalidConfig listing all problems
   */
  static async open(settings: ServerSettings, report: ReloadReport): Promise<LivePolicy> {
    const files = new LoadedFiles();
    // The deny list first: it is short. Its problems are reported together with those of the other files.
    const denyList = await outcomeOf(LiveDenyList.open(settings, report));
    const steps = await outcomeOf(stepsOf(settings));
    const loaded = await outcomeOf(inSlices(firstLoad(settings, files, steps.value), new AbortController().signal));
    const problems = [...loaded.problems, ...denyList.problems, ...steps.problems];
    if (problems.length > 0 || loaded.value === undefined) throw new InvalidConfig(problems);
    return new LivePolicy(settings, report, { ...loaded.value, files, denyList: denyList.value });
  }

  /** The policy for the next machine. An attestation keeps the policy it began with, except for `lists`. */
  current(): PolicyInForce {
    return this.#inForce;
  }

  /** The operator's lists in force now. */
  get lists(): OperatorLists {
    return this.#inForce.policy;
  }

  /** Checks the files for changes from now on, until `end`. */
  watch(): void {
    // tooth reload [this.#watches -> this.#watches.slice(0, 1)]: nobody looks at the deny list between attestations
    for (const watch of this.#watches) watch.start();
  }

  /** Checks all files now. The deny list comes last, because it must be up to date afterwards. */
  async look(): Promise<void> {
    for (const watch of this.#watches) await watch.look();
  }

  /** Ends all checks, including one under way. The policy in force stays. */
  end(): void {
    for (const watch of this.#watches) watch.end();
    this.#denyList?.end();
    this.#ending.abort();
  }

  #watchOf(what: string, everyMs: number, mostMs: number, look: () => Promise<void>): Watch {
    const { fault, unanswered } = this.#report;
    const events = { look, onFault: fault, onSlow: () => unanswered(what, SLOW_LOOK_MS) };
    return new Watch(events, { everyMs, mostMs, slowMs: SLOW_LOOK_MS });
  }

  async #lookAtTrust(): Promise<void> {
    const { signal } = this.#ending;
    try {
      await inSlices(this.#look(), signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
  }

  *#look(): Steps<void> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const stock = yield* takeStock(this.settings);
      // tooth reload [true]: changed files count from the next start on
      if (isStill(this.#state, stock)) {
        // The operator has restored the files, so the next failure is news.
        this.#failure = undefined;
        return;
      }
      if (this.#failure?.state !== undefined && isStill(this.#failure.state, stock)) return;
      const outcome = yield* this.#load(stock);
      // The files changed meanwhile: the result could mix old and new files, or have half a file.
      if ((yield* takeStock(this.settings)).stamp !== stock.stamp) continue;
      if (outcome instanceof InvalidConfig) this.#fail(outcome, this.#files.isToBeTriedAgain() ? undefined : stock);
      else this.#take(outcome, stock);
      return;
    }
    this.#fail(new InvalidConfig(['they changed again while they were read']), undefined);
  }

  *#load(stock: PolicyStock): Steps<TrustInForce | InvalidConfig> {
    try {
      const { whole, policy } = this.#trust;
      return yield* loadTrust(this.settings, stock, this.#files, whole, policy.steps);
    } catch (error) {
      if (error instanceof InvalidConfig) return error;
      throw error;
    }
  }

  #take(trust: TrustInForce, state: StockState): void {
    this.#files.forgetUnused();
    this.#failure = undefined;
    this.#state = state;
    // The files have new times, but the same contents.
    if (isSame(trust.contents, this.#trust.contents)) return;
    this.#trust = trust;
    this.#inForce = this.#inForceOf(trust);
    this.#report.reloaded(this.#inForce.policy, trust.warnings);
  }

  /** @param state the files are not read again in this state */
  #fail({ message, problems }: InvalidConfig, state: StockState | undefined): void {
    if (message !== this.#failure?.message) this.#report.failed(problems);
    this.#failure = { message, state };
  }

  #inForceOf({ policy: trusted }: TrustInForce): PolicyInForce {
    const list = this.#denyList;
    // tooth A55 [trusted]: nobody is denied
    // tooth lists [list.isDenied(subject) -> list.isDenied(subject) && trusted.isListed?.(subject.pubHash) !== true]: a
    //   listed machine cannot be denied
    // tooth enforcement [list.isDenied(subject) -> trusted.enforce && list.isDenied(subject)]: without enforcement
    //   nobody is denied
    // tooth lists [list.isDenied(subject) -> list.isDenied({ ...subject, serial: undefined })]: serial numbers deny
    //   nobody
    const policy: Policy = list === undefined ? trusted : { ...trusted, isDenied: (subject) => list.isDenied(subject) };
    // tooth reload [new KnownMachines(policy) ->
    //   this.#inForce?.known ?? new KnownMachines(policy)]: a known machine stays known under another configuration
    return { policy, known: new KnownMachines(policy) };
  }
}

type StockState = Pick<PolicyStock, 'stamp' | 'isYoung'>;

interface FirstLoad {
  readonly denyList: LiveDenyList | undefined;
  readonly files: LoadedFiles;
  readonly trust: TrustInForce;
  readonly state: StockState;
}

/** Loads the files once. The next check sees changes made meanwhile; there is no earlier policy to keep until then. */
function* firstLoad(
  settings: ServerSettings,
  files: LoadedFiles,
  steps: PublicKeySteps | undefined,
): Steps<Pick<FirstLoad, 'trust' | 'state'>> {
  const state = yield* takeStock(settings);
  return { trust: yield* loadTrust(settings, state, files, undefined, steps), state };
}

/** Undefined for those of node:crypto. Native ones are asked for and not preferred, so their absence is a mistake. */
async function stepsOf({ stepsAddon }: ServerSettings): Promise<PublicKeySteps | undefined> {
  if (stepsAddon === undefined) return undefined;
  try {
    return nativeSteps(stepsAddon);
  } catch (error) {
    if (!(error instanceof AddonFileError)) throw error;
    throw new InvalidConfig([`"public_key_steps" is "native", and ${error.message}`]);
  }
}

async function outcomeOf<T>(load: Promise<T>): Promise<{ readonly value?: T; readonly problems: readonly string[] }> {
  try {
    return { value: await load, problems: [] };
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error;
    return { problems: error.problems };
  }
}

function isSame(contents: readonly unknown[], others: readonly unknown[]): boolean {
  return contents.length === others.length && contents.every((content, i) => content === others[i]);
}

/** @throws HclError, InvalidConfig */
export async function openLivePolicy(trustDomain: string, hcl: string, report: ReloadReport): Promise<LivePolicy> {
  return LivePolicy.open(readServerSettings(trustDomain, hcl), report);
}
