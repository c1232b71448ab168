// Loaded into a server before its program: the longest turn of its event loop, in processor time of the main thread,
// which does not count what the rest of the machine does. On SIGUSR2 it is written down, and measured anew.
'use strict';

const { readFileSync, writeFileSync } = require('node:fs');

const FILE = process.env.LONGEST_TURN_FILE;
/** Nanoseconds on a processor; of /proc/PID/schedstat the first number. */
const onProcessor = () => Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ', 1)[0]);

let before = onProcessor();
let longest = 0;
setInterval(() => {
  const now = onProcessor();
  longest = Math.max(longest, now - before);
  before = now;
}, 1).unref();

process.on('SIGUSR2', () => {
  writeFileSync(FILE, `${longest / 1e6}\n`);
  longest = 0;
  before = onProcessor();
});
