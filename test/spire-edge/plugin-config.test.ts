import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { STATUS } from '../../src/spire/status.ts';
import type { PluginHost } from '../../src/testing/plugin-host/plugin-host.ts';
import { Toy, text } from './toy.ts';

let toy: Toy;
beforeAll(async () => {
  toy = await Toy.make();
});
afterEach(() => toy.stopAll());
afterAll(() => toy.remove());

/** The agent toy says its `greeting` as payload: which configuration is in force. */
async function greeting(host: PluginHost<'agent'>): Promise<string> {
  const call = host.openAttestation();
  const payload = await call.next();
  call.cancel();
  return text(payload.bytes);
}

describe('Configure', () => {
  it('takes an empty text, which is absent on the wire', async () => {
    const host = await toy.start('agent');
    await host.configure('', 'example.org');
    expect(await greeting(host)).toBe('hello');
  });

  it('takes JSON as well as HCL', async () => {
    const host = await toy.configured('agent', '{"greeting": "json"}');
    expect(await greeting(host)).toBe('json');
  });

  it.each([
    ['greeting =', /"greeting" has no value \(line 1, column 1\)/],
    ['greeting = "a"\ngreeting = "b"', /"greeting" was already given in line 1 \(line 2, column 1\)/],
    ['greting = "a"', /line 1: "greting" is not an option; did you mean "greeting"\?/],
  ])('refuses %j with INVALID_ARGUMENT and the place, and keeps the configuration in force', async (hcl, message) => {
    const host = await toy.configured('agent', 'greeting = "first"');
    await expect(host.configure(hcl, 'example.org')).rejects.toMatchObject({
      code: STATUS.INVALID_ARGUMENT,
      message: expect.stringMatching(message),
    });
    expect(await greeting(host)).toBe('first');
    await host.configure('greeting = "second"', 'example.org');
    expect(await greeting(host)).toBe('second');
  });

  it('answers INTERNAL without the reason when it fails unexpectedly, and keeps the configuration in force', async () => {
    const host = await toy.configured('agent', 'greeting = "first"');
    await expect(host.configure('broken = true', 'example.org')).rejects.toMatchObject({
      code: STATUS.INTERNAL,
      message: 'internal error',
    });
    await expect
      .poll(() => toy.record('unexpected error')?.fields)
      .toMatchObject({ error: 'cannot read /secret/path' });
    expect(await greeting(host)).toBe('first');
  });

  it('refuses a request without trust domain', async () => {
    const host = await toy.start('agent');
    await expect(host.configure('', '')).rejects.toMatchObject({ code: STATUS.INVALID_ARGUMENT });
  });

  it('leaves the old configuration in force while it works, and the last text given afterwards', async () => {
    const host = await toy.configured('agent', 'greeting = "first"');
    const slow = host.configure('greeting = "slow" slow = "300ms"', 'example.org');
    const quick = host.configure('greeting = "last"', 'example.org');
    expect(await greeting(host)).toBe('first');
    await Promise.all([slow, quick]);
    expect(await greeting(host)).toBe('last');
  });

  it('does not change an attestation under way', async () => {
    const host = await toy.configured('server', 'greeting = "first"');
    const call = host.openAttestation();
    call.sendPayload(new Uint8Array([1]));
    await call.next();
    await host.configure('greeting = "second"', 'example.org');
    call.sendChallengeResponse(new Uint8Array([1]));
    expect(await call.next()).toMatchObject({ selectorValues: ['first', expect.any(String)] });
    call.cancel();
  });
});

describe('Validate', () => {
  it('accepts what Configure accepts, and configures nothing', async () => {
    const host = await toy.start('agent');
    expect(await host.validate('greeting = "x"', 'example.org')).toEqual({ valid: true, notes: [] });
    await expect(host.openAttestation().next()).rejects.toMatchObject({ code: STATUS.FAILED_PRECONDITION });
  });

  it.each([
    ['greeting =', ['"greeting" has no value (line 1, column 1)']],
    ['a = 1\nb = 2', [expect.stringMatching(/^line 1: "a"/), expect.stringMatching(/^line 2: "b"/)]],
  ])('notes every problem of %j, since SPIRE looks at notes alone', async (hcl, notes) => {
    const host = await toy.start('agent');
    expect(await host.validate(hcl, 'example.org')).toEqual({ valid: false, notes });
  });
});
