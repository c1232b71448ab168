/** Replay: an answer counts once, for one challenge, one payload, one trust domain. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { commitment } from '../../src/evidence/binding.ts';
import { decodeChallenge, decodeResponse, encodeResponse } from '../../src/evidence/messages.ts';
import { type Forger, type Forgery, forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { digest, softwareDevice } from '../support/software-device.ts';

const judge = useJudge({ preload: fileURLToPath(new URL('../support/clock-ahead.cjs', import.meta.url)) });
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An exchange that was accepted, as somebody on the way has it. */
async function recorded(): Promise<{ readonly forger: Forger; readonly response: Uint8Array }> {
  const honest = forger(softwareDevice());
  let response: Uint8Array = new Uint8Array();
  const judgement = await judge.judge({
    payload: honest.payload,
    answer: (challenge) => {
      response = honest.answer(challenge);
      return response;
    },
  });
  expect(judgement).toMatchObject({ outcome: 'admitted' });
  return { forger: honest, response };
}

/** An honest answer with parts of another one in it. */
function mixed(honest: Forger, other: Uint8Array, ...parts: readonly ('secret' | 'quote')[]): Forger {
  return {
    payload: honest.payload,
    answer: (challenge) => {
      const own = decodeResponse(honest.answer(challenge));
      const { secret, ...quote } = decodeResponse(other);
      return encodeResponse({
        ...own,
        ...(parts.includes('secret') ? { secret } : {}),
        ...(parts.includes('quote') ? quote : {}),
      });
    },
  };
}

test('A01 refuses a whole exchange replayed on a new stream', async () => {
  const { forger: honest, response } = await recorded();
  await judge.refused(
    await judge.judge({ payload: honest.payload, answer: () => response }),
    'response.other_exchange',
  );
});

test('A01 refuses an earlier quote with the new secret', async () => {
  const { forger: honest, response } = await recorded();
  await judge.refused(await judge.judge(mixed(honest, response, 'quote')), 'quote.commitment');
});

test('A01 refuses a right answer that comes after the challenge has expired', async () => {
  const honest = forger(softwareDevice());
  const stream = judge.host.openAttestation();
  stream.sendPayload(honest.payload);
  const challenge = await stream.next();
  if (challenge.kind !== 'challenge') throw new Error('no challenge');
  process.kill(judge.host.pid, 'SIGUSR2');
  await judge.until(() => judge.records.some(({ message }) => message.includes('the clock is ahead')));
  await judge.refused(await judge.answered(stream, honest.answer(challenge.bytes)), 'response.late');
});

test('A02 refuses a commitment that is longer, shorter, empty or in another encoding', async () => {
  const spellings: readonly NonNullable<Forgery['extraData']>[] = [
    (bytes) => concat(bytes, Uint8Array.of(0)),
    (bytes) => bytes.slice(0, -1),
    (bytes) => bytes.slice(0, 16),
    () => new Uint8Array(),
    (bytes) => ascii(Buffer.from(bytes).toString('base64')),
    (bytes) => ascii(hex(bytes)),
  ];
  for (const extraData of spellings) await judge.refuses({ extraData }, 'quote.commitment');
});

test('A03 refuses the answer to another stream of the same machine', async () => {
  const honest = forger(softwareDevice());
  const streams = [judge.host.openAttestation(), judge.host.openAttestation()] as const;
  for (const stream of streams) stream.sendPayload(honest.payload);
  const [first, second] = [await streams[0].next(), await streams[1].next()];
  if (first.kind !== 'challenge' || second.kind !== 'challenge') throw new Error('no challenge');
  const crossed = await judge.answered(streams[1], honest.answer(first.bytes));
  expect(await judge.answered(streams[0], honest.answer(first.bytes))).toMatchObject({ outcome: 'admitted' });
  await judge.refused(crossed, 'response.other_exchange');
});

test('A03 refuses the quote of another stream with the right secret', async () => {
  const honest = forger(softwareDevice());
  const other = judge.host.openAttestation();
  other.sendPayload(honest.payload);
  const challenge = await other.next();
  if (challenge.kind !== 'challenge') throw new Error('no challenge');
  await judge.refused(await judge.judge(mixed(honest, honest.answer(challenge.bytes), 'quote')), 'quote.commitment');
  other.cancel();
});

test('A03 takes one answer: after a wrong answer no right one counts on the same stream', async () => {
  const honest = forger(softwareDevice());
  const stream = judge.host.openAttestation();
  stream.sendPayload(honest.payload);
  const challenge = await stream.next();
  if (challenge.kind !== 'challenge') throw new Error('no challenge');
  const right = honest.answer(challenge.bytes);
  const wrong = encodeResponse({ ...decodeResponse(right), secret: new Uint8Array(32) });
  stream.sendChallengeResponse(wrong);
  await judge.refused(await judge.answered(stream, right), 'credential.secret');
});

test('A03 makes a new challenge every time', async () => {
  const honest = forger(softwareDevice());
  const seen = { nonce: new Set<string>(), secret: new Set<string>() };
  for (let i = 0; i < 3; i++) {
    const judgement = await judge.judge({
      payload: honest.payload,
      answer: (challenge) => {
        const response = honest.answer(challenge);
        seen.nonce.add(hex(decodeChallenge(challenge).nonce));
        seen.secret.add(hex(decodeResponse(response).secret));
        return response;
      },
    });
    expect(judgement).toMatchObject({ outcome: 'admitted' });
  }
  expect({ nonces: seen.nonce.size, secrets: seen.secret.size }).toEqual({ nonces: 3, secrets: 3 });
});

test('A04 refuses a quote over the nonce alone', () =>
  judge.refuses({ extraData: (_, { nonce }) => nonce }, 'quote.commitment'));

test('A04 refuses a quote made for another trust domain', () =>
  judge.refuses(
    { extraData: (_, { payload, challenge }) => commitment('example.com', payload, challenge) },
    'quote.commitment',
  ));

test('A04 refuses a quote made under another label', () => {
  const relabelled: Forgery['extraData'] = (_, { payload, challenge }) => {
    const domain = ascii('example.org');
    const header = concat(ascii('tpm-attestor/quote/2'), Uint8Array.of(0, domain.length), domain);
    return digest('sha256', header, digest('sha256', payload), digest('sha256', challenge));
  };
  return judge.refuses({ extraData: relabelled }, 'quote.commitment');
});

test('A04 refuses a payload made for another trust domain', () =>
  judge.refuses({ payload: (payload) => ({ ...payload, trustDomain: 'example.com' }) }, 'evidence.trust_domain'));

test('A04 refuses a quote made for another payload of the same machine', () => {
  const other = forger(softwareDevice(), { payload: (payload) => ({ ...payload, pcrBanks: [0x000b, 0x000c] }) });
  return judge.refuses(
    { extraData: (_, { challenge }) => commitment('example.org', other.payload, challenge) },
    'quote.commitment',
  );
});

test('A05 refuses the PCR values of another machine with a right quote', () => {
  const other = softwareDevice({ label: 'other machine' });
  return judge.refuses({ values: (values) => values.map((_, index) => other.pcr(0x000b, index)) }, 'quote.pcr_digest');
});
