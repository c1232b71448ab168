/** Executable: the node attestor plugin of spire-agent. */
import { servePlugin } from '../spire/plugin/plugin-server.ts';
import { VERSION } from '../spire/version.ts';

// SPIRE reads standard error as its log. tpm2-tss writes there only when the operator sets TSS2_LOG.
process.env['TSS2_LOG'] ??= 'all+NONE';

void servePlugin({ kind: 'agent', version: VERSION }, async (logger) => {
  const { agentPlugin } = await import('./agent-plugin.ts');
  return agentPlugin(logger);
});
