/** Every claim of a boot. Each stands for itself: what one PCR withholds leaves the others as they are. */
import type { BootView } from '../replay/boot-view.ts';
import type { PartitionTable } from '../tcg/gpt.ts';
import { bootApplications } from './boot-applications.ts';
import { type Claim, following } from './claim.ts';
import { grubFiles, grubStrings } from './grub.ts';
import { type KernelCommandLine, kernelCommandLine } from './kernel-command-line.ts';
import { stubDigests } from './kernel-stub.ts';
import { mokDigests } from './mok.ts';
import { partitionTable } from './partition-table.ts';
import { type SecureBootClaims, secureBootClaims } from './secure-boot.ts';
import { stubCommandLines } from './stub-command-lines.ts';
import { bootPhases, sectionDigest, type UkiSection, ukiSections } from './uki.ts';

/** Digests are of the bank of the claims. */
export interface BootClaims extends SecureBootClaims {
  /** Authenticode digests, in order: firmware's and shim's. To be compared as a whole. */
  readonly bootApplications: Claim<readonly Uint8Array[]>;
  readonly kernelCommandLine: Claim<KernelCommandLine>;
  /** What GRUB ran, after its variables were filled in. */
  readonly grubCommands: Claim<readonly string[]>;
  /** Of each file that GRUB read, in order, and of what the kernel measured after it. */
  readonly grubFiles: Claim<readonly Uint8Array[]>;
  readonly stubCommandLines: Claim<readonly string[]>;
  /** Of the command line as the kernel was given it, in UTF-16. */
  readonly loadOptions: Claim<Uint8Array>;
  /** Of the section .linux of a unified kernel image. */
  readonly kernel: Claim<Uint8Array>;
  /** Of all that the kernel loaded as its initrd. */
  readonly initrd: Claim<Uint8Array>;
  readonly uki: Claim<readonly UkiSection[]>;
  readonly bootPhases: Claim<readonly string[]>;
  readonly gpt: Claim<PartitionTable>;
  /** Of the variables of shim, in order. */
  readonly mok: Claim<readonly Uint8Array[]>;
}

export function bootClaims(view: BootView): BootClaims {
  const uki = ukiSections(view);
  const stub = stubDigests(view);
  const grub = grubStrings(view);
  return {
    ...secureBootClaims(view),
    bootApplications: bootApplications(view),
    kernelCommandLine: kernelCommandLine(view, grub),
    grubCommands: following(grub, (strings) => ({ value: strings.map(({ text }) => text) })),
    grubFiles: following(grub, () => grubFiles(view)),
    stubCommandLines: stubCommandLines(view),
    loadOptions: following(stub, ({ loadOptions }) => ({ value: loadOptions })),
    kernel: sectionDigest(uki, '.linux'),
    initrd: following(stub, ({ initrd }) =>
      initrd === undefined ? { withheld: 'PCR 9 has no initrd' } : { value: initrd },
    ),
    uki,
    bootPhases: bootPhases(view),
    gpt: partitionTable(view),
    mok: mokDigests(view),
  };
}

/** Every claim withheld for one reason: a log that no TPM wrote, or a bank that cannot be computed. */
export function noClaims(withheld: string): BootClaims {
  const none = { withheld };
  return {
    ...{ secureBoot: none, secureBootMode: none, pk: none, kek: none, db: none, dbx: none, authorities: none },
    ...{ bootApplications: none, kernelCommandLine: none, grubCommands: none, grubFiles: none },
    ...{ stubCommandLines: none, loadOptions: none, kernel: none, initrd: none, uki: none },
    ...{ bootPhases: none, gpt: none, mok: none },
  };
}
