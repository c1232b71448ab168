import { errorFields, type Logger } from '../log/logger.ts';

const PARENT_CHECK_MS = 500;

export interface ProcessEvents {
  /** SIGTERM came. */
  onTerminate(): void;
  /** The host is gone. */
  onOrphaned(): void;
  /** An error nobody caught; already logged. */
  onStrayError(): void;
}

/**
 * Signals and stray errors of a plugin process.
 *
 * SPIRE never starts a plugin again, so an error that belongs to one attestation must not end it. Ctrl-C reaches the
 * whole process group while SPIRE still wants to run its ordered stop: SIGINT is ignored for ever. Node would open its
 * inspector on SIGUSR1, which operators send to SPIRE's group to reconfigure.
 */
export function guardProcess(logger: Logger, events: ProcessEvents): void {
  process.on('SIGINT', () => {});
  process.on('SIGUSR1', () => {});
  process.once('SIGTERM', () => {
    // Only the first one counts, and a later one must not end the process unannounced.
    process.on('SIGTERM', () => {});
    events.onTerminate();
  });
  process.on('uncaughtException', (error, origin) => {
    logger.error('error nobody caught', { origin, ...errorFields(error) });
    events.onStrayError();
  });
  // SPIRE's plugins die with it by PDEATHSIG; other hosts do not set it.
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) events.onOrphaned();
  }, PARENT_CHECK_MS).unref();
}
