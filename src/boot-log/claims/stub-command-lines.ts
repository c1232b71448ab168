/**
 * Command lines that systemd-boot and systemd-stub measure into PCR 12: options of an entry, a line that was passed on, lines
 * of addons and of SMBIOS. Credentials and the like go there as well, by digest alone.
 */
import type { BootView } from '../replay/boot-view.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import { utf16WithNul } from '../tcg/utf16.ts';
import type { Claim } from './claim.ts';
import { fromPcr } from './prerequisites.ts';

const PCR = 12;

/** In order. Withheld where any event could be a command line that is called something else. */
export function stubCommandLines(view: BootView): Claim<readonly string[]> {
  return fromPcr(view, PCR, ({ firmware }) => {
    const lines: string[] = [];
    for (const { event, binding } of firmware) {
      const line = binding === undefined ? undefined : utf16WithNul(binding.hashed);
      if (event.type !== EVENT_TYPES.EV_IPL || line === undefined)
        return { withheld: 'PCR 12 has an event whose text its digest does not cover: it may be a command line' };
      lines.push(line);
    }
    return lines.length === 0 ? { withheld: 'PCR 12 has no event of the firmware log' } : { value: lines };
  });
}

/** The same, where no line at all is an answer too: PCR 12 was not extended. */
export function stubCommandLinesIfAny(view: BootView): Claim<readonly string[]> {
  return view.standings[PCR]?.state === 'empty' ? { value: [] } : stubCommandLines(view);
}
