/**
 * Event logs of a boot: the firmware's and systemd's, replayed, with what they prove. Pure.
 *
 * All of it may change before 1.0.
 *
 * @module tpm-attestor/boot-log
 */
export {
  type BootLog,
  type BootLogOptions,
  type BoundEvent,
  type LogProblem,
  type PcrValues,
  readBootLog,
} from '../boot-log/boot-log.ts';
export type { Claim } from '../boot-log/claims/claim.ts';
export type { BootClaims } from '../boot-log/claims/claims.ts';
export type {
  EntryCommandLine,
  GrubCommandLine,
  KernelCommandLine,
  UkiCommandLine,
} from '../boot-log/claims/kernel-command-line.ts';
export type { Authority, SecureBootClaims, SecureBootMode } from '../boot-log/claims/secure-boot.ts';
export type { Signature } from '../boot-log/claims/signature.ts';
export type { UkiSection } from '../boot-log/claims/uki.ts';
export { eventText } from '../boot-log/event-text.ts';
export type { PcrStanding, PcrState } from '../boot-log/replay/pcr-standing.ts';
export type { IgnoredLocality, PcrReplay, Replay } from '../boot-log/replay/replay.ts';
export type { Bank } from '../boot-log/tcg/banks.ts';
export type { Binding, BindingRule } from '../boot-log/tcg/binding.ts';
export type { EventDigest, FirmwareEvent, LogEvent, UserspaceEvent } from '../boot-log/tcg/event.ts';
export { EVENT_TYPES, type EventTypeName, eventTypeName } from '../boot-log/tcg/event-types.ts';
export type { Partition, PartitionTable } from '../boot-log/tcg/gpt.ts';
export { LOG_LIMITS } from '../boot-log/tcg/limits.ts';
export { MalformedLogError, type RefusalCode } from '../boot-log/tcg/malformed-log.ts';
export type { SpecId } from '../boot-log/tcg/spec-id.ts';
export { MalformedError } from '../bytes/malformed.ts';
