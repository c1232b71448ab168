/** Reads a policy file: the options of the server plugin, and the trust domain, which SPIRE would tell the plugin. */
import { dirname, resolve } from 'node:path';
import { loadPolicy } from '../../policy/policy-files.ts';
import { type ServerSettings, serverSettingsOf } from '../../policy/server-settings.ts';
import { parseHcl } from '../../spire/config/hcl.ts';
import type { HclBody, HclValue } from '../../spire/config/hcl-body.ts';
import { isConfigError } from '../../spire/config/invalid-config.ts';
import type { Policy } from '../../verifier/policy.ts';
import { kindSentence, strangerKind } from '../../x509/file/file-kind.ts';
import { unmarked } from '../../x509/file/file-text.ts';
import { UsageError } from '../terminal/failure.ts';
import { nameOf, readInput, STANDARD, utf8Text } from '../terminal/files.ts';
import { remark } from '../terminal/terminal.ts';

const TRUST_DOMAIN_OPTION = 'trust_domain';
/** The options that are paths, also in bundles. */
const PATH_OPTIONS: readonly string[] = ['ca_path', 'hash_path', 'deny_path', 'crl_path'];

/** The check that SPIRE makes (SPIFFE ID 2.1). */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;

/** @see readPolicyAndSettings */
export function readPolicyFile(path: string): Policy {
  return readPolicyAndSettings(path).policy;
}

/** Which part of a policy a command needs: all of it, or only the part that judges certificates. */
export type PolicyExtent = 'whole' | 'certificates';

/**
 * Reads a policy, and prints its warnings on standard error. The trust domain is empty if the file names none; no
 * attestation has an empty one. Paths in the file are relative to its folder, so that the folder can be moved.
 *
 * @param extent with `certificates`, hash_path and deny_path are not opened: they may exist only on the servers
 * @throws UsageError
 */
export function readPolicyAndSettings(
  path: string,
  extent: PolicyExtent = 'whole',
): { readonly policy: Policy; readonly settings: ServerSettings } {
  const bytes = readInput(path);
  try {
    const text = utf8Text(bytes);
    if (text === undefined) throw useless(path, bytes, new Error('it is not UTF-8 text'));
    const whole = parseHcl(text);
    refuseSpireFile(whole, path);
    const { trustDomain, body } = separated(whole, path);
    const settings = serverSettingsOf(trustDomain, withPathsFrom(folderOf(path), body), [TRUST_DOMAIN_OPTION]);
    const used = extent === 'whole' ? settings : { ...settings, hashPath: undefined, denyPath: undefined };
    const { policy, warnings } = loadPolicy(used);
    for (const warning of [...settings.warnings, ...warnings]) remark(`policy: ${warning}`);
    return { policy, settings };
  } catch (cause) {
    if (!isConfigError(cause)) throw cause;
    throw useless(path, bytes, cause);
  }
}

/** For a file of another kind, the error names that kind instead of the parser's problem. */
function useless(path: string, bytes: Uint8Array, cause: Error): UsageError {
  const stranger = strangerKind(unmarked(bytes), 'policy');
  return new UsageError(`${nameOf(path)}: ${stranger === undefined ? cause.message : kindSentence(stranger)}`, {
    cause,
  });
}

/** Top-level names in the configuration of spire-server and spire-agent. The plugin has no options with these names. */
const SPIRE_BLOCKS: readonly string[] = ['server', 'agent', 'plugins', 'NodeAttestor', 'plugin_data'];

/**
 * Refuses a whole SPIRE configuration instead of searching it for plugin_data: its paths are relative to SPIRE's
 * working folder, and SPIRE expands variables in it.
 */
function refuseSpireFile(body: HclBody, path: string): void {
  const found = body.entries.find(({ key }) => SPIRE_BLOCKS.includes(key));
  if (found === undefined) return;
  const line = lineOfPluginData(body);
  throw new UsageError(
    `${nameOf(path)}: "${found.key}" in line ${found.line} belongs to SPIRE's own configuration. Put the contents of plugin_data ` +
      `of NodeAttestor "tpm"${line === undefined ? '' : ` (line ${line})`} into a file of its own, and give that file. SPIRE reads the ` +
      'same file if plugin_data_file names it. Add trust_domain = "…" for quotes.',
  );
}

/** The line of the first plugin_data inside a NodeAttestor block. */
function lineOfPluginData({ entries }: HclBody, inAttestor = false): number | undefined {
  for (const { key, value, line } of entries) {
    if (key === 'plugin_data' && inAttestor) return line;
    if (value.kind !== 'object') continue;
    const found = lineOfPluginData(value.body, inAttestor || key === 'NodeAttestor');
    if (found !== undefined) return found;
  }
  return undefined;
}

function separated({ entries }: HclBody, path: string): { readonly trustDomain: string; readonly body: HclBody } {
  const entry = entries.find(({ key }) => key === TRUST_DOMAIN_OPTION);
  const body = { entries: entries.filter(({ key }) => key !== TRUST_DOMAIN_OPTION) };
  if (entry === undefined) return { trustDomain: '', body };
  const { value, line } = entry;
  if (value.kind !== 'string' || !isTrustDomain(value.value))
    throw new UsageError(`${nameOf(path)}: line ${line}: "trust_domain" must be a name such as "example.org"`);
  return { trustDomain: value.value, body };
}

function folderOf(path: string): string {
  return path === STANDARD ? process.cwd() : dirname(resolve(path));
}

function withPathsFrom(folder: string, { entries }: HclBody): HclBody {
  return {
    entries: entries.map((entry) => ({ ...entry, value: resolved(entry.value, PATH_OPTIONS.includes(entry.key)) })),
  };

  function resolved(value: HclValue, isPath: boolean): HclValue {
    if (value.kind === 'object') return { ...value, body: withPathsFrom(folder, value.body) };
    if (value.kind === 'list') return { ...value, items: value.items.map((item) => resolved(item, false)) };
    // An empty path stays empty, so that the parser of the options refuses it.
    const isText = value.kind === 'string' && value.value.trim() !== '';
    return isPath && isText ? { ...value, value: resolve(folder, value.value) } : value;
  }
}

export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text);
}
