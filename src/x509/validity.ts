/** Reads the dates of certificates and lists, and computes how long a verdict about them holds. */
import { Buffer } from 'node:buffer';
import { type DerElement, type DerReader, TAG } from './der.ts';

/** Oddities of dates. */
export type TimeOddity = 'GeneralizedTime-before-2050';

/** The validity period of a certificate, both ends included (RFC 5280 §4.1.2.5). */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A period in milliseconds since 1970, both ends included. */
export interface Period {
  readonly from: number;
  readonly until: number;
}

/** The period around `now` in which no validity begins or ends, so that a verdict of now holds throughout. */
export function steadyPeriod(validities: Iterable<Validity>, now: Date): Period {
  const moment = now.getTime();
  let from = Number.NEGATIVE_INFINITY;
  let until = Number.POSITIVE_INFINITY;
  for (const { notBefore, notAfter } of validities) {
    // The state changes at notBefore, and one millisecond after notAfter.
    for (const change of [notBefore.getTime(), notAfter.getTime() + 1]) {
      if (change <= moment) from = Math.max(from, change);
      else until = Math.min(until, change - 1);
    }
  }
  return { from, until };
}

export function intersection(a: Period, b: Period): Period {
  return { from: Math.max(a.from, b.from), until: Math.min(a.until, b.until) };
}

/** A period of one moment, for a verdict that may change at once. */
export function only(now: Date): Period {
  return { from: now.getTime(), until: now.getTime() };
}

export function readValidity(reader: DerReader, onOddity: (oddity: TimeOddity) => void): Validity {
  const notBefore = readTime(reader.next('notBefore'), onOddity);
  const notAfter = readTime(reader.next('notAfter'), onOddity);
  reader.finish();
  return { notBefore, notAfter };
}

/**
 * Reads UTCTime or GeneralizedTime, to the second and in UTC. A year before 2050 may use either form: one CA does that.
 */
export function readTime(element: DerElement, onOddity: (oddity: TimeOddity) => void): Date {
  const text = Buffer.from(element.content).toString('latin1');
  if (element.tag === TAG.UTC_TIME) {
    if (!/^\d{12}Z$/.test(text)) element.fail('a UTCTime that is not YYMMDDhhmmssZ');
    const year = Number(text.slice(0, 2));
    return moment(element, (year < 50 ? 2000 : 1900) + year, text.slice(2));
  }
  if (element.tag !== TAG.GENERALIZED_TIME) element.fail('neither UTCTime nor GeneralizedTime');
  if (!/^\d{14}Z$/.test(text)) element.fail('a GeneralizedTime that is not YYYYMMDDhhmmssZ');
  const year = Number(text.slice(0, 4));
  if (year < 2050) onOddity('GeneralizedTime-before-2050');
  return moment(element, year, text.slice(4));
}

/** `rest` is MMDDhhmmssZ. */
function moment(element: DerElement, year: number, rest: string): Date {
  const part = (at: number): number => Number(rest.slice(at, at + 2));
  const [month, day, hour, minute, second] = [part(0), part(2), part(4), part(6), part(8)];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // The setters turn dates that do not exist into others: February 30 becomes a day in March.
  const exists =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!exists) element.fail('a date or time that does not exist');
  return date;
}
