// Loaded into a server before its program: the longest turn of its event loop, in processor time of the main thread,
// which does not count what the rest of the machine does; and how long collections of garbage took during it. On SIGUSR2
// both are written down, and measured anew.
'use strict';

const { renameSync, readFileSync, writeFileSync } = require('node:fs');
const { PerformanceObserver } = require('node:perf_hooks');

const FILE = process.env.LONGEST_TURN_FILE;
/** Nanoseconds on a processor; of /proc/PID/schedstat the first number. */
const onProcessor = () => Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ', 1)[0]);

let before = { at: performance.now(), spent: onProcessor() };
let longest = { spent: 0, from: 0, to: 0 };
let collections = [];
new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({ entryTypes: ['gc'] });
setInterval(() => {
  const now = { at: performance.now(), spent: onProcessor() };
  const spent = now.spent - before.spent;
  if (spent > longest.spent) longest = { spent, from: before.at, to: now.at };
  before = now;
}, 1).unref();

process.on('SIGUSR2', () => {
  const within = collections.filter(({ startTime }) => startTime >= longest.from && startTime <= longest.to);
  const garbage = within.reduce((sum, { duration }) => sum + duration, 0);
  writeFileSync(`${FILE}.new`, JSON.stringify({ turn: longest.spent / 1e6, garbage }));
  renameSync(`${FILE}.new`, FILE);
  longest = { spent: 0, from: 0, to: 0 };
  collections = [];
  before = { at: performance.now(), spent: onProcessor() };
});
