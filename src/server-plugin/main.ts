/** Executable: the node attestor plugin of spire-server. */
import { createLogger } from '../spire/logger.ts';
import { servePlugin } from '../spire/plugin-server.ts';
import { serverPlugin } from './spire-plugin.ts';

void servePlugin(serverPlugin(createLogger()));
