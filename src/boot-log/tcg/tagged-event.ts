/** TCG_PCClientTaggedEvent (PC Client Platform Firmware Profile 1.06, 10.4.2.1), one or several in an EV_EVENT_TAG. */
import { LittleEndianReader } from './little-endian.ts';

export interface TaggedEvent {
  readonly id: number;
  readonly data: Uint8Array;
}

/** Undefined for bytes that are none. */
export function readTaggedEvents(data: Uint8Array): readonly TaggedEvent[] | undefined {
  const reader = new LittleEndianReader(data);
  const events: TaggedEvent[] = [];
  while (reader.remaining > 0) {
    const id = reader.u32();
    const size = reader.u32();
    const body = size === undefined ? undefined : reader.take(size);
    if (id === undefined || body === undefined) return undefined;
    events.push({ id, data: body });
  }
  return events;
}
