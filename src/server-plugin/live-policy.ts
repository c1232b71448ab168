/** The policy in force: read anew when its files change, as a whole or not at all. */
import { statSync } from 'node:fs';
import { KnownMachines } from '../verifier/known-machines.ts';
import type { Policy } from '../verifier/policy.ts';
import { InvalidConfig, readServerSettings, type ServerSettings } from './config.ts';
import { fileFailure } from './file-failure.ts';
import { loadPolicy } from './policy-files.ts';
import { trustFileNames } from './trust-files.ts';

/** How long a change may go unseen. A look costs a few microseconds for each file. */
const LOOK_EVERY_MS = 5000;
/** For how many looks files that could not be used are left alone while they stay the same: to read them may take seconds. */
const LOOKS_LEFT_OUT = 11;

/** A policy, and those who proved themselves under it: a changed file makes both anew. */
export interface PolicyInForce {
  readonly policy: Policy;
  readonly known: KnownMachines;
}

/** What became of changed files; one sentence each. */
export interface ReloadReport {
  readonly reloaded: (policy: Policy, warnings: readonly string[]) => void;
  /** The policy from before stays in force. */
  readonly failed: (problems: readonly string[]) => void;
}

export class LivePolicy {
  readonly settings: ServerSettings;
  /** Of the settings, and of the files as they were first read. */
  readonly warnings: readonly string[];
  readonly #lookEveryMs: number;
  readonly #report: ReloadReport;
  #inForce: PolicyInForce;
  /** Files that could be read in whole: a change that leaves out part of one is no good one. */
  #sound: ReadonlySet<string>;
  #stamp: string;
  #lookedAt: number;
  #failure: { readonly message: string; readonly stamp: string; looksLeftOut: number } | undefined;

  /**
   * @param lookEveryMs least time between two looks at the files
   * @throws InvalidConfig
   */
  constructor(settings: ServerSettings, report: ReloadReport, lookEveryMs: number = LOOK_EVERY_MS) {
    this.settings = settings;
    this.#report = report;
    this.#lookEveryMs = lookEveryMs;
    // Before they are read: what changes meanwhile is seen at the next look. There is nothing to keep to until then.
    this.#stamp = stampOf(settings);
    this.#lookedAt = performance.now();
    const { policy, warnings, whole } = loadPolicy(settings);
    this.#sound = whole;
    this.warnings = [...settings.warnings, ...warnings];
    this.#inForce = inForce(policy);
  }

  /** What to judge the next machine by. An attestation keeps what it began with. */
  current(): PolicyInForce {
    const now = performance.now();
    if (now - this.#lookedAt >= this.#lookEveryMs) {
      this.#lookedAt = now;
      this.#look();
    }
    return this.#inForce;
  }

  #look(): void {
    const stamp = stampOf(this.settings);
    if (stamp === this.#stamp) {
      // Put back as it was: what is wrong the next time is news.
      this.#failure = undefined;
      return;
    }
    const failure = this.#failure;
    if (failure?.stamp === stamp && failure.looksLeftOut > 0) {
      failure.looksLeftOut -= 1;
      return;
    }
    try {
      const { policy, warnings, whole } = loadPolicy(this.settings, this.#sound);
      // Some of it would be from before a change and some from after, or half a file.
      if (stampOf(this.settings) !== stamp) throw new InvalidConfig(['they changed again while they were read']);
      this.#sound = whole;
      this.#inForce = inForce(policy);
      this.#stamp = stamp;
      this.#failure = undefined;
      this.#report.reloaded(policy, warnings);
    } catch (error) {
      if (!(error instanceof InvalidConfig)) throw error;
      // Tried again, as what failed may have nothing to do with the files; told once.
      if (error.message !== failure?.message) this.#report.failed(error.problems);
      this.#failure = { message: error.message, stamp, looksLeftOut: LOOKS_LEFT_OUT };
    }
  }
}

/** @throws HclError, InvalidConfig */
export function readLivePolicy(trustDomain: string, hcl: string, report: ReloadReport): LivePolicy {
  return new LivePolicy(readServerSettings(trustDomain, hcl), report);
}

function inForce(policy: Policy): PolicyInForce {
  return { policy, known: new KnownMachines(policy) };
}

/** Names, sizes and times of all that is read once: not of a folder of hashes, which is looked into at each attestation. */
function stampOf({ bundles, crlPath, hashPath, denyPath }: ServerSettings): string {
  const folders = [...bundles.map(({ caPath }) => caPath), ...(crlPath === undefined ? [] : [crlPath])];
  const lists = [hashPath, denyPath].filter((path) => path !== undefined);
  return [...folders.flatMap(filesIn), ...lists].map(stateOf).join('\n');
}

function filesIn(path: string): readonly string[] {
  try {
    return trustFileNames(path);
  } catch {
    return [path];
  }
}

function stateOf(path: string): string {
  try {
    const stat = statSync(path, { bigint: true });
    return `${path} ${stat.isDirectory() ? 'folder' : [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ')}`;
  } catch (error) {
    return `${path} ${fileFailure(error)}`;
  }
}
