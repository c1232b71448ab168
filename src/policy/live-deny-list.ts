/** The deny list in force. It is reloaded on its own, so that problems with other files cannot delay a denial. */

import { type FileState, isStill, stateOf } from '../files/file-state.ts';
import { inSlices, type Steps } from '../files/steps.ts';
import { InvalidConfig } from '../spire/config/invalid-config.ts';
import type { DenySubject } from '../verifier/policy.ts';
import { type DenyList, denyList } from './deny-list.ts';
import { isOfSystem } from './loaded-files.ts';
import { denyWarnings, unusable } from './policy-files.ts';
import type { ServerSettings } from './server-settings.ts';

/** Events of a changed deny list. */
export interface DenyReport {
  /** A list with this many entries is in force. */
  readonly denied: (entries: number, warnings: readonly string[]) => void;
  /** The list cannot be used. The earlier denials stay in force. */
  readonly failed: (problems: readonly string[]) => void;
}

/** The result of reading the file once. */
interface Reading {
  readonly list: DenyList;
  /** The state of the file before it was read. */
  readonly state: FileState | undefined;
  /** Whether the file stayed the same while it was read, and for a while before, so that nobody is writing it. */
  readonly isSettled: boolean;
}

export class LiveDenyList {
  readonly #settings: ServerSettings;
  readonly #path: string;
  readonly #report: DenyReport;
  readonly #ending = new AbortController();
  /** The last list that was read while nobody was writing it. */
  #settled: DenyList | undefined;
  /**
   * The list that was read last. A machine in it is denied at once. A machine that is missing in it, but in `#settled`,
   * stays denied until the file has settled.
   */
  #latest: Reading | undefined;
  #failure: { readonly message: string; readonly state: FileState | undefined } | undefined;

  private constructor(settings: ServerSettings, path: string, report: DenyReport) {
    this.#settings = settings;
    this.#path = path;
    this.#report = report;
  }

  /**
   * Reads the file for the first time. Undefined if no `deny_path` is given.
   *
   * @throws InvalidConfig
   */
  static async open(settings: ServerSettings, report: DenyReport): Promise<LiveDenyList | undefined> {
    const { denyPath } = settings;
    if (denyPath === undefined) return undefined;
    const live = new LiveDenyList(settings, denyPath, report);
    try {
      live.#latest = await inSlices(live.#read(), live.#ending.signal);
    } catch (error) {
      throw new InvalidConfig([unusable('deny_path', denyPath, error)]);
    }
    live.#settled = live.#latest.list;
    return live;
  }

  /** The warnings about the list that was read last. */
  get warnings(): readonly string[] {
    return this.#latest === undefined ? [] : denyWarnings(this.#settings, this.#latest.list);
  }

  /** Whether the list in force at this moment names the machine. */
  isDenied(subject: DenySubject): boolean {
    return [this.#settled, this.#latest?.list].some((list) => list?.isDenied(subject) === true);
  }

  async look(): Promise<void> {
    const { signal } = this.#ending;
    try {
      await inSlices(this.#look(), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  end(): void {
    this.#ending.abort();
  }

  *#look(): Steps<void> {
    const state = yield* stateOrUndefined(this.#path);
    const isAsIn = (before: FileState | undefined): boolean =>
      state !== undefined && before !== undefined && isStill(before, state);
    if (isAsIn(this.#latest?.state)) {
      // The operator has restored the file, so the next failure is news.
      this.#failure = undefined;
      return;
    }
    if (isAsIn(this.#failure?.state)) return;
    let reading: Reading;
    try {
      reading = yield* this.#read();
    } catch (error) {
      const message = unusable('deny_path', this.#path, error);
      // tooth A55 [message !== this.#failure?.message && ((this.#settled = this.#latest = undefined), true)]: a deny
      //   list that has gone denies nobody
      if (message !== this.#failure?.message) this.#report.failed([message]);
      // After a system error, the next attempt may succeed although the file is the same.
      this.#failure = { message, state: isOfSystem(error) ? undefined : state };
      return;
    }
    const isNews = reading.list.digest !== this.#latest?.list.digest;
    this.#latest = reading;
    this.#failure = undefined;
    if (reading.isSettled) this.#settled = reading.list;
    if (isNews) this.#report.denied(reading.list.count, this.warnings);
  }

  *#read(): Steps<Reading> {
    const state = yield* stateOrUndefined(this.#path);
    const list = yield* denyList(this.#path);
    const after = yield* stateOrUndefined(this.#path);
    return { list, state, isSettled: state?.isYoung === false && state.stamp === after?.stamp };
  }
}

/** Undefined after an error: reading the file then reports the same error. */
function* stateOrUndefined(path: string): Steps<FileState | undefined> {
  try {
    return yield* stateOf(path);
  } catch {
    return undefined;
  }
}
