import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { PluginKind } from '../../src/spire/plugin/attestation-stream.ts';
import type { HostedLogRecord } from '../../src/testing/plugin-host/hclog-reader.ts';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';

/** The toy plugin as an executable, in a directory that is also its TMPDIR. */
export class Toy {
  readonly directory: string;
  readonly executable: string;
  readonly logs: HostedLogRecord[] = [];
  readonly #hosts: PluginHost<PluginKind>[] = [];

  private constructor(directory: string) {
    this.directory = directory;
    this.executable = join(directory, 'toy.cjs');
  }

  static async make(): Promise<Toy> {
    const toy = new Toy(await mkdtemp(join(tmpdir(), 'toy-')));
    await build({
      entryPoints: [fileURLToPath(new URL('toy-plugin.ts', import.meta.url))],
      outfile: toy.executable,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      banner: { js: '#!/usr/bin/env node' },
      logLevel: 'error',
    });
    await chmod(toy.executable, 0o755);
    return toy;
  }

  env(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], TMPDIR: this.directory, ...more };
  }

  async start<Kind extends PluginKind>(kind: Kind, more: NodeJS.ProcessEnv = {}): Promise<PluginHost<Kind>> {
    const host = await startPlugin({
      kind,
      command: this.executable,
      args: [kind],
      env: this.env(more),
      onLog: (record) => this.logs.push(record),
    });
    this.#hosts.push(host);
    return host;
  }

  /** Started and configured. */
  async configured<Kind extends PluginKind>(
    kind: Kind,
    hcl = '',
    more: NodeJS.ProcessEnv = {},
  ): Promise<PluginHost<Kind>> {
    const host = await this.start(kind, more);
    await host.configure(hcl, 'example.org');
    return host;
  }

  /** Sockets and their directories below TMPDIR. */
  async leftovers(): Promise<string[]> {
    const names = await readdir(this.directory);
    return names.filter((name) => name.startsWith('spire-plugin-'));
  }

  record(message: string): HostedLogRecord | undefined {
    return this.logs.find((record) => record.message === message);
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#hosts.splice(0).map((host) => host.stop()));
    this.logs.length = 0;
  }

  async remove(): Promise<void> {
    await this.stopAll();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
