/** How a plugin process reacts to signals, to uncaught errors and to the end of its host. */
import { errorFields, type Logger } from '../log/logger.ts';

const PARENT_CHECK_MS = 500;

export interface ProcessEvents {
  /** SIGTERM came. */
  onTerminate(): void;
  /** The host is gone. */
  onOrphaned(): void;
  /** An uncaught error, already logged. */
  onStrayError(): void;
}

/**
 * Handles signals and uncaught errors.
 *
 * SPIRE never restarts a plugin, so an error of one attestation must not end it. SIGINT is ignored: Ctrl-C reaches the
 * whole process group, and SPIRE still needs the plugin for its ordered stop. SIGUSR1 is ignored: operators send it to
 * SPIRE's group to reconfigure, and Node would open its inspector.
 */
export function guardProcess(logger: Logger, events: ProcessEvents): void {
  process.on('SIGINT', () => {});
  process.on('SIGUSR1', () => {});
  process.once('SIGTERM', () => {
    // Only the first SIGTERM counts. Without a handler, a second one would kill the process at once.
    process.on('SIGTERM', () => {});
    events.onTerminate();
  });
  process.on('uncaughtException', (error, origin) => {
    logger.error('uncaught error', { origin, ...errorFields(error) });
    events.onStrayError();
  });
  // SPIRE sets PDEATHSIG, so its plugins die with it. Other hosts do not.
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) events.onOrphaned();
  }, PARENT_CHECK_MS).unref();
}
