// Says what a firmware log says of Secure Boot, and why where it says nothing: node read-boot-log.mjs LOG
import { readFileSync } from 'node:fs';
import { readBootLog } from 'tpm-attestor/boot-log';

// With the quoted values as pcrValues, a claim is proven; without them it is what the log says.
const { claims, proven } = readBootLog(new Uint8Array(readFileSync(process.argv[2])));
const { secureBoot } = claims;
console.log('value' in secureBoot ? secureBoot.value : `unknown: ${secureBoot.withheld}`, proven ? '' : '(not proven)');
