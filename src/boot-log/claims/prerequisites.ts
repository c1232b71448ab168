/** What every claim needs before its own grammar: the PCR replays, and nothing in it hides what it is. */
import { equalBytes } from '../../bytes/bytes.ts';
import type { BootView, Measured, PcrEvents } from '../replay/boot-view.ts';
import { BOOT_PHASES, OS_SEPARATOR } from '../systemd/words.ts';
import { type Bank, digestOf } from '../tcg/banks.ts';
import type { FirmwareEvent } from '../tcg/event.ts';
import { EVENT_TYPES, eventTypeName } from '../tcg/event-types.ts';
import type { Claim } from './claim.ts';

const NORMAL_SEPARATOR = new Uint8Array(4);
const ERROR_SEPARATOR = new Uint8Array(4).fill(0xff);

/**
 * Words that systemd extends after the boot loader. Anything else in its log may be an event of the firmware that was moved
 * there, out of sight: the border between the two logs is not measured.
 */
const NVPCR_WORDS = /^(nvpcr-init:[\x20-\x7e]*|nvpcr-separator)$/;

/** Derives from the firmware's events of a PCR, once they may be believed. */
export function fromPcr<T>(view: BootView, pcr: number, derive: (events: PcrEvents) => Claim<T>): Claim<T> {
  const objection = view.standings[pcr]?.objection;
  if (objection !== undefined) return { withheld: objection };
  const events = view.pcrs.get(pcr);
  if (events === undefined) return { withheld: `PCR ${pcr} has no event in the log` };
  const reason = separatorProblem(view.bank, pcr, events.firmware) ?? userspaceProblem(pcr, events);
  return reason === undefined ? derive(events) : { withheld: reason };
}

interface Separators {
  readonly normal: Uint8Array;
  readonly error: Uint8Array;
}

const separatorDigests = new Map<number, Separators>();

function separatorsOf(bank: Bank): Separators {
  const known = separatorDigests.get(bank.id);
  const found = known ?? { normal: digestOf(bank, NORMAL_SEPARATOR), error: digestOf(bank, ERROR_SEPARATOR) };
  separatorDigests.set(bank.id, found);
  return found;
}

/** The type of an event is not measured: a separator is known by its digest alone (A41). */
function separatorProblem(bank: Bank, pcr: number, events: readonly Measured<FirmwareEvent>[]): string | undefined {
  const { normal, error } = separatorsOf(bank);
  let separators = 0;
  for (const { event, digest } of events) {
    const isNormal = equalBytes(digest, normal);
    const isError = equalBytes(digest, error);
    if (event.type !== EVENT_TYPES.EV_SEPARATOR) {
      if (isNormal || isError) return `PCR ${pcr} has a separator under the type ${typeText(event)}`;
      continue;
    }
    if (isError) return `PCR ${pcr} has the separator of an error: the firmware failed`;
    if (!isNormal || !equalBytes(event.data, NORMAL_SEPARATOR)) return `PCR ${pcr} has an unknown separator`;
    separators += 1;
  }
  return separators > 1 ? `PCR ${pcr} has ${separators} separators` : undefined;
}

function userspaceProblem(pcr: number, { userspace }: PcrEvents): string | undefined {
  let separators = 0;
  for (const { binding } of userspace) {
    const word = binding === undefined ? undefined : Buffer.from(binding.hashed).toString('latin1');
    if (word === OS_SEPARATOR && pcr !== 11) separators += 1;
    else if (word === undefined || !isWordOf(pcr, word)) return `an unknown word follows in PCR ${pcr}`;
  }
  return separators > 1 ? `PCR ${pcr} has ${separators} separators of systemd` : undefined;
}

function isWordOf(pcr: number, word: string): boolean {
  if (pcr === 11) return BOOT_PHASES.includes(word);
  return pcr === 9 && NVPCR_WORDS.test(word);
}

function typeText({ type }: FirmwareEvent): string {
  return eventTypeName(type) ?? `0x${type.toString(16)}`;
}

/** For a grammar that ends in an event that it does not know. */
export function unexpected(pcr: number, { event, binding }: Measured<FirmwareEvent>): { readonly withheld: string } {
  const how = binding === undefined ? ', whose data its digest does not cover' : '';
  return { withheld: `PCR ${pcr} has an event that does not belong there: ${typeText(event)}${how}` };
}

/** The text of an action, of those that the specification fixes. */
export function actionText({ binding }: Measured<FirmwareEvent>): string | undefined {
  return binding === undefined ? undefined : Buffer.from(binding.hashed).toString('latin1').replace(/\0$/, '');
}
