// Loaded into a process before its program. On SIGUSR2 the wall clock goes ahead by an hour and timers do not see it:
// what a machine finds when it wakes up.
'use strict';

const HOUR_MS = 3_600_000;
const RealDate = Date;
let aheadMs = 0;

globalThis.Date = class ClockAhead extends RealDate {
  constructor(...parts) {
    super(...(parts.length === 0 ? [RealDate.now() + aheadMs] : parts));
  }

  static now() {
    return RealDate.now() + aheadMs;
  }
};

process.on('SIGUSR2', () => {
  aheadMs += HOUR_MS;
  process.stderr.write('[INFO] the clock is ahead\n');
});
