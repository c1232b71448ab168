/** Executable: the node attestor plugin of spire-server. */
import { servePlugin } from '../spire/plugin-server.ts';
import { VERSION } from '../spire/version.ts';

void servePlugin({ kind: 'server', version: VERSION }, async (logger) => {
  const { serverPlugin } = await import('./spire-plugin.ts');
  return serverPlugin(logger);
});
