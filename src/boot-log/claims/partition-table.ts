/** The partition table of the disk that was booted from: PCR 5. */
import type { BootView } from '../replay/boot-view.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import { GPT_SIGNATURE, type PartitionTable, readGpt } from '../tcg/gpt.ts';
import type { Claim } from './claim.ts';
import { fromPcr, unexpected } from './prerequisites.ts';

const PCR = 5;

/**
 * The boot loader measures files into PCR 5 as well (loader.conf), after the firmware has measured the table. So a table
 * counts only as the first event that could be one, and as the only one.
 */
export function partitionTable(view: BootView): Claim<PartitionTable> {
  return fromPcr(view, PCR, ({ firmware }) => {
    let table: PartitionTable | undefined;
    for (const measured of firmware) {
      const { binding, event } = measured;
      if (binding === undefined) {
        if (table === undefined) return unexpected(PCR, measured);
        continue;
      }
      if (!GPT_SIGNATURE.every((byte, i) => byte === binding.hashed[i])) continue;
      if (table !== undefined) return { withheld: 'PCR 5 has two partition tables' };
      const isWhole = event.type === EVENT_TYPES.EV_EFI_GPT_EVENT && binding.rule === 'whole';
      table = isWhole ? readGpt(event.data) : undefined;
      if (table === undefined) return unexpected(PCR, measured);
    }
    return table === undefined ? { withheld: 'PCR 5 has no partition table' } : { value: table };
  });
}
