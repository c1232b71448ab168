/** The kernel's command line, from whoever handed it over. Each source has a digest or a text of its own. */
import type { BootView } from '../replay/boot-view.ts';
import { isDigestOf } from '../tcg/banks.ts';
import { type Claim, following, isWithheld } from './claim.ts';
import { type GrubString, grubCommandLine } from './grub.ts';
import { stubDigests } from './kernel-stub.ts';
import { stubCommandLines, stubCommandLinesIfAny } from './stub-command-lines.ts';
import { ukiSections } from './uki.ts';

/** As GRUB measured it in PCR 8: the path of the kernel, then its arguments. */
export interface GrubCommandLine {
  readonly source: 'grub';
  readonly text: string;
}

/** From an entry of systemd-boot: the line of PCR 12 whose digest the kernel measured in PCR 9. */
export interface EntryCommandLine {
  readonly source: 'systemd-boot';
  readonly text: string;
}

/** Of a unified kernel image: its own section, whose text is not in the log, and the lines that came beside it. */
export interface UkiCommandLine {
  readonly source: 'uki';
  /** Of the section .cmdline; undefined for an image without it. */
  readonly section: Uint8Array | undefined;
  /** Of PCR 12, in order. One that was passed on takes the place of the section. */
  readonly others: readonly string[];
}

/** By where it comes from: only GRUB and systemd-boot have it as text. */
export type KernelCommandLine = GrubCommandLine | EntryCommandLine | UkiCommandLine;

/** @param grub its strings in PCR 8 */
export function kernelCommandLine(view: BootView, grub: Claim<readonly GrubString[]>): Claim<KernelCommandLine> {
  if (view.standings[8]?.state !== 'empty') {
    const other = [11, 12].find((pcr) => !isUnused(view, pcr));
    if (other !== undefined)
      return { withheld: `PCR 8 has a command line, and PCR ${other} is not proved to be without one` };
    return following(following(grub, grubCommandLine), (text) => ({ value: { source: 'grub', text } }));
  }
  if (view.pcrs.get(11)?.firmware.length) return ukiCommandLine(view);
  return entryCommandLine(view);
}

/** No boot loader measured into the PCR. Root can extend PCR 8 after any boot, but cannot take back what is in the others. */
function isUnused(view: BootView, pcr: number): boolean {
  const state = view.standings[pcr]?.state;
  return (
    !view.pcrs.get(pcr)?.firmware.length && state !== 'mismatch' && state !== 'not-given' && state !== 'incomplete'
  );
}

function ukiCommandLine(view: BootView): Claim<UkiCommandLine> {
  return following(ukiSections(view), (sections) =>
    following(stubCommandLinesIfAny(view), (others) => ({
      value: { source: 'uki', section: sections.find(({ name }) => name === '.cmdline')?.digest, others },
    })),
  );
}

function entryCommandLine(view: BootView): Claim<EntryCommandLine> {
  const given = stubDigests(view);
  if (isWithheld(given)) return given;
  return following(stubCommandLines(view), (lines) => {
    const text = lines.find((line) =>
      isDigestOf(given.value.loadOptions, view.bank, Buffer.from(`${line}\0`, 'utf16le')),
    );
    return text === undefined
      ? { withheld: 'no line of PCR 12 has the digest of the load options in PCR 9' }
      : { value: { source: 'systemd-boot', text } };
  });
}
