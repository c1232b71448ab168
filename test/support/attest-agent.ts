/** Calls spire-server's AttestAgent without a spire-agent, for many attestations in little time. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { AgentClient, type AttestAgentResponse } from '../../src/spire/gen/spire/api/server/agent/v1/agent.ts';
import type { SpireServer } from '../../src/testing/spire-server.ts';
import { TRUST_DOMAIN } from '../../src/testing/spire-server.ts';

export interface AttestingAgent {
  readonly payload: Uint8Array;
  answer(challenge: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

export class AttestAgentClient {
  readonly #client: AgentClient;
  readonly #csr: Buffer;

  private constructor(client: AgentClient, csr: Buffer) {
    this.#client = client;
    this.#csr = csr;
  }

  static async to(server: Pick<SpireServer, 'bundle' | 'folder' | 'port'>): Promise<AttestAgentClient> {
    const roots = Buffer.from(await server.bundle());
    const tls = credentials.createSsl(roots, null, null, { checkServerIdentity: isSpireServer });
    const client = new AgentClient(`127.0.0.1:${server.port}`, tls, {
      // Node refuses an IP address as the name of a TLS server.
      'grpc.ssl_target_name_override': 'spire-server',
    });
    return new AttestAgentClient(client, requestCertificate(server.folder));
  }

  /** The SPIFFE ID of the agent. @throws ServiceError of spire-server */
  attest({ payload, answer }: AttestingAgent, type = 'tpm'): Promise<string> {
    const call = this.#client.attestAgent();
    return new Promise((resolve, reject) => {
      call.on('error', (error: ServiceError) => reject(error));
      call.on('end', () => reject(new Error('spire-server ended the stream without an answer')));
      call.on('data', async ({ step }: AttestAgentResponse) => {
        if (step?.$case === 'challenge') {
          const challengeResponse = await answer(Uint8Array.from(step.challenge));
          call.write({ step: { $case: 'challengeResponse', challengeResponse } });
        } else if (step?.$case === 'result') {
          const { trustDomain = '', path = '' } = step.result.svid?.id ?? {};
          resolve(`spiffe://${trustDomain}${path}`);
          call.end();
        }
      });
      call.write({ step: { $case: 'params', params: { data: { type, payload }, params: { csr: this.#csr } } } });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** A SPIRE server has a SPIFFE ID instead of a host name. */
function isSpireServer(_host: string, { subjectaltname }: PeerCertificate): Error | undefined {
  const id = `URI:spiffe://${TRUST_DOMAIN}/spire/server`;
  return subjectaltname === id ? undefined : new Error(`the server is ${subjectaltname}`);
}

/** A PKCS #10 request. SPIRE uses only its public key. */
function requestCertificate(folder: string): Buffer {
  return execFileSync('openssl', [
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/C=US/O=SPIRE'],
    ...['-keyout', join(folder, 'csr.key'), '-outform', 'DER'],
  ]);
}
