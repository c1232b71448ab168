/** What makes one node attestor plugin different from another. */
import type { AttestationLimits } from './attestation-call.ts';
import type { AttestationStream, PluginKind } from './attestation-stream.ts';
import type { PluginConfigDefinition } from './plugin-config.ts';

export interface PluginDefinition<Kind extends PluginKind, Config> {
  readonly config: PluginConfigDefinition<Config>;
  /**
   * One attestation, called as soon as its stream opens, with the configuration then in force. A StatusError is the
   * answer; any other error is logged, and answered with INTERNAL and a generic text. A server plugin has answered when
   * it sent `agent_attributes`, an agent plugin when it sent `payload`.
   */
  attest(stream: AttestationStream<Kind>, config: Config): Promise<void>;
  readonly limits?: (config: Config) => Partial<AttestationLimits>;
  /** Resolves when nothing goes on any more of attestations that were answered: an abandoned TPM command, say. */
  readonly idle?: () => Promise<void>;
  /**
   * Ends the process at once. Default `process.exit`, which waits for a thread that is blocked in a TPM command; a plugin
   * with such threads gives another one.
   */
  readonly exit?: (code: number) => void;
}
