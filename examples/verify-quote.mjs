// Verifies a quote: node verify-quote.mjs AK_PUBLIC QUOTED SIGNATURE NONCE PCR_VALUE…
// AK_PUBLIC, QUOTED and SIGNATURE are files with a TPMT_PUBLIC, a TPMS_ATTEST and a TPMT_SIGNATURE. NONCE and each
// PCR_VALUE are hexadecimal.
import { readFileSync } from 'node:fs';
import { Findings, judgeAttestationKey, verifyQuote } from 'tpm-attestor/verifier';

const [ak, quoted, signature, nonce = '', ...values] = process.argv.slice(2);
const read = (path) => new Uint8Array(readFileSync(path));
const hex = (text) => new Uint8Array(Buffer.from(text, 'hex'));

const findings = new Findings();
const key = judgeAttestationKey(read(ak), findings);
const evidence = { quoted: read(quoted), signature: read(signature), pcrValues: values.map(hex) };
const expected = { extraData: hex(nonce), pcrSelection: undefined, qualifiedSigner: undefined };
const quote = key && verifyQuote(key, evidence, expected, findings);
for (const { code, message, remedy } of findings.list) console.log(`${code}: ${message}. ${remedy}.`);
for (const { bank, index, value } of quote?.pcrs ?? []) console.log(`${bank}:${index} ${value}`);
process.exitCode = quote === undefined ? 1 : 0;
