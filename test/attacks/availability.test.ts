/** Attestations that are not meant to succeed: what they cost, and what the peer learns of the server by them. */
import { expect, test } from 'vitest';
import { STATUS } from '../../src/spire/status.ts';
import type { ServerAttestation } from '../../src/testing/plugin-host/host-attestation.ts';
import { type Forger, forger } from '../support/forger.ts';
import { REFUSAL, useJudge } from '../support/judge.ts';
import { softwareDevice } from '../support/software-device.ts';

const judge = useJudge();
const narrow = useJudge({ config: 'max_concurrent = 2\nattest_timeout = "1s"\nmax_message_bytes = 4096' });
const PER_KEY = 4;

const machine = forger(softwareDevice());
const other = forger(softwareDevice({ label: 'other machine' }));

/** A stream whose challenge has come. */
async function challenged(server: typeof judge, { payload }: Forger): Promise<[ServerAttestation, Uint8Array]> {
  const stream = server.open();
  stream.sendPayload(payload);
  const challenge = await stream.next();
  if (challenge.kind !== 'challenge') throw new Error('no challenge');
  return [stream, challenge.bytes];
}

test('tells the size limit to the log and not to the peer', async () => {
  const stream = narrow.open();
  stream.sendPayload(new Uint8Array(4097));
  const reason = 'payload of 4097 bytes is larger than 4096';
  await narrow.turnedAway(stream.next(), STATUS.RESOURCE_EXHAUSTED, reason);
});

test('tells the time limit to the log and not to the peer', async () => {
  const [stream] = await challenged(narrow, machine);
  await narrow.turnedAway(stream.next(), STATUS.DEADLINE_EXCEEDED, 'attestation took longer than 1000 ms');
});

test('refuses a second payload, and silence, instead of an answer', async () => {
  const [twice] = await challenged(judge, machine);
  twice.sendPayload(machine.payload);
  await judge.turnedAway(twice.next(), STATUS.INVALID_ARGUMENT, 'the challenge was not answered');
  const [silent] = await challenged(judge, machine);
  silent.end();
  await judge.turnedAway(silent.next(), STATUS.INVALID_ARGUMENT, 'the challenge was not answered');
});

test('logs one record for all attestations that it refuses over the limit', async () => {
  const held = [(await challenged(narrow, machine))[0], (await challenged(narrow, other))[0]];
  const before = narrow.records.length;
  const refused = Array.from({ length: 50 }, async () => {
    const stream = narrow.open();
    stream.sendPayload(machine.payload);
    await expect(stream.next()).rejects.toMatchObject({
      code: STATUS.RESOURCE_EXHAUSTED,
      message: expect.stringMatching(REFUSAL),
    });
  });
  await Promise.all(refused);
  await Promise.all(
    held.map((stream) => expect(stream.next()).rejects.toMatchObject({ code: STATUS.DEADLINE_EXCEEDED })),
  );
  await narrow.until(() => narrow.records.length >= before + 3);
  const told = narrow.records.slice(before).filter(({ message }) => message.includes('too many'));
  expect(told).toMatchObject([{ level: 'warn', fields: { max_concurrent: 2, times: 1 } }]);
  expect(await narrow.judge(machine)).toMatchObject({ outcome: 'admitted' });
});

test('lets one endorsement key hold four challenges, and ends the oldest for a fifth', async () => {
  const held: [ServerAttestation, Uint8Array][] = [];
  for (let i = 0; i < PER_KEY; i++) held.push(await challenged(judge, machine));
  const [oldest, ...others] = held;
  if (oldest === undefined) throw new Error('nothing is held');
  const end = oldest[0].next();
  const [stranger, strangersChallenge] = await challenged(judge, other);
  const newest = await challenged(judge, machine);
  await expect(end).rejects.toMatchObject({
    code: STATUS.RESOURCE_EXHAUSTED,
    message: expect.stringMatching(REFUSAL),
  });
  await judge.until(() =>
    judge.records.some(({ message }) => message.includes('4 later challenges of the same endorsement key')),
  );
  // All but the oldest can still be answered, and so can that of another machine.
  for (const [stream, challenge] of [...others, newest])
    expect(await judge.answered(stream, machine.answer(challenge))).toMatchObject({ outcome: 'admitted' });
  expect(await judge.answered(stranger, other.answer(strangersChallenge))).toMatchObject({ outcome: 'admitted' });
});

test('frees the place of a challenge when the answer is right or wrong, or the stream breaks off', async () => {
  const ends: ((stream: ServerAttestation, challenge: Uint8Array) => Promise<void>)[] = [
    async (stream, challenge) => {
      expect(await judge.answered(stream, machine.answer(challenge))).toMatchObject({ outcome: 'admitted' });
    },
    async (stream) => {
      expect(await judge.answered(stream, Uint8Array.of(1))).toMatchObject({ outcome: 'refused' });
    },
    async (stream) => stream.cancel(),
  ];
  const [kept, keptChallenge] = await challenged(judge, machine);
  for (const end of ends) for (let i = 0; i < PER_KEY; i++) await end(...(await challenged(judge, machine)));
  expect(await judge.answered(kept, machine.answer(keptChallenge))).toMatchObject({ outcome: 'admitted' });
});
