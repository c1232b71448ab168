import { expect, test } from 'vitest';
import { Tolerances } from '../../src/server-plugin/tolerance-counts.ts';

test('each name is counted by itself, this time included', () => {
  const tolerances = new Tolerances();
  expect(tolerances.count([])).toEqual([]);
  expect(tolerances.count(['a'])).toEqual(['a=1']);
  expect(tolerances.count(['b', 'a'])).toEqual(['b=1', 'a=2']);
  expect(tolerances.count(['constructor'])).toEqual(['constructor=1']);
  expect(new Tolerances().count(['a'])).toEqual(['a=1']);
});
