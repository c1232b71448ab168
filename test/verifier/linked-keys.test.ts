import { expect, test } from 'vitest';
import { fromHex } from '../../src/bytes/bytes.ts';
import type { AcceptableAk } from '../../src/verifier/attestation-key.ts';
import type { TrustedEk } from '../../src/verifier/endorsement.ts';
import { judgeLinks, LinkedKeys } from '../../src/verifier/linked-keys.ts';
import type { DenySubject, Policy } from '../../src/verifier/policy.ts';
import { Findings } from '../../src/verifier/verdict.ts';
import { testPolicy } from '../support/policy.ts';

const pubHash = (key: string): string => Buffer.from(key.padEnd(32, '.')).toString('hex').slice(0, 64);
const akName = (key: string): Uint8Array => fromHex(`000b${pubHash(key)}`) ?? new Uint8Array();
const keys = (ek: string, ak: string, serial?: number) => ({
  ek: { pubHash: pubHash(ek), serial: serial === undefined ? undefined : Uint8Array.of(serial) } as TrustedEk,
  ak: { name: akName(ak) } as AcceptableAk,
});
const denying =
  (...eks: readonly string[]): Policy['isDenied'] =>
  (subject) =>
    eks.some((ek) => subject.pubHash === pubHash(ek));
const hashes = (subjects: readonly DenySubject[]): readonly string[] => subjects.map((one) => one.pubHash).sort();

function messages(linked: LinkedKeys, ek: string, ak: string, isDenied: Policy['isDenied']): readonly string[] {
  const findings = new Findings();
  judgeLinks(keys(ek, ak), testPolicy({ isDenied }), linked, findings);
  expect(findings.list.map(({ code }) => code)).toEqual(findings.list.map(() => 'ek.denied'));
  return findings.list.map(({ message }) => message);
}

test('endorsement keys beside one attestation key are one machine, and those of others are not', () => {
  const linked = new LinkedKeys();
  linked.remember(keys('rsa', 'ak'), undefined);
  linked.remember(keys('ecc', 'ak'), undefined);
  linked.remember(keys('other', 'other ak'), undefined);
  expect(linked.size).toBe(2);
  expect(hashes(linked.with({ pubHash: pubHash('rsa') }))).toEqual([pubHash('rsa'), pubHash('ecc')].sort());
  expect(hashes(linked.with({ pubHash: pubHash('new'), akName: akName('ak') }))).toEqual(
    [pubHash('rsa'), pubHash('ecc')].sort(),
  );
  expect(linked.with({ pubHash: pubHash('new'), akName: akName('new') })).toEqual([]);
});

test('what was seen apart becomes one machine when two of its keys are seen together', () => {
  const linked = new LinkedKeys();
  linked.remember(keys('rsa', 'ak'), undefined);
  linked.remember(keys('ecc', 'second ak'), undefined);
  expect(linked.size).toBe(2);
  linked.remember(keys('rsa', 'second ak'), undefined);
  expect(linked.size).toBe(1);
  expect(hashes(linked.with({ pubHash: pubHash('ecc'), akName: akName('ak') }))).toHaveLength(2);
});

test('a denied machine is denied by its other keys, and named by all of them', () => {
  const linked = new LinkedKeys();
  linked.remember(keys('rsa', 'ak'), undefined);
  linked.remember(keys('third', 'ak'), undefined);
  const [message = ''] = messages(linked, 'ecc', 'ak', denying('rsa'));
  for (const key of ['rsa', 'third', 'ecc']) expect(message).toContain(pubHash(key));
  // By the endorsement key it had been seen with, whatever attestation key it makes now.
  expect(messages(linked, 'third', 'new ak', denying('rsa'))).toHaveLength(1);
  expect(messages(linked, 'ecc', 'new ak', denying('rsa'))).toEqual([]);
  expect(messages(linked, 'ecc', 'ak', denying('ecc', 'nobody'))).toEqual([]);
  expect(messages(linked, 'ecc', 'ak', undefined)).toEqual([]);
});

test('a denial by serial number counts too', () => {
  const linked = new LinkedKeys();
  linked.remember(keys('rsa', 'ak', 7), undefined);
  expect(messages(linked, 'ecc', 'ak', ({ serial }) => serial?.[0] === 7)).toHaveLength(1);
  expect(messages(linked, 'ecc', 'ak', ({ serial }) => serial?.[0] === 8)).toEqual([]);
});

test('memory is bounded: the longest unseen goes first, a denied machine last', () => {
  const linked = new LinkedKeys(3);
  const isDenied = denying('0');
  for (let i = 0; i < 50; i++) linked.remember(keys(`${i}`, `ak ${i}`), isDenied);
  expect(linked.size).toBe(3);
  const known = Array.from({ length: 50 }, (_, i) => i).filter((i) => linked.with({ pubHash: pubHash(`${i}`) }).length);
  expect(known).toEqual([0, 48, 49]);
  // However many are denied.
  const many = new LinkedKeys(100);
  const isOfFirst = ({ pubHash: hash }: { readonly pubHash: string }): boolean =>
    Array.from({ length: 40 }, (_, i) => pubHash(`${i}`)).includes(hash);
  for (let i = 0; i < 130; i++) many.remember(keys(`${i}`, `ak ${i}`), isOfFirst);
  const left = Array.from({ length: 130 }, (_, i) => i).filter((i) => many.with({ pubHash: pubHash(`${i}`) }).length);
  expect(left).toEqual([...Array(40).keys(), ...Array.from({ length: 60 }, (_, i) => 70 + i)]);
  expect(many.size).toBe(100);
  // More denied machines than there is room for, and more attestation keys than a machine needs.
  for (let i = 0; i < 50; i++) linked.remember(keys(`${i}`, `ak ${i}`), () => true);
  expect(linked.size).toBe(3);
  const one = new LinkedKeys();
  for (let i = 0; i < 100; i++) one.remember(keys('rsa', `ak ${i}`), undefined);
  expect(one.size).toBe(1);
  expect(one.with({ pubHash: 'x', akName: akName('ak 0') })).toEqual([]);
  expect(one.with({ pubHash: 'x', akName: akName('ak 99') })).toHaveLength(1);
});
