/** Connects an agent plugin and a server plugin, in place of spire-agent and spire-server. */
import { STATUS, StatusError } from '../../spire/status.ts';
import type { PluginHost } from './plugin-host.ts';

/** The largest message that spire-server and spire-agent accept. */
const MAX_API_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Field tag and length in front of the bytes. */
const MESSAGE_OVERHEAD_BYTES = 5;

/** A failed attestation as the remote agent sees it, with the side of the plugin that failed. */
export class AttestationFailed extends StatusError {
  override readonly name: string = 'AttestationFailed';
  readonly side: 'agent' | 'server';

  constructor(side: 'agent' | 'server', error: StatusError) {
    super(error.code, error.message);
    this.side = side;
  }
}

type Hook = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

export interface RelayOptions {
  /** Name of the attestor in SPIRE's configuration. Default `tpm`. */
  readonly name?: string;
  /** Each hook stands for the network: it gets the sent message and returns the message that arrives. */
  readonly onPayload?: Hook;
  readonly onChallenge?: Hook;
  readonly onResponse?: Hook;
  readonly signal?: AbortSignal;
}

export interface AttestedAgent {
  readonly agentId: string;
  /** In SPIRE's form: each once, with the name of the attestor in front. */
  readonly selectors: readonly string[];
  readonly canReattest: boolean;
}

/**
 * Runs one attestation between an agent plugin and a server plugin, as spire-agent and spire-server would.
 *
 * @throws AttestationFailed with the code and message that the remote agent gets
 */
export async function relayAttestation(
  agentHost: PluginHost<'agent'>,
  serverHost: PluginHost<'server'>,
  options: RelayOptions = {},
): Promise<AttestedAgent> {
  const name = options.name ?? 'tpm';
  const agent = agentHost.openAttestation();
  const server = serverHost.openAttestation({ 'x-forwarded-client-ip': '127.0.0.1', 'x-untrusted-forwarded-host': '' });
  const cancel = (): void => {
    agent.cancel();
    server.cancel();
  };
  options.signal?.addEventListener('abort', cancel);
  const fromAgent = async (kind: 'payload' | 'challenge_response'): Promise<Uint8Array> => {
    const message = await facade(name, 'agent', agent.next());
    if (message.kind !== kind || message.bytes.length === 0) {
      throw failure(name, 'agent', STATUS.INTERNAL, `plugin response missing ${kind.replace('_', ' ')}`);
    }
    return message.bytes;
  };
  try {
    const payload = await changed(options.onPayload, await fromAgent('payload'));
    // spire-server makes the checks from here on.
    if (payload.length === 0) throw new AttestationFailed('server', malformed('missing attestation data payload'));
    server.sendPayload(limited(payload));
    for (;;) {
      const answer = await facade(name, 'server', server.next());
      if (answer.kind === 'agent_attributes') {
        await Promise.all([agent.close(), server.close()]);
        return accepted(name, answer);
      }
      agent.sendChallenge(await changed(options.onChallenge, answer.bytes));
      server.sendChallengeResponse(limited(await changed(options.onResponse, await fromAgent('challenge_response'))));
    }
  } finally {
    options.signal?.removeEventListener('abort', cancel);
    cancel();
  }
}

function accepted(
  name: string,
  attributes: { readonly spiffeId: string; readonly selectorValues: readonly string[]; readonly canReattest: boolean },
): AttestedAgent {
  if (attributes.spiffeId === '') {
    throw failure(name, 'server', STATUS.INTERNAL, 'plugin response missing agent ID');
  }
  const selectors = new Set(attributes.selectorValues.map((value) => `${name}:${value}`));
  return { agentId: attributes.spiffeId, selectors: [...selectors], canReattest: attributes.canReattest };
}

async function changed(hook: Hook | undefined, bytes: Uint8Array): Promise<Uint8Array> {
  return hook === undefined ? bytes : hook(bytes);
}

function malformed(message: string): StatusError {
  return new StatusError(STATUS.INVALID_ARGUMENT, `malformed param: ${message}`);
}

function limited(bytes: Uint8Array): Uint8Array {
  const length = bytes.length + MESSAGE_OVERHEAD_BYTES;
  if (length <= MAX_API_MESSAGE_BYTES) return bytes;
  const message = `grpc: received message larger than max (${length} vs. ${MAX_API_MESSAGE_BYTES})`;
  throw new AttestationFailed('server', new StatusError(STATUS.RESOURCE_EXHAUSTED, message));
}

/** SPIRE puts the name of the attestor in front of every status of a plugin. */
async function facade<Message>(name: string, side: 'agent' | 'server', next: Promise<Message>): Promise<Message> {
  try {
    return await next;
  } catch (error) {
    if (error instanceof StatusError) throw failure(name, side, error.code, error.message);
    throw error;
  }
}

function failure(
  name: string,
  side: 'agent' | 'server',
  code: StatusError['code'],
  message: string,
): AttestationFailed {
  const prefix = `nodeattestor(${name}): `;
  const bare = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
  return new AttestationFailed(side, new StatusError(code, bare.startsWith(prefix) ? bare : prefix + bare));
}
