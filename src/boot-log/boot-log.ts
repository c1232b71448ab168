/** A firmware log, and systemd's log after it, as one boot: events, replayed PCRs, and what they prove. */
import { type BootClaims, bootClaims, noClaims } from './claims/claims.ts';
import { bootView } from './replay/boot-view.ts';
import { type PcrStanding, pcrStandings } from './replay/pcr-standing.ts';
import { type Replay, replay } from './replay/replay.ts';
import { readUserspaceLog } from './systemd/userspace-log.ts';
import { type Bank, bankByName } from './tcg/banks.ts';
import { type Binding, bindingOf } from './tcg/binding.ts';
import { digestIn, type LogEvent } from './tcg/event.ts';
import { EVENT_TYPES, eventTypeName } from './tcg/event-types.ts';
import { readFirmwareLog } from './tcg/log.ts';
import type { SpecId } from './tcg/spec-id.ts';

/** PCR values by bank (`sha256`) and index. */
export type PcrValues = ReadonlyMap<string, ReadonlyMap<number, Uint8Array>>;

/** What a firmware log is read with. */
export interface BootLogOptions {
  /** systemd's tpm2-measure.log, which continues the firmware log. */
  readonly userspace?: Uint8Array | undefined;
  /** The bytes are a dump of the memory area that ACPI names: padded, and of measurement registers that are no PCRs. */
  readonly areaDump?: boolean | undefined;
  /** What the TPM quoted. Without it, a claim is what the log says and nobody has proven. */
  readonly pcrValues?: PcrValues | undefined;
}

/** What is odd about a log that can be read. */
export interface LogProblem {
  readonly code:
    | 'pcr.mismatch'
    | 'pcr.continues'
    | 'bank.missing'
    | 'bank.not_computed'
    | 'event.unknown_type'
    | 'event.digest_missing'
    | 'event.startup_locality';
  readonly message: string;
  /** Index of the event that it is about. */
  readonly event?: number;
}

/** One event with what binds it, in the bank of the claims. */
export interface BoundEvent {
  readonly event: LogEvent;
  readonly binding: Binding | undefined;
}

/** A log that was read whole. */
export interface BootLog {
  readonly format: 'agile' | 'sha1';
  readonly specId: SpecId | undefined;
  /** `pcr`, or the measurement registers of a confidential machine. */
  readonly registers: 'pcr' | 'measurement-register';
  readonly banks: readonly Bank[];
  /** Of bindings and claims; undefined where none can be computed. */
  readonly bank: Bank | undefined;
  readonly events: readonly BoundEvent[];
  /** For each bank that can be computed. */
  readonly replays: readonly Replay[];
  /** By index, in the bank of the claims; empty for measurement registers. */
  readonly standings: readonly PcrStanding[];
  /** Whether claims rest on values that were given. */
  readonly proven: boolean;
  readonly claims: BootClaims;
  readonly problems: readonly LogProblem[];
}

/** The first that the log has is taken for claims. */
const PREFERENCE = ['sha256', 'sha384', 'sha512', 'sha3_256', 'sha3_384', 'sha3_512', 'sm3_256', 'sha1'];

/**
 * @param firmware binary_bios_measurements as the kernel gives it
 * @throws MalformedLogError for bytes that are no log. There is no other outcome: what is read, is read whole.
 */
