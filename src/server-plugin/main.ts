/** Executable: the node attestor plugin of spire-server. */
import { servePlugin } from '../spire/plugin/plugin-server.ts';
import { VERSION } from '../spire/version.ts';

void servePlugin({ kind: 'server', version: VERSION }, async (logger) => {
  const { serverPlugin } = await import('./server-plugin.ts');
  return serverPlugin(logger);
});
