import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { publicKeyHash, publicKeyOf } from '../../src/tpm/public-key.ts';
import { begin, finish, type Pending } from '../../src/verifier/verify.ts';
import { forger } from '../support/forger.ts';
import { testPolicy } from '../support/policy.ts';
import { softwareDevice } from '../support/software-device.ts';

const device = softwareDevice();
const ek = publicKeyOf(device.ek.publicArea);
if (ek === undefined) throw new Error('the honest device is none');
const pubHash = publicKeyHash(ek);

const policy = testPolicy({ isListed: (hash) => hash === pubHash });
const { payload } = forger(device);
const now = new Date('2026-01-01T00:00:00Z');

test('makes a challenge of as much entropy as it asked for', () => {
  expect(begin(payload, policy, randomBytes, now).outcome).toBe('challenged');
});

test.each([-1, 1])('makes no challenge when the entropy source is off by %i byte', (difference) => {
  const source = (bytes: number) => new Uint8Array(bytes + difference).fill(7);
  expect(() => begin(payload, policy, source, now)).toThrow('the entropy source gave');
});

function challenged(): { readonly pending: Pending; readonly response: Uint8Array } {
  const machine = forger(device);
  const begun = begin(machine.payload, policy, randomBytes, now);
  if (begun.outcome !== 'challenged') throw new Error('the honest device is not challenged');
  return { pending: begun.pending, response: machine.answer(begun.challenge) };
}

test.each([
  [0, 'trusted'],
  [60_000, 'trusted'],
  [60_001, 'untrusted'],
  [-1, 'untrusted'],
  [-now.getTime(), 'untrusted'],
])('an answer %i ms after its challenge is %s', (elapsedMs, verdict) => {
  const { pending, response } = challenged();
  const judged = finish(pending, response, new Date(now.getTime() + elapsedMs));
  expect(judged.verdict).toBe(verdict);
  if (judged.verdict === 'untrusted') expect(judged.findings.map(({ code }) => code)).toEqual(['response.late']);
});

test('a date that is none is the caller’s mistake', () => {
  const { pending, response } = challenged();
  const never = new Date(Number.NaN);
  expect(() => begin(payload, policy, randomBytes, never)).toThrow(TypeError);
  expect(() => finish(pending, response, never)).toThrow(TypeError);
});
