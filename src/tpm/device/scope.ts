/** Keys and sessions for the duration of one function: they are flushed when it returns or throws. */
import type { TpmCommands } from './commands.ts';
import type { SessionHandle } from './handles.ts';
import type { CreatePrimaryOutput } from './native-context.ts';
import type { LoadedHandle } from './runner.ts';

/** Calls `body` with a primary key made by TPM2_CreatePrimary. */
export async function withPrimary<T>(
  run: TpmCommands,
  input: Parameters<TpmCommands['createPrimary']>[0],
  body: (primary: CreatePrimaryOutput) => Promise<T>,
): Promise<T> {
  const primary = await run.createPrimary(input);
  return released(run, primary.objectHandle, () => body(primary));
}

/** Calls `body` with a session. When a command has already ended the session, no flush is sent. */
export async function withSession<T>(
  run: TpmCommands,
  input: Parameters<TpmCommands['startAuthSession']>[0],
  body: (session: SessionHandle) => Promise<T>,
): Promise<T> {
  const { sessionHandle } = await run.startAuthSession(input);
  return released(run, sessionHandle, () => body(sessionHandle));
}

async function released<T>(run: TpmCommands, handle: LoadedHandle, body: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await body();
  } catch (error) {
    // Report the failure of the body. A failed flush usually has the same cause.
    await run.release(handle).catch(() => {});
    throw error;
  }
  await run.release(handle);
  return result;
}
