import { commandName } from '../../src/tpm/structures/command-code.ts';

/**
 * Counts the TPM commands, by name, in a file that the TCTI `pcap:` wrote.
 *
 * The file is pcapng. Each command and response is an Enhanced Packet Block with invented IPv4 and TCP headers.
 * Commands go to port 2321, the TPM's.
 */
export function commandsInPcap(file: Uint8Array): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const packet of packets(Buffer.from(file))) {
    const tcp = packet.subarray(((packet[0] ?? 0) & 0x0f) * 4);
    const command = tcp.subarray(((tcp[12] ?? 0) >> 4) * 4);
    if (tcp.readUInt16BE(2) !== TPM_PORT) continue;
    if (command.length < 10 || command.readUInt32BE(2) !== command.length)
      throw new Error('not a recorded TPM command');
    const name = commandName(command.readUInt32BE(6));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

const TPM_PORT = 2321;
const ENHANCED_PACKET_BLOCK = 6;

function* packets(file: Buffer): Generator<Buffer> {
  for (let offset = 0; offset + 12 <= file.length; ) {
    const length = file.readUInt32LE(offset + 4);
    if (file.readUInt32LE(offset) === ENHANCED_PACKET_BLOCK) {
      const captured = file.readUInt32LE(offset + 20);
      yield file.subarray(offset + 28, offset + 28 + captured);
    }
    offset += length;
  }
}
