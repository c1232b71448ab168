/** Writes `NodeAttestor` blocks for the configuration files of spire-server and spire-agent. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface NodeAttestorBlock {
  /** The label. Default `tpm`. */
  readonly name?: string;
  /** Executable; undefined for an attestor that is built in. */
  readonly command?: string;
  /** SHA-256 of the executable, hexadecimal, which SPIRE checks. */
  readonly checksum?: string;
  /** Body of plugin_data. */
  readonly data?: string;
  /** File with the body, in place of `data`. SPIRE reads it again at SIGUSR1. */
  readonly dataFile?: string;
}

const HERE = dirname(fileURLToPath(import.meta.url));

/** The plugin executable of either side: beside this executable, or in the output folder of the build. */
export function pluginExecutable(kind: 'server' | 'agent'): string {
  const folder = import.meta.url.endsWith('.ts') ? join(HERE, '../../dist/bin') : HERE;
  return join(folder, `tpm-attestor-${kind}.cjs`);
}

/** SHA-256 of a file, for `plugin_checksum`. */
export function checksumOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** The block of the `tpm` attestor with our executable and its checksum. */
export function tpmAttestor(kind: 'server' | 'agent', data: string): NodeAttestorBlock {
  const command = pluginExecutable(kind);
  return { command, checksum: checksumOf(command), data };
}

export function pluginBlock({ name = 'tpm', command, checksum, data, dataFile }: NodeAttestorBlock): string {
  const lines = [
    ...(command === undefined ? [] : [`plugin_cmd = ${JSON.stringify(command)}`]),
    ...(checksum === undefined ? [] : [`plugin_checksum = "${checksum}"`]),
    ...(dataFile === undefined
      ? ['plugin_data {', ...indented(data ?? ''), '}']
      : [`plugin_data_file = ${JSON.stringify(dataFile)}`]),
  ];
  return `  NodeAttestor "${name}" {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`;
}

function indented(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [`  ${line}`]));
}
