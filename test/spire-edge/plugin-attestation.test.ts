import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NodeAttestorClient } from '../../src/spire/gen/spire/plugin/server/nodeattestor/v1/nodeattestor.ts';
import { PEER_SENTENCE, STATUS, StatusError } from '../../src/spire/status.ts';
import { serverAttestation } from '../../src/testing/plugin-host/host-attestation.ts';
import type { PluginHost } from '../../src/testing/plugin-host/plugin-host.ts';
import { until } from '../support/processes.ts';
import { Toy, text, utf8 } from './toy.ts';

let toy: Toy;
beforeAll(async () => {
  toy = await Toy.make();
});
afterEach(() => toy.stopAll());
afterAll(() => toy.remove());

const CLIENT_IP = '192.0.2.8';

/** What the first answer to a payload is, or the status. */
async function answer(host: PluginHost<'server'>, payload: string): Promise<unknown> {
  const call = host.openAttestation({ 'x-forwarded-client-ip': CLIENT_IP });
  try {
    call.sendPayload(utf8(payload));
    return await call.next();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { code: error.code, message: error.message };
  } finally {
    call.cancel();
  }
}

/** The answer without the attestation's id, and the warning that the log has under this id. */
async function refusal(host: PluginHost<'server'>, payload: string): Promise<unknown> {
  const { code, message } = (await answer(host, payload)) as { readonly code: number; readonly message: string };
  const [, text, id] = /^(.*) \(attestation ([0-9a-f]{8})\)$/.exec(message) ?? [];
  const warning = () => toy.logs.find(({ level, fields }) => level === 'warn' && fields['attestation'] === id);
  await until(() => warning() !== undefined);
  expect(warning()?.fields['client_ip']).toBe(CLIENT_IP);
  return { code, message: text, logged: warning()?.message };
}

async function wholeAttestation(host: PluginHost<'server'>, name: string): Promise<readonly string[]> {
  const call = host.openAttestation();
  try {
    call.sendPayload(utf8(name));
    const challenge = await call.next();
    if (challenge.kind !== 'challenge') throw new Error('no challenge');
    call.sendChallengeResponse(utf8(`response to ${text(challenge.bytes)}`));
    const attributes = await call.next();
    return attributes.kind === 'agent_attributes' ? attributes.selectorValues : [];
  } finally {
    call.cancel();
  }
}

