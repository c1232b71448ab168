/** Executable: the node attestor plugin of spire-agent. */
import { servePlugin } from '../spire/plugin/plugin-server.ts';
import { VERSION } from '../spire/version.ts';

// Standard error is SPIRE's log: tpm2-tss must not write there by itself, unless the operator asks for it.
process.env['TSS2_LOG'] ??= 'all+NONE';

void servePlugin({ kind: 'agent', version: VERSION }, async (logger) => {
  const { agentPlugin } = await import('./agent-plugin.ts');
  return agentPlugin(logger);
});
