/** How large a log may be, checked before anything in it is looked at. Real firmware logs have 2 to 73 kB. */
export const LOG_LIMITS: {
  readonly firmwareBytes: number;
  readonly firmwareEvents: number;
  /** Of one event, whatever its type. */
  readonly eventBytes: number;
  readonly userspaceBytes: number;
  readonly userspaceRecords: number;
} = {
  firmwareBytes: 1024 * 1024,
  firmwareEvents: 4096,
  eventBytes: 256 * 1024,
  userspaceBytes: 1024 * 1024,
  userspaceRecords: 4096,
};
