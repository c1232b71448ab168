// Measures the longest turn of a server's event loop. Load it before the program with --require. It uses processor time
// of the main thread, which does not depend on other load of the machine. On SIGUSR2 it writes the figure and starts
// again.
'use strict';

const { readFileSync, writeFileSync } = require('node:fs');

const FILE = process.env.LONGEST_TURN_FILE;
/** Processor time in nanoseconds: the first number in /proc/self/schedstat. */
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
