/** `NodeAttestor` blocks in the configuration files of spire-server and spire-agent. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface NodeAttestorBlock {
  /** The label. Default `tpm`. */
  readonly name?: string;
  /** Executable; undefined for an attestor that is built in. */
  readonly command?: string;
  /** SHA-256 in hexadecimal that SPIRE compares the executable with. */
  readonly checksum?: string;
  /** Body of plugin_data. */
  readonly data?: string;
  /** File with the body, which SPIRE reads anew at SIGUSR1; instead of `data`. */
  readonly dataFile?: string;
}

const HERE = dirname(fileURLToPath(import.meta.url));

/** The plugin of either side: beside this executable, or where the build leaves it. */
export function pluginExecutable(kind: 'server' | 'agent'): string {
  const folder = import.meta.url.endsWith('.ts') ? join(HERE, '../../dist/bin') : HERE;
  return join(folder, `tpm-attestor-${kind}.cjs`);
}

/** As `sha256sum` prints it, for `plugin_checksum`. */
export function checksumOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** The `tpm` attestor on our executable, with its checksum. */
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
