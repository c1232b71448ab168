/** What the boot logs of a proved machine say about its boot, as far as the quote vouches for them. Pure. */
import { type BootLog, readBootLog } from '../boot-log/boot-log.ts';
import { type Claim, following } from '../boot-log/claims/claim.ts';
import type { SecureBootMode } from '../boot-log/claims/secure-boot.ts';
import { MalformedLogError } from '../boot-log/tcg/malformed-log.ts';
import { fromHex, hex } from '../bytes/bytes.ts';
import type { BootLogKind } from '../evidence/boot-logs.ts';
import type { CollectedLog } from './log-collector.ts';
import type { PcrValue } from './verdict.ts';

/** Selectors of what is proved, and one sentence for each selector that is not. */
export interface BootState {
  readonly selectors: readonly string[];
  readonly notes: readonly string[];
}

/**
 * @param logs those that were asked for; empty where the agent knows of none
 * @param pcrs of the verified quote
 */
export function bootState(logs: ReadonlyMap<BootLogKind, CollectedLog>, pcrs: readonly PcrValue[]): BootState {
  if (logs.size === 0)
    return { selectors: [], notes: ['no selector of the boot: the agent is too old to send boot logs'] };
  const firmware = logs.get('firmware');
  const userspace = logs.get('userspace');
  if (firmware === undefined || 'missing' in firmware)
    return {
      selectors: [],
      notes: [`no selector of the boot: the firmware log is missing (${firmware?.missing ?? 'nobody asked for it'})`],
    };
  const read = readOr(
    firmware.bytes,
    userspace !== undefined && 'bytes' in userspace ? userspace.bytes : undefined,
    pcrs,
  );
  if (typeof read === 'string') return { selectors: [], notes: [`no selector of the boot: ${read}`] };
  const selectors: string[] = [];
  const notes: string[] = [];
  for (const [name, claim] of selectorClaims(read)) {
    if ('value' in claim) selectors.push(`${name}:${claim.value}`);
    else notes.push(`no selector ${name}: ${claim.withheld}`);
  }
  return { selectors, notes };
}

/** The reason, for logs that cannot be read: what cannot be read whole is not read in part. */
function readOr(firmware: Uint8Array, userspace: Uint8Array | undefined, pcrs: readonly PcrValue[]): BootLog | string {
  const values = new Map<string, Map<number, Uint8Array>>();
  for (const { bank, index, value } of pcrs)
    values.set(bank, (values.get(bank) ?? new Map()).set(index, fromHex(value) ?? new Uint8Array()));
  try {
    return readBootLog(firmware, { userspace, pcrValues: values });
  } catch (error) {
    if (!(error instanceof MalformedLogError)) throw error;
    return `a log cannot be read: ${error.message}`;
  }
}

/**
 * Names, and what each says. They rest on PCRs 4 and 7, whose separators show where the firmware ended. The PCRs of a
 * command line (8, 9, 11, 12) have none: root can extend them after the boot, so no selector rests on them.
 */
function selectorClaims({ claims }: BootLog): readonly (readonly [string, Claim<string>])[] {
  const { secureBoot, secureBootMode, bootApplications } = claims;
  return [
    ['secure_boot', following(secureBootMode, (mode) => modeObjection(mode) ?? secureBoot)],
    ['boot_loader', following(bootApplications, ([first = new Uint8Array()]) => ({ value: hex(first) }))],
  ];
}

/** In these modes the firmware starts what nobody signed, or lets somebody else look into it. */
function modeObjection({ setup, audit, debug }: SecureBootMode): { readonly withheld: string } | undefined {
  const mode = setup ? 'setup mode' : audit === true ? 'audit mode' : debug ? 'debug mode' : undefined;
  return mode === undefined ? undefined : { withheld: `the firmware is in ${mode}` };
}
