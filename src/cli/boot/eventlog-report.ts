/** How `eventlog` shows a log to people and programs. */
import type { BootLog, LogProblem } from '../../boot-log/boot-log.ts';
import { type Claim, isWithheld } from '../../boot-log/claims/claim.ts';
import { type BootClaims, noClaims } from '../../boot-log/claims/claims.ts';
import { eventText } from '../../boot-log/event-text.ts';
import type { LogEvent } from '../../boot-log/tcg/event.ts';
import { EVENT_TYPES, eventTypeName } from '../../boot-log/tcg/event-types.ts';
import type { MalformedLogError } from '../../boot-log/tcg/malformed-log.ts';
import { hex } from '../../bytes/bytes.ts';
import { say } from '../terminal/terminal.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The document of `eventlog --json`. */
export function eventLogDocument(log: BootLog): object {
  const { format, specId, banks, bank, events, registers, proven, claims, problems } = log;
  const values = replayedValues(log);
  return {
    format,
    spec_id: specId === undefined ? null : plain({ ...specId, banks: undefined }),
    banks: banks.map(({ name }) => name),
    bank: bank?.name ?? null,
    pcrs: registers === 'pcr' ? values : {},
    ...(registers === 'pcr' ? {} : { measurement_registers: values }),
    proven,
    events: events.map(({ event, binding }, index) => ({
      index,
      log: event.log,
      pcr: event.pcr ?? null,
      type: typeName(event),
      digests: Object.fromEntries(event.digests.map((one) => [one.bank.name, hex(one.digest)])),
      bound: binding?.rule ?? null,
      text: eventText(event),
    })),
    unknown_events: unknownEvents(log),
    ...claimsDocument(claims),
    problems: problems.map(problemDocument),
  };
}

/** The same document for a log that is refused: it has nothing but the reason. */
export function refusedDocument({ problem, message, offset }: MalformedLogError): object {
  return {
    format: null,
    spec_id: null,
    banks: [],
    bank: null,
    pcrs: {},
    proven: false,
    events: [],
    unknown_events: 0,
    ...claimsDocument(noClaims('the log is refused')),
    problems: [{ code: problem, message, offset }],
  };
}

function claimsDocument(claims: BootClaims): object {
  const entries = Object.entries(claims) as [string, Claim<unknown>][];
  return {
    claims: Object.fromEntries(
      entries.map(([name, claim]) => [snakeCase(name), isWithheld(claim) ? null : plain(claim.value)]),
    ),
    withheld: Object.fromEntries(
      entries.flatMap(([name, claim]) => (isWithheld(claim) ? [[snakeCase(name), claim.withheld]] : [])),
    ),
  };
}

function problemDocument({ code, message, event }: LogProblem): object {
  return { code, message, ...(event === undefined ? {} : { event }) };
}

/** Bytes as hexadecimal digits, names with underscores, what is not there as null. */
function plain(value: unknown): Json {
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [snakeCase(name), plain(one)]));
  return (value as string | number | boolean | undefined) ?? null;
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function replayedValues({ replays }: BootLog): Readonly<Record<string, Readonly<Record<string, string>>>> {
  return Object.fromEntries(
    replays.map(({ bank, pcrs }) => [
      bank.name,
      Object.fromEntries([...pcrs].flatMap(([pcr, { value }]) => (value === undefined ? [] : [[pcr, hex(value)]]))),
    ]),
  );
}

function unknownEvents({ events }: BootLog): number {
  return events.filter(({ event }) => event.log === 'firmware' && eventTypeName(event.type) === undefined).length;
}

function typeName(event: LogEvent): string {
  if (event.log === 'userspace') return event.kind ?? 'unknown';
  return eventTypeName(event.type) ?? `0x${event.type.toString(16)}`;
}

/** A line an event, then claims, PCRs and problems. */
export function sayEventLog(log: BootLog): void {
  const { format, banks, bank, events, registers, proven, claims, problems } = log;
  say(`${format === 'agile' ? 'crypto-agile' : 'SHA-1'} log of ${events.length} events, banks ${list(banks)}`);
  for (const [index, { event, binding }] of events.entries()) {
    const register = event.pcr === undefined ? 'NV' : event.pcr > 23 ? '-' : `${event.pcr}`;
    const isMeasured = event.log === 'userspace' || event.type !== EVENT_TYPES.EV_NO_ACTION;
    const bound = isMeasured ? (binding?.rule ?? 'not bound') : 'not measured';
    say(`${`${index}`.padStart(4)}  ${register.padStart(2)}  ${typeName(event)} (${bound}): ${eventText(event)}`);
  }
  if (registers === 'pcr') {
    say(proven ? `claims, proven by the ${bank?.name} values given:` : 'claims, as the log says; nothing proves them:');
    for (const [name, claim] of Object.entries(claims) as [string, Claim<unknown>][])
      say(
        `  ${snakeCase(name)}: ${isWithheld(claim) ? `withheld: ${claim.withheld}` : JSON.stringify(plain(claim.value))}`,
      );
  } else say('the registers are measurement registers, not PCRs: there are no claims');
  const what = registers === 'pcr' ? 'PCR' : 'measurement register';
  for (const [name, values] of Object.entries(replayedValues(log)))
    if (name === bank?.name) for (const [pcr, value] of Object.entries(values)) say(`${what} ${name}:${pcr} ${value}`);
  for (const { code, message, event } of problems)
    say(`${code}: ${event === undefined ? '' : `event ${event}: `}${message}`);
}

function list(banks: BootLog['banks']): string {
  return banks.map(({ name }) => name).join(', ');
}
