import fc from 'fast-check';
import { expect, test } from 'vitest';
import { steadyPeriod, type Validity } from '../../src/x509/validity.ts';

const moments = fc.integer({ min: -5, max: 5 });
const validities = fc.array(
  fc
    .record({ notBefore: moments, notAfter: moments })
    .map(({ notBefore, notAfter }): Validity => ({ notBefore: new Date(notBefore), notAfter: new Date(notAfter) })),
  { maxLength: 4 },
);

/** What the path rules look at: both ends belong to the period. */
const states = (all: readonly Validity[], at: number): readonly string[] =>
  all.map(({ notBefore, notAfter }) => `${new Date(at) < notBefore} ${new Date(at) > notAfter}`);

test('within a steady period nothing begins or ends, and at each end of it something does', () => {
  fc.assert(
    fc.property(validities, moments, (all, now) => {
      const { from, until } = steadyPeriod(all, new Date(now));
      expect(from <= now && now <= until).toBe(true);
      const here = states(all, now);
      for (let at = Math.max(from, -8); at <= Math.min(until, 8); at++) expect(states(all, at)).toEqual(here);
      if (from !== Number.NEGATIVE_INFINITY) expect(states(all, from - 1)).not.toEqual(here);
      if (until !== Number.POSITIVE_INFINITY) expect(states(all, until + 1)).not.toEqual(here);
    }),
  );
});

test('without certificates everything is steady', () => {
  expect(steadyPeriod([], new Date(0))).toEqual({ from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY });
});
