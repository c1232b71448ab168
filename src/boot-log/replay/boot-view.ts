/** The events of each PCR with what binds them, for whoever derives claims. */
import type { Bank } from '../tcg/banks.ts';
import type { Binding } from '../tcg/binding.ts';
import { digestIn, type FirmwareEvent, type LogEvent, type UserspaceEvent } from '../tcg/event.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import type { PcrStanding } from './pcr-standing.ts';
import type { Replay } from './replay.ts';

export interface Measured<E extends LogEvent> {
  readonly event: E;
  /** In the bank of the view. */
  readonly digest: Uint8Array;
  /** Undefined: what the event says is not what was measured. */
  readonly binding: Binding | undefined;
}

/** What was extended into one PCR, in order. */
export interface PcrEvents {
  readonly firmware: readonly Measured<FirmwareEvent>[];
  readonly userspace: readonly Measured<UserspaceEvent>[];
}

export interface BootView {
  readonly bank: Bank;
  readonly standings: readonly PcrStanding[];
  readonly pcrs: ReadonlyMap<number, PcrEvents>;
}

/**
 * @param bindings of the events, in their order
 * @param replay of the bank; records of userspace that came after the values were read are left out
 */
export function bootView(
  events: readonly LogEvent[],
  bindings: readonly (Binding | undefined)[],
  { bank, pcrs: replayed }: Replay,
  standings: readonly PcrStanding[],
): BootView {
  const pcrs = new Map<number, { firmware: Measured<FirmwareEvent>[]; userspace: Measured<UserspaceEvent>[] }>();
  for (const [i, event] of events.entries()) {
    const digest = digestIn(event, bank);
    if (event.pcr === undefined || digest === undefined) continue;
    if (event.log === 'firmware' && event.type === EVENT_TYPES.EV_NO_ACTION) continue;
    const of = pcrs.get(event.pcr) ?? { firmware: [], userspace: [] };
    pcrs.set(event.pcr, of);
    if (event.log === 'firmware') of.firmware.push({ event, digest, binding: bindings[i] });
    else if (of.firmware.length + of.userspace.length < (replayed.get(event.pcr)?.reached ?? Infinity))
      of.userspace.push({ event, digest, binding: bindings[i] });
  }
  return { bank, standings, pcrs };
}
