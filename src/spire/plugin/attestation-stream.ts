/** The messages of one attestation as a plugin's code sees them, and their translation to the generated messages. */
import type { Challenge, PayloadOrChallengeResponse } from '../gen/spire/plugin/agent/nodeattestor/v1/nodeattestor.ts';
import type { AttestRequest, AttestResponse } from '../gen/spire/plugin/server/nodeattestor/v1/nodeattestor.ts';

export type PluginKind = 'server' | 'agent';

export type Payload = { readonly kind: 'payload'; readonly bytes: Uint8Array };
export type AttestationChallenge = { readonly kind: 'challenge'; readonly bytes: Uint8Array };
export type ChallengeResponse = { readonly kind: 'challenge_response'; readonly bytes: Uint8Array };

/** A server plugin's answer to SPIRE when it accepts an agent. */
export interface AgentAttributes {
  readonly kind: 'agent_attributes';
  readonly spiffeId: string;
  /** Without the plugin's name: SPIRE puts it in front. */
  readonly selectorValues: readonly string[];
  readonly canReattest: boolean;
}

/** The messages that a plugin of each kind receives and sends. */
export interface AttestationMessages {
  readonly server: { readonly in: Payload | ChallengeResponse; readonly out: AttestationChallenge | AgentAttributes };
  readonly agent: { readonly in: AttestationChallenge; readonly out: Payload | ChallengeResponse };
}

/** One attestation as the plugin sees it. */
export interface AttestationStream<Kind extends PluginKind> {
  /** Eight hexadecimal digits. Every log record of the plugin about this attestation has them. */
  readonly id: string;
  /** Aborts when the host cancels, the time is over, the plugin ends, or the attestation itself has ended. */
  readonly signal: AbortSignal;
  /** The request metadata from the host. Keys are in lower case, such as `x-forwarded-client-ip`. */
  readonly metadata: ReadonlyMap<string, string>;
  /**
   * The next message, or undefined when the host has ended its side of the stream.
   *
   * @throws PeerError RESOURCE_EXHAUSTED for a message above the limit, INVALID_ARGUMENT for one without content,
   * and the signal's reason once it has aborted
   */
  receive(): Promise<AttestationMessages[Kind]['in'] | undefined>;
  /** Does nothing after the attestation has ended. */
  send(message: AttestationMessages[Kind]['out']): void;
}

/** Translates between the messages above and the generated ones. */
export interface MessageTranslation<Kind extends PluginKind, Request, Response> {
  /** Undefined when the message has no content. */
  read(request: Request): AttestationMessages[Kind]['in'] | undefined;
  write(message: AttestationMessages[Kind]['out']): Response;
  /** Whether the message is the final answer. A handler that returns without sending one has failed. */
  answers(message: AttestationMessages[Kind]['out']): boolean;
}

const SERVER_TRANSLATION: MessageTranslation<'server', AttestRequest, AttestResponse> = {
  read({ request }) {
    switch (request?.$case) {
      case 'payload':
        return { kind: 'payload', bytes: viewed(request.payload) };
      case 'challengeResponse':
        return { kind: 'challenge_response', bytes: viewed(request.challengeResponse) };
      case undefined:
        return undefined;
    }
  },
  write(message) {
    if (message.kind === 'challenge') return { response: { $case: 'challenge', challenge: message.bytes } };
    const { spiffeId, selectorValues, canReattest } = message;
    return { response: { $case: 'agentAttributes', agentAttributes: { spiffeId, selectorValues, canReattest } } };
  },
  answers: (message) => message.kind === 'agent_attributes',
};

const AGENT_TRANSLATION: MessageTranslation<'agent', Challenge, PayloadOrChallengeResponse> = {
  read: ({ challenge }) => ({ kind: 'challenge', bytes: viewed(challenge) }),
  write: (message) => ({
    data:
      message.kind === 'payload'
        ? { $case: 'payload', payload: message.bytes }
        : { $case: 'challengeResponse', challengeResponse: message.bytes },
  }),
  answers: (message) => message.kind === 'payload',
};

/** The translation for each kind of plugin. The casts are safe: each kind's service uses its own generated messages. */
export const TRANSLATION: { readonly [Kind in PluginKind]: MessageTranslation<Kind, unknown, unknown> } = {
  server: SERVER_TRANSLATION as MessageTranslation<'server', unknown, unknown>,
  agent: AGENT_TRANSLATION as MessageTranslation<'agent', unknown, unknown>,
};

/** gRPC delivers Buffers. `Buffer.slice` shares memory, but `Uint8Array.slice` copies. */
export function viewed(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
