/** What GRUB measures: its commands as strings in PCR 8, the files it reads in PCR 9. */
import type { BootView } from '../replay/boot-view.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import type { Claim } from './claim.ts';
import { fromPcr, unexpected } from './prerequisites.ts';

/** A string that GRUB measured. */
export interface GrubString {
  /** What GRUB says it is: `grub_cmd`, `kernel_cmdline`, `module_cmdline`. It is not measured. */
  readonly label: string;
  readonly text: string;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const PREFIX = /^(grub_cmd|kernel_cmdline|module_cmdline): /;
/** Commands that start a kernel or another loader, with what they start. */
const STARTS =
  /^(?:linux|linux16|linuxefi|xen_hypervisor|multiboot2?|chainloader|pxechainloader|kexec\w*|legacy_kernel|ntldr|k\w*bsd|xnu\w*)(?: |$)/;
const LINUX = /^linux(?:16|efi)? (.*)$/s;

/** Every string of PCR 8, in order. */
export function grubStrings(view: BootView): Claim<readonly GrubString[]> {
  return fromPcr(view, 8, ({ firmware }) => {
    const strings: GrubString[] = [];
    for (const measured of firmware) {
      const { binding, event } = measured;
      const label = PREFIX.exec(Buffer.from(event.data.subarray(0, 32)).toString('latin1'))?.[1];
      if (event.type !== EVENT_TYPES.EV_IPL || label === undefined || !binding?.rule.startsWith('after-colon'))
        return unexpected(8, measured);
      const text = utf8Text(binding.hashed);
      if (text === undefined) return { withheld: 'a string in PCR 8 is not UTF-8' };
      strings.push({ label, text });
    }
    return { value: strings };
  });
}

/**
 * The one command line. The label before a string is not measured, so another string could bear it. The command that started
 * the kernel is a string of its own, though: there must be only one such, and it must have this command line.
 */
export function grubCommandLine(strings: readonly GrubString[]): Claim<string> {
  const lines = strings.filter(({ label }) => label === 'kernel_cmdline');
  const [line] = lines;
  if (line === undefined || lines.length > 1) return { withheld: `PCR 8 has ${lines.length} kernel command lines` };
  const starts = strings.filter(({ text }) => STARTS.test(text));
  const [start] = starts;
  if (start === undefined || starts.length > 1)
    return { withheld: `PCR 8 has ${starts.length} commands that start a kernel or a loader` };
  const started = LINUX.exec(start.text)?.[1];
  if (start.label !== 'grub_cmd' || started !== unquoted(line.text))
    return { withheld: 'the kernel command line in PCR 8 is not that of the command that started it' };
  return { value: line.text };
}

/** Of the kernel's command line GRUB quotes what a command has without quotes (grub-core/lib/cmdline.c). */
const unquoted = (text: string): string => text.replace(/\\(.)|"/gs, '$1');

/** Digests of what was read, in order; the names beside them are not measured. */
export function grubFiles(view: BootView): Claim<readonly Uint8Array[]> {
  return fromPcr(view, 9, ({ firmware }) => ({ value: firmware.map(({ digest }) => digest) }));
}

function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes).replace(/\0$/, '');
  } catch {
    return undefined;
  }
}