export function readBootLog(firmware: Uint8Array, options: BootLogOptions = {}): BootLog {
  const { userspace, areaDump = false, pcrValues } = options;
  const log = readFirmwareLog(firmware, areaDump);
  const later = userspace === undefined ? [] : readUserspaceLog(userspace, log.banks);
  const events: readonly LogEvent[] = [...log.events, ...later];
  const replays = log.banks
    .filter(({ digest }) => digest !== undefined)
    .map((bank) => replay(events, bank, pcrValues?.get(bank.name)));
  const chosen = chooseBank(replays, pcrValues);
  const bindings = events.map((event) => (chosen === undefined ? undefined : bindingOf(event, chosen.bank)));
  const base = {
    format: log.format,
    specId: log.specId,
    banks: log.banks,
    bank: chosen?.bank,
    events: events.map((event, i) => ({ event, binding: bindings[i] })),
    replays,
  };
  const oddities = [...bankProblems(log.banks, pcrValues), ...eventProblems(events, replays)];
  if (areaDump) {
    const claims = noClaims('the log is of measurement registers, and claims are of PCRs');
    return { ...base, registers: 'measurement-register', standings: [], proven: false, claims, problems: oddities };
  }
  const standings = replays.map((one) => pcrStandings(one, pcrValues?.get(one.bank.name), userspace !== undefined));
  const problems = [
    ...replays.flatMap(({ bank }, i) => valueProblems(standings[i] ?? [], bank, pcrValues)),
    ...oddities,
  ];
  const ofChosen = standings[replays.findIndex(({ bank }) => bank === chosen?.bank)] ?? [];
  const claims =
    chosen === undefined
      ? noClaims('no bank of the log can be computed, or none of the values given is of such a bank')
      : bootClaims(bootView(events, bindings, chosen, ofChosen));
  const proven = chosen !== undefined && pcrValues !== undefined;
  return { ...base, registers: 'pcr', standings: ofChosen, proven, claims, problems };
}

function chooseBank(replays: readonly Replay[], values: PcrValues | undefined): Replay | undefined {
  const names = PREFERENCE.filter((name) => values === undefined || values.has(name));
  return names.map((name) => replays.find(({ bank }) => bank.name === name)).find((one) => one !== undefined);
}

function valueProblems(
  standings: readonly PcrStanding[],
  { name }: Bank,
  values: PcrValues | undefined,
): readonly LogProblem[] {
  return standings.flatMap(({ state, objection }, pcr): readonly LogProblem[] => {
    // A PCR that cannot be replayed does not replay to its value.
    const isMismatch = state === 'mismatch' || (state === 'incomplete' && values?.get(name)?.has(pcr) === true);
    if (!isMismatch && state !== 'continues') return [];
    return [{ code: isMismatch ? 'pcr.mismatch' : 'pcr.continues', message: `${name}: ${objection}` }];
  });
}

function bankProblems(banks: readonly Bank[], values: PcrValues | undefined): readonly LogProblem[] {
  const problems: LogProblem[] = [];
  for (const { name, digest } of banks)
    if (digest === undefined)
      // toothless: for people; such a bank gives no claim
      problems.push({ code: 'bank.not_computed', message: `${name} cannot be computed here: it is not replayed` });
  for (const name of values?.keys() ?? [])
    if (bankByName(name) === undefined || !banks.some((bank) => bank.name === name))
      // toothless: for people; such a bank gives no claim
      problems.push({ code: 'bank.missing', message: `values of ${name} are given, and the log has no such bank` });
  return problems;
}

function eventProblems(events: readonly LogEvent[], replays: readonly Replay[]): readonly LogProblem[] {
  const problems: LogProblem[] = [];
  for (const [i, event] of events.entries()) {
    if (event.log === 'firmware' && eventTypeName(event.type) === undefined)
      problems.push({ code: 'event.unknown_type', message: `type 0x${event.type.toString(16)} is unknown`, event: i });
    if (event.pcr === undefined || (event.log === 'firmware' && event.type === EVENT_TYPES.EV_NO_ACTION)) continue;
    for (const { bank } of replays)
      if (digestIn(event, bank) === undefined)
        problems.push({ code: 'event.digest_missing', message: `it has no digest of ${bank.name}`, event: i });
  }
  for (const { index, reason } of replays[0]?.ignoredLocalities ?? [])
    problems.push({
      code: 'event.startup_locality',
      message: `StartupLocality is not applied: ${reason}`,
      event: index,
    });
  return problems;
}
