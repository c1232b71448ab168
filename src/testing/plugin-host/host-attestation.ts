/** One attestation stream to a plugin, as spire-server or spire-agent drives it. */
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type {
  Challenge,
  PayloadOrChallengeResponse,
} from '../../spire/gen/spire/plugin/agent/nodeattestor/v1/nodeattestor.ts';
import type {
  AttestRequest,
  AttestResponse,
} from '../../spire/gen/spire/plugin/server/nodeattestor/v1/nodeattestor.ts';
import type {
  AgentAttributes,
  AttestationChallenge,
  ChallengeResponse,
  Payload,
} from '../../spire/plugin/attestation-stream.ts';
import { viewed } from '../../spire/plugin/attestation-stream.ts';
import { STATUS, type StatusCode, StatusError } from '../../spire/status.ts';

/** An attestation as spire-server drives it. */
export interface ServerAttestation {
  sendPayload(bytes: Uint8Array): void;
  sendChallengeResponse(bytes: Uint8Array): void;
  /** @throws StatusError of the plugin; INTERNAL when the stream ended, or the message was empty */
  next(): Promise<AttestationChallenge | AgentAttributes>;
  /** Half-closes the stream, which SPIRE never does. */
  end(): void;
  /** Cancels the stream, as SPIRE does when it has the attributes or the agent is gone. */
  cancel(): void;
  /**
   * Ends the stream without a reset. nghttp2 closes a connection after about a thousand resets. A host with grpc-js
   * loses calls by that; a host with grpc-go does not.
   */
  close(): Promise<void>;
}

/** An attestation as spire-agent drives it. */
export interface AgentAttestation {
  sendChallenge(bytes: Uint8Array): void;
  /** @throws StatusError of the plugin; INTERNAL when the stream ended, or the message was empty */
  next(): Promise<Payload | ChallengeResponse>;
  end(): void;
  cancel(): void;
  close(): Promise<void>;
}

/** Time in which the plugin must end its side of the stream after ours. */
const CLOSE_TIMEOUT_MS = 1000;

export function serverAttestation(call: ClientDuplexStream<AttestRequest, AttestResponse>): ServerAttestation {
  const responses = incoming(call);
  return {
    sendPayload: (payload) => call.write({ request: { $case: 'payload', payload } }),
    sendChallengeResponse: (challengeResponse) =>
      call.write({ request: { $case: 'challengeResponse', challengeResponse } }),
    async next() {
      const message = await responses();
      switch (message?.response?.$case) {
        case 'challenge':
          return { kind: 'challenge', bytes: viewed(message.response.challenge) };
        case 'agentAttributes':
          return { kind: 'agent_attributes', ...message.response.agentAttributes };
        case undefined:
          throw new StatusError(
            STATUS.INTERNAL,
            message === undefined ? CLOSED : 'plugin response missing challenge or agent attributes',
          );
      }
    },
    end: () => call.end(),
    cancel: () => call.cancel(),
    close: () => closed(call, responses),
  };
}

export function agentAttestation(call: ClientDuplexStream<Challenge, PayloadOrChallengeResponse>): AgentAttestation {
  const responses = incoming(call);
  return {
    sendChallenge: (challenge) => call.write({ challenge }),
    async next() {
      const message = await responses();
      switch (message?.data?.$case) {
        case 'payload':
          return { kind: 'payload', bytes: viewed(message.data.payload) };
        case 'challengeResponse':
          return { kind: 'challenge_response', bytes: viewed(message.data.challengeResponse) };
        case undefined:
          throw new StatusError(
            STATUS.INTERNAL,
            message === undefined ? CLOSED : 'plugin response missing payload or challenge response',
          );
      }
    },
    end: () => call.end(),
    cancel: () => call.cancel(),
    close: () => closed(call, responses),
  };
}

async function closed<Request, Response>(
  call: ClientDuplexStream<Request, Response>,
  responses: () => Promise<Response | undefined>,
): Promise<void> {
  const timer = setTimeout(() => call.cancel(), CLOSE_TIMEOUT_MS);
  call.end();
  try {
    while ((await responses()) !== undefined);
  } catch {
    // A failure ends the stream, too.
  }
  clearTimeout(timer);
}

const CLOSED = 'plugin closed stream unexpectedly';

/** Returns the next message at each call; undefined at the end. Throws StatusError when the call failed. */
function incoming<Request, Response>(call: ClientDuplexStream<Request, Response>): () => Promise<Response | undefined> {
  const messages: Response[] = [];
  let outcome: StatusError | 'ended' | undefined;
  let wake: () => void = () => {};
  call.on('data', (message: Response) => {
    messages.push(message);
    wake();
  });
  call.on('error', (error: ServiceError) => {
    outcome ??= new StatusError(error.code as StatusCode, error.details);
    wake();
  });
  // `end` also comes before `error`. Only the status tells an end from a failure.
  call.on('status', (status) => {
    outcome ??= status.code === STATUS.OK ? 'ended' : new StatusError(status.code as StatusCode, status.details);
    wake();
  });
  return async () => {
    for (;;) {
      const message = messages.shift();
      if (message !== undefined) return message;
      if (outcome === 'ended') return undefined;
      if (outcome !== undefined) throw outcome;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}
