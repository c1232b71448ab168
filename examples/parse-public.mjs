// Says what kind of key a TPMT_PUBLIC is, and by which hash a server lists it: node parse-public.mjs FILE
import { readFileSync } from 'node:fs';
import { keyAlgorithmName, spkiHash, spkiOfPublicArea } from 'tpm-attestor/tpm';
import { decode, tpmtPublic } from 'tpm-attestor/tpm/structures';

const area = decode(tpmtPublic, new Uint8Array(readFileSync(process.argv[2])));
const spki = spkiOfPublicArea(area);
console.log(keyAlgorithmName(area), spki === undefined ? 'no usable public key' : spkiHash(spki));
