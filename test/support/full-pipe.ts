import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';

/** A named pipe that is full, with a reader that does not read. */
export class FullPipe {
  readonly path: string;
  readonly #reader: number;

  constructor(path: string) {
    this.path = path;
    execFileSync('mkfifo', [path]);
    this.#reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    untilNoMore(() => writeSync(this.#reader, Buffer.alloc(4096, '\n')));
  }

  /** Reads the lines that are in the pipe now. */
  read(): readonly string[] {
    const chunks: Buffer[] = [];
    const chunk = Buffer.alloc(65_536);
    untilNoMore(() => {
      const length = readSync(this.#reader, chunk);
      chunks.push(Buffer.from(chunk.subarray(0, length)));
    });
    return Buffer.concat(chunks)
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '');
  }

  close(): void {
    closeSync(this.#reader);
  }

  /** The same command line with descriptor 1 or 2 redirected to this pipe. */
  behind(descriptor: 1 | 2, file: string, ...args: string[]): { readonly command: string; readonly args: string[] } {
    return { command: '/bin/sh', args: ['-c', `exec "$@" ${descriptor}>"$0"`, this.path, file, ...args] };
  }
}

function untilNoMore(step: () => void): void {
  try {
    for (;;) step();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}