describe('a server plugin', () => {
  it('takes a payload, challenges, and gives attributes for the response', async () => {
    const host = await toy.configured('server', 'greeting = "hi"');
    expect(await wholeAttestation(host, 'a')).toEqual(['hi', 'challenge_response:response to challenge for a']);
  });

  it('refuses an attestation before it is configured', async () => {
    const host = await toy.start('server');
    expect(await answer(host, 'a')).toEqual({ code: STATUS.FAILED_PRECONDITION, message: 'not configured' });
  });

  it('hands the metadata of the host to the handler', async () => {
    const host = await toy.configured('server');
    const call = host.openAttestation({ 'x-forwarded-client-ip': '192.0.2.7' });
    call.sendPayload(utf8('metadata'));
    expect(await call.next()).toMatchObject({
      selectorValues: expect.arrayContaining(['x-forwarded-client-ip=192.0.2.7']),
    });
    call.cancel();
  });

  it('gives the code and message of a StatusError, and keeps its cause for the log', async () => {
    const host = await toy.configured('server');
    const refused = { code: STATUS.PERMISSION_DENIED, message: 'attestation refused' };
    expect(await answer(host, 'deny')).toEqual(refused);
    expect(await answer(host, 'deny with cause')).toEqual(refused);
    await until(() => toy.record('attestation refused') !== undefined);
    expect(toy.record('attestation refused')).toMatchObject({ level: 'error', fields: { error: 'kept here' } });
  });

  it('never answers UNKNOWN, nor with text that has no encoding', async () => {
    const host = await toy.configured('server');
    expect(await answer(host, 'unknown')).toEqual({ code: STATUS.INTERNAL, message: 'odd   text second line' });
  });

  it.each(['reject', 'reject with a string'])(
    'answers INTERNAL without the reason when its handler does %s, and logs the reason under the same id',
    async (payload) => {
      const host = await toy.configured('server');
      const status = (await answer(host, payload)) as { code: number; message: string };
      expect(status.code).toBe(STATUS.INTERNAL);
      const id = /^internal error \(attestation ([0-9a-f]{8})\)$/.exec(status.message)?.[1];
      await until(() => toy.record('unexpected error') !== undefined);
      expect(toy.record('unexpected error')).toMatchObject({
        level: 'error',
        fields: { attestation: id, error: expect.stringContaining('secret') },
      });
    },
  );

  it.each(['nothing', 'only a challenge'])(
    'answers INTERNAL when its handler returns after sending %s',
    async (payload) => {
      const host = await toy.configured('server');
      const call = host.openAttestation();
      call.sendPayload(utf8(payload));
      const last = payload === 'nothing' ? call.next() : call.next().then(() => call.next());
      await expect(last).rejects.toMatchObject({ code: STATUS.INTERNAL, message: /^internal error/ });
    },
  );

  it('keeps the attributes when its handler fails after them', async () => {
    const host = await toy.configured('server');
    expect(await answer(host, 'fail after the answer')).toMatchObject({ selectorValues: ['first'] });
    expect(await wholeAttestation(host, 'next')).toHaveLength(2);
  });

  it('survives an exception and a rejection that nobody caught, and logs each as one error record', async () => {
    const host = await toy.configured('server');
    expect(await answer(host, 'stray')).toMatchObject({ selectorValues: ['survived'] });
    await until(() => toy.logs.filter((record) => record.message === 'uncaught error').length === 2);
    const stray = toy.logs.filter((record) => record.message === 'uncaught error');
    expect(stray.map((record) => record.level)).toEqual(['error', 'error']);
    expect(stray.map((record) => record.fields['error']).sort()).toEqual(['stray exception', 'stray rejection']);
    expect(await wholeAttestation(host, 'next')).toHaveLength(2);
  });

  it('sends what libraries print to the log, and nothing to standard output', async () => {
    const host = await toy.configured('server');
    expect(await answer(host, 'noise')).toMatchObject({ selectorValues: ['noisy'] });
    await until(() => toy.logs.filter((record) => record.message.startsWith('to ')).length === 5);
    expect(toy.logs.filter((record) => record.raw !== undefined)).toEqual([]);
    expect(toy.record('to console.log 1')).toMatchObject({ level: 'info' });
    expect(toy.record('to console.error')).toMatchObject({ level: 'error' });
    expect(toy.record('to process.stdout')).toMatchObject({ level: 'debug', fields: { stream: 'stdout' } });
    expect(toy.record('to emitWarning')).toMatchObject({ level: 'warn', fields: { code: 'TOY1' } });
  });

  it('sees the end of the host’s side', async () => {
    const host = await toy.configured('server');
    const call = host.openAttestation();
    call.sendPayload(utf8('end'));
    call.end();
    expect(await call.next()).toMatchObject({ selectorValues: ['after end: undefined'] });
    call.cancel();
  });

  it('frees its handler when the host cancels', async () => {
    const host = await toy.configured('server');
    const call = host.openAttestation();
    call.sendPayload(utf8('hang'));
    await answer(host, 'deny');
    call.cancel();
    await until(() => toy.logs.some((record) => record.message === 'aborted' && record.fields['payload'] === 'hang'));
    const aborted = toy.logs.find((record) => record.fields['payload'] === 'hang');
    expect(aborted?.fields['reason']).toContain('cancelled by the host');
    expect(await wholeAttestation(host, 'next')).toHaveLength(2);
  });

  it('answers when the host keeps writing without waiting', async () => {
    const host = await toy.configured('server');
    const call = host.openAttestation();
    call.sendPayload(utf8('a'));
    for (let i = 0; i < 500; i += 1) call.sendChallengeResponse(new Uint8Array(1024));
    expect(await call.next()).toMatchObject({ kind: 'challenge' });
    expect(await call.next()).toMatchObject({ kind: 'agent_attributes' });
    call.cancel();
  });
});

