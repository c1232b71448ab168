/** What a server or agent plugin supplies: its configuration, its attestation handler and its limits. */
import type { AttestationLimits } from './attestation-call.ts';
import type { AttestationStream, PluginKind } from './attestation-stream.ts';
import type { PluginConfigDefinition } from './plugin-config.ts';

export interface PluginDefinition<Kind extends PluginKind, Config> {
  readonly config: PluginConfigDefinition<Config>;
  /**
   * Runs one attestation. It is called when the stream opens, with the configuration in force at that time. A
   * StatusError becomes the answer. Any other error is logged, and the answer is INTERNAL with a generic text. A server
   * plugin has answered when it has sent `agent_attributes`, an agent plugin when it has sent `payload`.
   */
  attest(stream: AttestationStream<Kind>, config: Config): Promise<void>;
  readonly limits?: (config: Config) => Partial<AttestationLimits>;
  /** Resolves when the background work of answered attestations is done, such as an abandoned TPM command. */
  readonly idle?: () => Promise<void>;
  /**
   * Ends the process at once. The default `process.exit` waits for a thread that is blocked in a TPM command; a plugin
   * with such threads must supply its own.
   */
  readonly exit?: (code: number) => void;
}
