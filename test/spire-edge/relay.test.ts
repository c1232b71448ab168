import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { STATUS } from '../../src/spire/status.ts';
import { AttestationFailed, relayAttestation } from '../../src/testing/plugin-host/relay.ts';
import { Toy, text, utf8 } from './toy.ts';

let toy: Toy;
beforeAll(async () => {
  toy = await Toy.make();
});
afterEach(() => toy.stopAll());
afterAll(() => toy.remove());

async function failed(attestation: Promise<unknown>): Promise<AttestationFailed> {
  const error = await attestation.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof AttestationFailed)) throw new Error(`no AttestationFailed: ${error}`);
  return error;
}

describe('an attestation between two plugins', () => {
  it('ends with what spire-server would store', async () => {
    const [agent, server] = await Promise.all([toy.configured('agent', 'greeting = "p"'), toy.configured('server')]);
    expect(await relayAttestation(agent, server)).toEqual({
      agentId: 'spiffe://example.org/spire/agent/tpm/x',
      selectors: ['tpm:hello', 'tpm:challenge_response:answer to challenge for p'],
      canReattest: true,
    });
    expect(await relayAttestation(agent, server, { name: 'other', onPayload: () => utf8('twice') })).toMatchObject({
      selectors: ['other:same', 'other:other'],
    });
  });

  it('shows every message to its hook, and delivers what the hook says', async () => {
    const [agent, server] = await Promise.all([toy.configured('agent', 'greeting = "p"'), toy.configured('server')]);
    const seen: string[] = [];
    const change = (name: string) => async (bytes: Uint8Array) => {
      seen.push(`${name}: ${text(bytes)}`);
      return utf8(`changed ${name}`);
    };
    const attested = await relayAttestation(agent, server, {
      onPayload: change('payload'),
      onChallenge: change('challenge'),
      onResponse: change('response'),
    });
    expect(seen).toEqual([
      'payload: p',
      'challenge: challenge for changed payload',
      'response: answer to changed challenge',
    ]);
    expect(attested.selectors).toContain('tpm:challenge_response:changed response');
  });

  it('relays an empty response, as SPIRE does', async () => {
    const [agent, server] = await Promise.all([toy.configured('agent'), toy.configured('server')]);
    const attested = await relayAttestation(agent, server, { onResponse: () => new Uint8Array() });
    expect(attested.selectors).toContain('tpm:challenge_response:');
  });

  it('fails with the server plugin’s status under the attestor’s name', async () => {
    const [agent, server] = await Promise.all([toy.configured('agent', 'greeting = "deny"'), toy.configured('server')]);
    expect(await failed(relayAttestation(agent, server))).toMatchObject({
      side: 'server',
      code: STATUS.PERMISSION_DENIED,
      message: 'nodeattestor(tpm): attestation refused',
    });
  });

  it.each([
    ['fail', STATUS.UNAVAILABLE, 'nodeattestor(tpm): TPM is busy'],
    ['empty payload', STATUS.INTERNAL, 'nodeattestor(tpm): plugin response missing payload'],
  ])('fails on the agent’s side when its plugin does %j', async (greeting, code, message) => {
    const [agent, server] = await Promise.all([
      toy.configured('agent', `greeting = "${greeting}"`),
      toy.configured('server'),
    ]);
    expect(await failed(relayAttestation(agent, server))).toMatchObject({ side: 'agent', code, message });
  });

  it.each([
    ['an empty payload', 0, STATUS.INVALID_ARGUMENT],
    ['more than one message of SPIRE’s API holds', 4_194_300, STATUS.RESOURCE_EXHAUSTED],
  ])('refuses %s before the server plugin sees it', async (_what, length, code) => {
    const [agent, server] = await Promise.all([toy.configured('agent'), toy.configured('server')]);
    const error = await failed(relayAttestation(agent, server, { onPayload: () => new Uint8Array(length) }));
    expect(error).toMatchObject({ side: 'server', code });
  });

  it('fails with UNAVAILABLE when the server plugin is dead', async () => {
    const [agent, server] = await Promise.all([toy.configured('agent'), toy.configured('server')]);
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
    expect(await failed(relayAttestation(agent, server))).toMatchObject({ side: 'server', code: STATUS.UNAVAILABLE });
  });

  it('is repeated 1,200 times over the same processes and connections, none lost', async () => {
    const [agent, server] = await Promise.all([toy.configured('agent'), toy.configured('server')]);
    for (let round = 0; round < 60; round += 1) {
      await Promise.all(Array.from({ length: 20 }, () => relayAttestation(agent, server)));
    }
  });
});
