// Prints the kind of the key in a TPMT_PUBLIC, and the hash for a server's allow-list: node parse-public.mjs FILE
import { readFileSync } from 'node:fs';
import { keyAlgorithmName, spkiHash, spkiOfPublicArea } from 'tpm-attestor/tpm';
import { decode, tpmtPublic } from 'tpm-attestor/tpm/structures';

const area = decode(tpmtPublic, new Uint8Array(readFileSync(process.argv[2])));
const spki = spkiOfPublicArea(area);
console.log(keyAlgorithmName(area), spki === undefined ? 'no usable public key' : spkiHash(spki));
