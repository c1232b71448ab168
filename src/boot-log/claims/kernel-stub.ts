/** What the EFI stub of Linux measures into PCR 9: the command line that it was given, then the initrd that it loaded. */
import type { BootView } from '../replay/boot-view.ts';
import { EVENT_TAGS } from '../systemd/event-tags.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import { readTaggedEvents } from '../tcg/tagged-event.ts';
import type { Claim } from './claim.ts';
import { fromPcr, unexpected } from './prerequisites.ts';

export interface StubDigests {
  /** Of the load options: UTF-16, with or without NUL as the loader gave them. */
  readonly loadOptions: Uint8Array;
  /** Undefined where no initrd came through LoadFile2. */
  readonly initrd: Uint8Array | undefined;
}

const ORDER: readonly number[] = [EVENT_TAGS.loadOptions, EVENT_TAGS.linuxInitrd];

/**
 * The tags are not measured, their order is. So the stub must be the only one that measured into PCR 9: GRUB, which measures
 * files there, could have read anything.
 */
export function stubDigests(view: BootView): Claim<StubDigests> {
  // An empty log of PCR 8 is not enough: its value must say so as well.
  if (view.standings[8]?.state !== 'empty')
    return { withheld: 'PCR 8 is not known to be empty: GRUB may have measured files into PCR 9 as well' };
  return fromPcr(view, 9, ({ firmware }) => {
    for (const [i, measured] of firmware.entries()) {
      const { type, data } = measured.event;
      const tags = type === EVENT_TYPES.EV_EVENT_TAG ? readTaggedEvents(data) : undefined;
      if (tags?.length !== 1 || tags[0]?.id !== ORDER[i]) return unexpected(9, measured);
    }
    const [loadOptions, initrd] = firmware;
    if (loadOptions === undefined) return { withheld: 'PCR 9 has no event of the firmware log' };
    return { value: { loadOptions: loadOptions.digest, initrd: initrd?.digest } };
  });
}
