/** The policy in force: read anew when its files change, as a whole or not at all, and who is denied by itself. */

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

/** How long a change may go unseen. */
const LOOK_EVERY_MS = 5000;
/** Where there are so many files that looking at them takes long. */
const LOOK_AT_LEAST_EVERY_MS = 15_000;
/** And a change of the deny list, which is one file. */
const DENY_LIST_EVERY_MS = 2000;
/** How long a look may take before that is told. */
const SLOW_LOOK_MS = 30_000;
/** How often files are read again at once that changed while they were read. */
const MOST_ROUNDS = 3;

/** A policy, and those who proved themselves under it: a changed file makes both anew. */
export interface PolicyInForce {
  readonly policy: Policy;
  readonly known: KnownMachines;
}

/** What became of changed files; one sentence each. */
export interface ReloadReport extends DenyReport {
  readonly reloaded: (policy: Policy, warnings: readonly string[]) => void;
  /** What was in force before stays so. */
  readonly failed: (problems: readonly string[]) => void;
  /** The file system has not answered for so long, and what was read before stays in force. */
  readonly unanswered: (what: string, ms: number) => void;
  /** Whatever is wrong is none of the files. */
  readonly fault: (error: unknown) => void;
}

export class LivePolicy {
  readonly settings: ServerSettings;
  /** Of the settings, and of the files as they were first read. */
  readonly warnings: readonly string[];
  readonly #report: ReloadReport;
  readonly #denyList: LiveDenyList | undefined;
  readonly #files: LoadedFiles;
  readonly #ending = new AbortController();
  #trust: TrustInForce;
  #inForce: PolicyInForce;
  /** Of the files in force. */
  #state: StockState;
  #failure: { readonly message: string; readonly state: StockState | undefined } | undefined;
  /** That of the deny list first. Neither waits for the other. */
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
   * Reads the files for the first time, and holds up nobody meanwhile.
   *
   * @throws InvalidConfig listing all that cannot be used
   */
  static async open(settings: ServerSettings, report: ReloadReport): Promise<LivePolicy> {
    const files = new LoadedFiles();
    // The deny list first: it is short, and what is wrong with it is told beside the rest.
    const denyList = await outcomeOf(LiveDenyList.open(settings, report));
    const steps = await outcomeOf(stepsOf(settings));
    const loaded = await outcomeOf(inSlices(firstLoad(settings, files, steps.value), new AbortController().signal));
    const problems = [...loaded.problems, ...denyList.problems, ...steps.problems];
    if (problems.length > 0 || loaded.value === undefined) throw new InvalidConfig(problems);
    return new LivePolicy(settings, report, { ...loaded.value, files, denyList: denyList.value });
  }

  /** What to judge the next machine by. An attestation keeps what it began with, but for `lists`. */
  current(): PolicyInForce {
    return this.#inForce;
  }

  /** In force now. */
  get lists(): OperatorLists {
    return this.#inForce.policy;
  }

  /** Looks at the files from now on, until `end`. */
  watch(): void {
    // tooth reload [this.#watches -> this.#watches.slice(-1)]: nobody looks at the deny list between attestations
    for (const watch of this.#watches) watch.start();
  }

  /** Looks at all files now; at the deny list last, as it is the one that must be up to date afterwards. */
  async look(): Promise<void> {
    for (const watch of this.#watches) await watch.look();
  }

  /** Ends a look under way as well. What was in force stays so. */
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
        // Put back as it was: what is wrong the next time is news.
        this.#failure = undefined;
        return;
      }
      if (this.#failure?.state !== undefined && isStill(this.#failure.state, stock)) return;
      const outcome = yield* this.#load(stock);
      // Some of it would be from before a change and some from after, or half a file.
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
    // Files that were touched and say the same.
    if (isSame(trust.contents, this.#trust.contents)) return;
    this.#trust = trust;
    this.#inForce = this.#inForceOf(trust);
    this.#report.reloaded(this.#inForce.policy, trust.warnings);
  }

  /** @param state in which the files need not be read again */
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

/** What changes meanwhile is seen at the next look. There is nothing to keep to until then. */
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
