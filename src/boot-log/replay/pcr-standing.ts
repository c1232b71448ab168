/** What a replayed log says about the values of PCRs: whether they are what it replays to, and if not, why. */
import { equalBytes } from '../../bytes/bytes.ts';
import { BOOT_PHASES, OS_SEPARATOR } from '../systemd/words.ts';
import { type Bank, digestOf } from '../tcg/banks.ts';
import { initialPcr, type PcrReplay, type Replay } from './replay.ts';

/** How the value of a PCR and the log agree. */
export type PcrState =
  /** No values were given: the log stands for itself. */
  | 'unproven'
  /** The log replays to the value. */
  | 'replayed'
  /** It has no event, and the value, where given, is that of a reset. */
  | 'empty'
  /** Known words of systemd explain the rest; its log is not here. */
  | 'continues'
  /** Measured by others (IMA, applications, dynamic launch), and by nobody in this log. */
  | 'elsewhere'
  | 'mismatch'
  /** An event has no digest for the bank. */
  | 'incomplete'
  /** Values were given, and not of this PCR. */
  | 'not-given';

/** What is known of one PCR. */
export interface PcrStanding {
  readonly state: PcrState;
  /** Why no claim may rest on it; undefined where one may. */
  readonly objection: string | undefined;
}

const PCRS = 24;
/** Kernel (IMA), systemd's identity of the system, debug, dynamic launch, applications. */
const MEASURED_ELSEWHERE: ReadonlySet<number> = new Set([10, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
const SEPARATED: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14]);
/** What each soft reboot adds, and a machine without an initrd of systemd begins with. */
const HOST_PHASES = BOOT_PHASES.slice(2);
const SOFT_REBOOTS: readonly string[] = Array.from({ length: 8 }, () => HOST_PHASES).flat();
const PHASE_PATHS: readonly (readonly string[])[] = [[...BOOT_PHASES, ...SOFT_REBOOTS], SOFT_REBOOTS];

/**
 * One for each PCR of the bank.
 *
 * @param values of the TPM, in the same bank
 * @param hasUserspace whether systemd's log was replayed as well
 */
export function pcrStandings(
  { bank, pcrs }: Replay,
  values: ReadonlyMap<number, Uint8Array> | undefined,
  hasUserspace: boolean,
): readonly PcrStanding[] {
  return Array.from({ length: PCRS }, (_, pcr) => {
    const state = stateOf(bank, pcr, pcrs.get(pcr), values, hasUserspace);
    return { state, objection: OBJECTIONS[state]?.(pcr) };
  });
}

const OBJECTIONS: { readonly [S in PcrState]?: (pcr: number) => string } = {
  empty: (pcr) => `PCR ${pcr} has no event in the log`,
  continues: (pcr) => `PCR ${pcr} continues after the firmware log: the log of systemd is missing`,
  elsewhere: (pcr) => `PCR ${pcr} has no event in the log`,
  mismatch: (pcr) => `the log does not replay to the value of PCR ${pcr}`,
  incomplete: (pcr) => `an event of PCR ${pcr} has no digest for the bank`,
  'not-given': (pcr) => `the value of PCR ${pcr} is not among those given`,
};

function stateOf(
  bank: Bank,
  pcr: number,
  replayed: PcrReplay | undefined,
  values: ReadonlyMap<number, Uint8Array> | undefined,
  hasUserspace: boolean,
): PcrState {
  if (replayed !== undefined && replayed.value === undefined) return 'incomplete';
  if (values === undefined) return replayed === undefined ? 'empty' : 'unproven';
  const value = values.get(pcr);
  if (value === undefined) return 'not-given';
  if (replayed?.reached !== undefined) return 'replayed';
  if (replayed === undefined && equalBytes(value, initialPcr(bank, pcr))) return 'empty';
  const before = replayed?.firmwareValue ?? initialPcr(bank, pcr);
  if (!hasUserspace && isContinued(bank, pcr, before, value)) return 'continues';
  if (replayed === undefined && MEASURED_ELSEWHERE.has(pcr))
    return hasUserspace || pcr !== 15 ? 'elsewhere' : 'continues';
  return 'mismatch';
}

function isContinued(bank: Bank, pcr: number, before: Uint8Array, value: Uint8Array): boolean {
  const paths = pcr === 11 ? PHASE_PATHS : SEPARATED.has(pcr) ? [[OS_SEPARATOR]] : [];
  return paths.some((words) => {
    let running = before;
    return words.some((word) => {
      running = digestOf(bank, Buffer.concat([running, digestOf(bank, Buffer.from(word))]));
      return equalBytes(running, value);
    });
  });
}
