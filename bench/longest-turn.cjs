// Measures the longest turn of a server's event loop, and how long garbage collection took in it. Load it before the
// program with --require. It uses processor time of the main thread, which does not depend on other load of the machine.
// On SIGUSR2 it writes the figures and starts again.
'use strict';

const { renameSync, readFileSync, writeFileSync } = require('node:fs');
const { PerformanceObserver } = require('node:perf_hooks');

const FILE = process.env.LONGEST_TURN_FILE;
/** Processor time in nanoseconds: the first number in /proc/self/schedstat. */
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
