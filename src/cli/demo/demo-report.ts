/** The demo's report, made from the messages and logs of the plugins. */
import { decodePayload } from '../../evidence/messages.ts';
import type { HostedLogRecord } from '../../testing/plugin-host/hclog-reader.ts';
import { keyAlgorithmName, publicKeyHash, publicKeyOf } from '../../tpm/public-key.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { tpmtPublic } from '../../tpm/structures/public.ts';
import type { Round } from './demo-round.ts';

export interface FindingReport {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

export interface CommandCounts {
  readonly total: number;
  /** `{ "TPM2_Quote": 1 }` */
  readonly by_command: Readonly<Record<string, number>>;
}

export interface DemoDocument {
  readonly verdict: 'trusted' | 'untrusted';
  readonly agent_id: string | null;
  readonly selectors: readonly string[];
  readonly can_reattest: boolean;
  readonly findings: readonly FindingReport[];
  /** The message to the agent. Null if the agent was trusted. */
  readonly peer_message: string | null;
  readonly correlation_id: string | null;
  readonly ek: { readonly algorithm: string; readonly source: string; readonly pub_hash: string };
  readonly ak: { readonly algorithm: string };
  readonly server_sha256: string;
  /** `tpm_commands` is null if the agent plugin did not log them. */
  readonly rounds: readonly { readonly tpm_commands: CommandCounts | null; readonly ms: number }[];
  readonly control?: Round['outcome']['verdict'];
}

const REFUSED = 'attestation refused: ';

/** The findings of one attestation, in the order the server plugin logged them. */
export function findingsIn(records: readonly HostedLogRecord[], correlationId: string): readonly FindingReport[] {
  return records
    .filter(({ fields }) => fields.attestation === correlationId && typeof fields.finding === 'string')
    .map(({ message, fields }) => ({
      code: String(fields.finding),
      message: message.startsWith(REFUSED) ? message.slice(REFUSED.length) : message,
      remedy: String(fields.remedy ?? ''),
    }));
}

/** The TPM commands of each attestation, in the order in which the agent plugin logged them. */
export function commandsIn(records: readonly HostedLogRecord[]): readonly CommandCounts[] {
  return records
    .filter(({ fields }) => typeof fields.tpm_commands === 'string')
    .map(({ fields }) => ({
      total: Number(fields.tpm_commands_total),
      by_command: countsOf(String(fields.tpm_commands)),
    }));
}

/** Reads `ContextLoad:1,Quote:1`. */
function countsOf(text: string): Readonly<Record<string, number>> {
  const pairs = text.matchAll(/(\w+):(\d+)/g);
  return Object.fromEntries([...pairs].map(([, name, count]) => [`TPM2_${name}`, Number(count)]));
}

export interface Keys {
  readonly ek: DemoDocument['ek'];
  readonly ak: DemoDocument['ak'];
}

/** The keys in an agent's payload, and the source of the EK from the plugin's log. */
export function keysIn(payloadBytes: Uint8Array, records: readonly HostedLogRecord[]): Keys {
  const payload = decodePayload(payloadBytes);
  const ekPublic = decode(tpmtPublic, payload.ekPublic);
  const key = publicKeyOf(ekPublic);
  const source = records.map(({ fields }) => fields.ek_source).find((text) => typeof text === 'string');
  return {
    ek: {
      algorithm: keyAlgorithmName(ekPublic),
      source: typeof source === 'string' ? source : 'unknown',
      pub_hash: key === undefined ? '' : publicKeyHash(key),
    },
    ak: { algorithm: keyAlgorithmName(decode(tpmtPublic, payload.akPublic)) },
  };
}
