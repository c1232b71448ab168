// Passages of the agent that hold a check each, what stands there without it, and the one test that must fail then. The
// agent needs a TPM, so that a test of it costs seconds: each passage names one, and no other runs for it.

/** @typedef {readonly [check: string, about: string, file: string, from: string, to: string, testFile: string, test: string]} AgentPassage */

/** @type {readonly AgentPassage[]} */
export const AGENT_PASSAGES = [
  [
    'agent: one bank in a challenge',
    'the first of several is quoted',
    'src/agent/wires/quoting-wire.ts',
    'banks.length > 1 || ',
    '',
    'test/agent/attest.test.ts',
    'answers no challenge that asks for several banks, one bank twice, none, or no PCR, and leaves nothing loaded',
  ],
  [
    'agent: PCRs that a TPM does not answer',
    'they are asked for again',
    'src/agent/wires/pcr-quote.ts',
    'read.length === 0 || ',
    '',
    'test/agent/bus.test.ts',
    'that a TPM never answers are not asked for without end',
  ],
];
