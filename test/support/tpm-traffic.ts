/** Reads the recorded traffic with a TPM. tpm2-tss records it if the TCTI string begins with `pcap:`. */
import { readFileSync } from 'node:fs';
import { commandName } from '../../src/tpm/structures/command-code.ts';

const ENHANCED_PACKET_BLOCK = 6;
const HEADER_BYTES = 10;
const TPM_ST_SESSIONS = 0x8002;

export interface TpmTraffic {
  /** Names in order: `TPM2_Quote`. */
  readonly commands: readonly string[];
  /** Response codes, one for each command. */
  readonly responseCodes: readonly number[];
  /** The most transient objects, and the most sessions, loaded at one time. */
  readonly mostTransients: number;
  readonly mostSessions: number;
  /** Handles that were loaded and not flushed, without sessions that a command ended by itself. */
  readonly left: readonly number[];
}

export function readTraffic(file: string): TpmTraffic {
  const commands: string[] = [];
  const responseCodes: number[] = [];
  const loaded = new Set<number>();
  let mostTransients = 0;
  let mostSessions = 0;
  let command: Buffer | undefined;
  for (const frame of framesOf(readFileSync(file))) {
    if (command === undefined) {
      command = frame;
      commands.push(commandName(frame.readUInt32BE(6)));
      continue;
    }
    const name = commands.at(-1) ?? '';
    const code = frame.readUInt32BE(6);
    responseCodes.push(code);
    if (code === 0) {
      if (/CreatePrimary|ContextLoad|Load|LoadExternal|StartAuthSession/.test(name)) loaded.add(frame.readUInt32BE(10));
      if (name === 'TPM2_FlushContext') loaded.delete(command.readUInt32BE(10));
      for (const ended of endedSessions(name, command)) loaded.delete(ended);
    }
    const transients = [...loaded].filter((handle) => handle >>> 24 === 0x80).length;
    mostTransients = Math.max(mostTransients, transients);
    mostSessions = Math.max(mostSessions, loaded.size - transients);
    command = undefined;
  }
  return { commands, responseCodes, mostTransients, mostSessions, left: [...loaded] };
}

/** The number of handles before the authorization area, by command. */
const HANDLE_COUNTS: Readonly<Record<string, number>> = {
  TPM2_ActivateCredential: 2,
  TPM2_CreatePrimary: 1,
  TPM2_NV_Read: 2,
  TPM2_PolicySecret: 2,
  TPM2_Quote: 1,
};

/** The sessions that a command used without continueSession, which ends them. */
function* endedSessions(name: string, command: Buffer): Generator<number> {
  const handles = HANDLE_COUNTS[name];
  if (command.readUInt16BE(0) !== TPM_ST_SESSIONS || handles === undefined) return;
  const area = HEADER_BYTES + 4 * handles;
  const end = area + 4 + command.readUInt32BE(area);
  for (let at = area + 4; at < end; ) {
    const attributesAt = at + 6 + command.readUInt16BE(at + 4);
    if (((command[attributesAt] ?? 0) & 0x01) === 0) yield command.readUInt32BE(at);
    at = attributesAt + 3 + command.readUInt16BE(attributesAt + 1);
  }
}

/** tpm2-tss puts invented IPv4 and TCP headers in front of each command and each response. */
function* framesOf(file: Buffer): Generator<Buffer> {
  for (let offset = 0; offset + 12 <= file.length; offset += file.readUInt32LE(offset + 4)) {
    if (file.readUInt32LE(offset) !== ENHANCED_PACKET_BLOCK) continue;
    const packet = file.subarray(offset + 28, offset + 28 + file.readUInt32LE(offset + 20));
    const tcp = packet.subarray(((packet[0] ?? 0) & 0x0f) * 4);
    const frame = tcp.subarray(((tcp[12] ?? 0) >> 4) * 4);
    if (frame.length >= HEADER_BYTES && frame.readUInt32BE(2) === frame.length) yield frame;
  }
}
