// Preloaded into a process. On SIGUSR2 the wall clock jumps ahead by an hour, but timers do not: like a machine that
// wakes up from sleep.
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
