/** What systemd-stub measures of a unified kernel image, into PCR 11, and the phases of the boot that follow there. */
import type { BootView } from '../replay/boot-view.ts';
import { UKI_SECTIONS } from '../systemd/uki-sections.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import { type Claim, following } from './claim.ts';
import { fromPcr, unexpected } from './prerequisites.ts';

/** A section of a unified kernel image, as systemd-stub measured it. */
export interface UkiSection {
  /** `.linux` */
  readonly name: string;
  /** Of its content, in the bank of the claims. */
  readonly digest: Uint8Array;
}

const PCR = 11;

/** Name and content in turn, in the order of the stub: so a content that looks like a name is not taken for one. */
export function ukiSections(view: BootView): Claim<readonly UkiSection[]> {
  return fromPcr(view, PCR, ({ firmware }) => {
    const sections: UkiSection[] = [];
    let last = -1;
    for (let i = 0; i < firmware.length; i += 2) {
      const [nameEvent, content] = firmware.slice(i, i + 2);
      if (nameEvent === undefined || nameEvent.binding?.rule !== 'section-name')
        return { withheld: 'PCR 11 does not have names and contents of sections in turn' };
      const name = Buffer.from(nameEvent.binding.hashed).toString('latin1').slice(0, -1);
      const place = UKI_SECTIONS.indexOf(name);
      if (place < 0) return unexpected(PCR, nameEvent);
      if (place <= last) return { withheld: `PCR 11 has ${name} out of the order of systemd-stub` };
      if (content?.event.type !== EVENT_TYPES.EV_IPL || nameEvent.event.type !== EVENT_TYPES.EV_IPL)
        return { withheld: `PCR 11 has no content of ${name}` };
      sections.push({ name, digest: content.digest });
      last = place;
    }
    return sections[0]?.name === '.linux'
      ? { value: sections }
      : { withheld: 'PCR 11 does not begin with the section .linux' };
  });
}

/** The words that systemd measured, as far as they were measured when the PCRs were read. */
export function bootPhases(view: BootView): Claim<readonly string[]> {
  return fromPcr(view, PCR, ({ userspace }) => {
    if (userspace.length === 0) return { withheld: 'the log of systemd has no word in PCR 11' };
    return { value: userspace.map(({ binding }) => Buffer.from(binding?.hashed ?? []).toString('latin1')) };
  });
}

export function sectionDigest(sections: Claim<readonly UkiSection[]>, name: string): Claim<Uint8Array> {
  return following(sections, (all) => {
    const digest = all.find((section) => section.name === name)?.digest;
    return digest === undefined ? { withheld: `the unified kernel image has no section ${name}` } : { value: digest };
  });
}
