/** `tpm-attestor/evidence`: the messages between agent and server (docs/wire.md), and evidence files. Pure. */
export { commitment } from '../evidence/binding.ts';
export { evidenceFromJson, evidenceToJson } from '../evidence/json.ts';
export * from '../evidence/messages.ts';
