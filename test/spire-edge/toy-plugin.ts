// A plugin whose behaviour the tests choose by the payload (server) or by the configuration (agent).
import { open } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseHcl } from '../../src/spire/config/hcl.ts';
import { describeProblem, type Options, optionTable, readOptions } from '../../src/spire/config/options.ts';
import { createLogger } from '../../src/spire/log/logger.ts';
import type { AttestationStream } from '../../src/spire/plugin/attestation-stream.ts';
import { servePlugin } from '../../src/spire/plugin/plugin-server.ts';
import { STATUS, StatusError } from '../../src/spire/status.ts';

const table = optionTable({
  greeting: { type: 'string', default: 'hello' },
  slow: { type: 'duration', default: 0 },
  broken: { type: 'boolean', default: false },
  max_message_bytes: { type: 'integer', default: 4_194_304 },
  max_concurrent: { type: 'integer', default: 512 },
  attest_timeout: { type: 'duration', default: 60_000 },
});
type ToyConfig = Options<typeof table>;

const logger = createLogger();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

function problemsOf(hcl: string): string[] {
  const read = readOptions(table, parseHcl(hcl));
  return read.ok ? [] : read.problems.map(describeProblem);
}

async function configure(hcl: string): Promise<ToyConfig> {
  const read = readOptions(table, parseHcl(hcl));
  if (!read.ok) throw new StatusError(STATUS.INVALID_ARGUMENT, read.problems.map(describeProblem).join('; '));
  await delay(read.options.slow);
  if (read.options.broken) throw new Error('cannot read /secret/path');
  return read.options;
}

async function serverAttest(stream: AttestationStream<'server'>, config: ToyConfig): Promise<void> {
  const first = await stream.receive();
  if (first === undefined) throw new StatusError(STATUS.INVALID_ARGUMENT, 'no payload');
  const told = text(first.bytes);
  stream.signal.addEventListener('abort', () =>
    logger.info('aborted', { payload: told, reason: `${stream.signal.reason}` }),
  );
  const attest = (...selectorValues: string[]): void =>
    stream.send({
      kind: 'agent_attributes',
      spiffeId: 'spiffe://example.org/spire/agent/tpm/x',
      selectorValues,
      canReattest: true,
    });
  switch (told) {
    case 'deny':
      throw new StatusError(STATUS.PERMISSION_DENIED, 'attestation refused');
    case 'deny with cause':
      throw new StatusError(STATUS.PERMISSION_DENIED, 'attestation refused', { cause: new Error('kept here') });
    case 'unknown':
      throw new StatusError(STATUS.UNKNOWN, 'odd \ud800 text\nsecond line');
    case 'reject':
      throw new Error('cannot read /secret/path');
    case 'reject with a string':
      throw 'secret text';
    case 'stray':
      setTimeout(() => {
        throw new Error('stray exception');
      });
      void Promise.reject(new Error('stray rejection'));
      await delay(20);
      return attest('survived');
    case 'noise':
      console.log('to console.log %d', 1);
      console.error('to console.error');
      process.stdout.write('to process.stdout\n');
      process.stderr.write('to process.stderr\n');
      process.emitWarning('to emitWarning', { code: 'TOY1' });
      await delay(20);
      return attest('noisy');
    case 'hang':
      return new Promise(() => {});
    case 'clean up slowly':
      await new Promise((resolve) => stream.signal.addEventListener('abort', resolve));
      await delay(300);
      logger.info('cleaned up');
      return;
    case 'block a thread':
      // The thread pool waits for a writer that never comes, as it does for a TPM that never answers.
      open(process.env['TOY_FIFO'] ?? '', 'r', () => {});
      return new Promise(() => {});
    case 'flood':
      flood(16_000);
      return stream.send({ kind: 'challenge', bytes: bytes('after the flood') });
    case 'nothing':
      return;
    case 'only a challenge':
      return stream.send({ kind: 'challenge', bytes: bytes('c') });
    case 'fail after the answer':
      attest('first');
      throw new Error('too late');
    case 'twice':
      attest('same', 'same', 'other');
      return;
    case 'metadata':
      return attest(...[...stream.metadata].map(([key, value]) => `${key}=${value}`).sort());
    case 'end':
      return attest(`after end: ${await stream.receive()}`);
    default: {
      stream.send({ kind: 'challenge', bytes: bytes(`challenge for ${told}`) });
      const response = await stream.receive();
      attest(config.greeting, response === undefined ? 'nothing' : `${response.kind}:${text(response.bytes)}`);
    }
  }
}

function flood(records: number): void {
  for (let i = 0; i < records; i += 1) logger.info('flood', { i, filler: 'x'.repeat(250) });
}

async function agentAttest(stream: AttestationStream<'agent'>, config: ToyConfig): Promise<void> {
  if (config.greeting === 'no payload') return;
  if (config.greeting === 'fail') throw new StatusError(STATUS.UNAVAILABLE, 'TPM is busy');
  if (config.greeting === 'empty payload') return stream.send({ kind: 'payload', bytes: new Uint8Array() });
  stream.send({ kind: 'payload', bytes: bytes(config.greeting) });
  for (;;) {
    const challenge = await stream.receive();
    if (challenge === undefined) return;
    stream.send({ kind: 'challenge_response', bytes: bytes(`answer to ${text(challenge.bytes)}`) });
  }
}

const plugin = {
  version: '1.2.3',
  logger,
};
const definition = {
  ...(process.env['TOY_EXIT'] === 'kill' && { exit: () => process.kill(process.pid, 'SIGKILL') }),
  config: {
    configure: async (_core: unknown, hcl: string) => configure(hcl),
    validate: async (_core: unknown, hcl: string) => problemsOf(hcl),
  },
  limits: (config: ToyConfig) => ({
    maxMessageBytes: config.max_message_bytes,
    maxConcurrent: config.max_concurrent,
    attestTimeoutMs: config.attest_timeout,
  }),
};
if (process.env['TOY_EARLY_ERROR']) setTimeout(() => Promise.reject(new Error('before the handshake')), 0);
if (process.env['TOY_FLOOD']) flood(Number(process.env['TOY_FLOOD']));
if (process.env['TOY_BANNER']) process.stdout.write('welcome\n');
if (process.argv[2] === 'agent') {
  void servePlugin({ ...plugin, kind: 'agent' }, async () => ({ ...definition, attest: agentAttest }));
} else void servePlugin({ ...plugin, kind: 'server' }, async () => ({ ...definition, attest: serverAttest }));