describe('limits', () => {
  it('refuses a message above its own limit, and takes one at the limit', async () => {
    const host = await toy.configured('server', 'max_message_bytes = 1000');
    expect(await refusal(host, 'x'.repeat(1001))).toEqual({
      code: STATUS.RESOURCE_EXHAUSTED,
      message: PEER_SENTENCE.server,
      logged: 'attestation refused: payload of 1001 bytes is larger than 1000',
    });
    expect(await answer(host, 'x'.repeat(1000))).toMatchObject({ kind: 'challenge' });
  });

  it('refuses a message above what gRPC takes, and goes on', async () => {
    const host = await toy.configured('server');
    expect(await answer(host, 'x'.repeat(4_194_305))).toMatchObject({ code: STATUS.RESOURCE_EXHAUSTED });
    expect(await wholeAttestation(host, 'next')).toHaveLength(2);
  });

  it('ends an attestation whose handler hangs', async () => {
    const host = await toy.configured('server', 'attest_timeout = "100ms"');
    expect(await refusal(host, 'hang')).toEqual({
      code: STATUS.DEADLINE_EXCEEDED,
      message: PEER_SENTENCE.server,
      logged: 'attestation refused: attestation took longer than 100 ms',
    });
  });

  it('ends an attestation whose host never answers the challenge', async () => {
    const host = await toy.configured('server', 'attest_timeout = "100ms"');
    const call = host.openAttestation();
    call.sendPayload(utf8('a'));
    await call.next();
    await expect(call.next()).rejects.toMatchObject({ code: STATUS.DEADLINE_EXCEEDED });
  });

  it('takes so many attestations at once and no more, and the next one when one has ended', async () => {
    const host = await toy.configured('server', 'max_concurrent = 2');
    const held = [host.openAttestation(), host.openAttestation()];
    for (const call of held) {
      call.sendPayload(utf8('a'));
      await call.next();
    }
    expect(await refusal(host, 'a')).toEqual({
      code: STATUS.RESOURCE_EXHAUSTED,
      message: PEER_SENTENCE.server,
      logged: 'attestation refused: too many attestations under way',
    });
    held[0]?.cancel();
    await until(async () => ((await answer(host, 'a')) as { kind?: string }).kind === 'challenge');
    held[1]?.cancel();
  });

  it('serves 200 attestations at once, each its own answer', async () => {
    const host = await toy.configured('server');
    const names = Array.from({ length: 200 }, (_, index) => `node ${index}`);
    const answers = await Promise.all(names.map((name) => wholeAttestation(host, name)));
    expect(answers.map((selectors) => selectors[1])).toEqual(
      names.map((name) => `challenge_response:response to challenge for ${name}`),
    );
  });
});

describe('connections', () => {
  it('serves on after more cancelled streams than Node takes on one connection', async () => {
    const host = await toy.configured('server');
    for (let round = 0; round < 24; round += 1) {
      // A grpc-js host loses the calls that are under way when the connection ends; the plugin must not mind.
      await Promise.allSettled(Array.from({ length: 64 }, (_, index) => wholeAttestation(host, `${round}.${index}`)));
    }
    expect(await wholeAttestation(host, 'next')).toHaveLength(2);
    expect(await host.stop()).toMatchObject({ graceful: true });
  });

  it('serves a second connection after the first one is gone', async () => {
    const host = await toy.configured('server');
    for (let i = 0; i < 2; i += 1) {
      const client = new NodeAttestorClient(`unix:${host.socketPath}`, credentials.createInsecure());
      const call = serverAttestation(client.attest());
      call.sendPayload(utf8('deny'));
      await expect(call.next()).rejects.toMatchObject({ code: STATUS.PERMISSION_DENIED });
      client.close();
    }
    expect(await wholeAttestation(host, 'next')).toHaveLength(2);
  });
});

describe('an agent plugin', () => {
  it('sends its payload unasked and answers each challenge', async () => {
    const host = await toy.configured('agent', 'greeting = "from agent"');
    const call = host.openAttestation();
    expect(await call.next()).toEqual({ kind: 'payload', bytes: utf8('from agent') });
    for (const challenge of ['one', 'two']) {
      call.sendChallenge(utf8(challenge));
      expect(await call.next()).toEqual({ kind: 'challenge_response', bytes: utf8(`answer to ${challenge}`) });
    }
    call.cancel();
  });

  it('ends with the status of its handler', async () => {
    const host = await toy.configured('agent', 'greeting = "fail"');
    await expect(host.openAttestation().next()).rejects.toMatchObject({
      code: STATUS.UNAVAILABLE,
      message: 'TPM is busy',
    });
  });

  it('answers INTERNAL when its handler returns without a payload', async () => {
    const host = await toy.configured('agent', 'greeting = "no payload"');
    await expect(host.openAttestation().next()).rejects.toMatchObject({ code: STATUS.INTERNAL });
  });
});
