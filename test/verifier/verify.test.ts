import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { publicKeyHash, publicKeyOf } from '../../src/tpm/public-key.ts';
import type { DenySubject, Mode } from '../../src/verifier/policy.ts';
import { begin, finish, type OperatorLists, type Pending, type Policy } from '../../src/verifier/verify.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { forger } from '../support/forger.ts';
import { mintEkChain } from '../support/pki.ts';
import { bundle, testPolicy } from '../support/policy.ts';
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

function challenged(by: Policy = policy): { readonly pending: Pending; readonly response: Uint8Array } {
  const machine = forger(device);
  const begun = begin(machine.payload, by, randomBytes, now);
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

describe('the lists in force when the answer comes', () => {
  const NONE: OperatorLists = { isListed: undefined, isDenied: undefined };
  const judged = (lists: OperatorLists | undefined, changes: Partial<Policy> = {}) => {
    const { pending, response } = challenged({ ...policy, ...changes });
    const verdict = finish(pending, response, now, lists);
    return verdict.verdict === 'trusted'
      ? [verdict.device.ek.admittedBy, ...verdict.overlooked.map(({ code }) => code)]
      : verdict.findings.map(({ code }) => code);
  };
  const denying: OperatorLists = { ...policy, isDenied: (subject) => subject.pubHash === pubHash };

  test.each<readonly [string, OperatorLists | undefined, Partial<Policy>, readonly string[]]>([
    ['none given: those of the policy', undefined, {}, ['hash']],
    ['the same', policy, {}, ['hash']],
    ['the machine denied', denying, {}, ['ek.denied']],
    ['the machine denied, unenforced', denying, { enforce: false }, ['ek.denied']],
    ['another one denied', { ...policy, isDenied: () => false }, {}, ['hash']],
    ['the machine listed no longer', { ...NONE, isListed: () => false }, {}, ['ek.not_listed']],
    ['no list any longer', NONE, {}, ['ek.not_listed']],
    ['no list any longer, unenforced', NONE, { enforce: false }, ['unenforced', 'ek.not_listed']],
  ])('%s', (_, lists, changes, outcome) => {
    expect(judged(lists, changes)).toEqual(outcome);
  });

  const certified = { bundles: [bundle(anchorsOf([mintEkChain().root.certificate]))] };
  test.each<readonly [Mode, readonly string[], readonly string[]]>([
    ['certificate', ['certificate'], ['certificate']],
    ['either', ['hash'], ['certificate']],
    ['both', ['both'], ['ek.not_listed']],
    ['hash', ['hash'], ['ek.not_listed']],
  ])('in mode %s of a machine with a certificate', (mode, before, after) => {
    expect(judged(policy, { ...certified, mode })).toEqual(before);
    expect(judged(NONE, { ...certified, mode })).toEqual(after);
  });

  test('name it by the serial number of a certificate that nobody asked for', () => {
    const serials: (Uint8Array | undefined)[] = [];
    const isDenied = ({ serial }: DenySubject): boolean => serials.push(serial) > 0;
    expect(judged({ ...policy, isDenied })).toEqual(['ek.denied']);
    expect(serials).toEqual([mintEkChain().leaf.certificate.serial]);
  });
});

test('a date that is none is the caller’s mistake', () => {
  const { pending, response } = challenged();
  const never = new Date(Number.NaN);
  expect(() => begin(payload, policy, randomBytes, never)).toThrow(TypeError);
  expect(() => finish(pending, response, never)).toThrow(TypeError);
});
