// Judges an EK certificate by trusted CAs: node judge-certificate.mjs CERTIFICATE CA_FILE…
import { readFileSync } from 'node:fs';
import { finished, judgeEkCertificate, policyOf } from 'tpm-attestor/verifier';
import { parseCertificate, takeCertificate, trustStoreFrom } from 'tpm-attestor/x509';

const [file, ...cas] = process.argv.slice(2);
const { anchors } = trustStoreFrom(cas.map((name) => ({ name, bytes: readFileSync(name) })));
const policy = policyOf({ trustDomain: 'example.org', anchors });
const leaf = parseCertificate(takeCertificate(new Uint8Array(readFileSync(file))).der);

const verdict = finished(judgeEkCertificate({ leaf, intermediates: [], now: new Date(), keyIsKnown: false }, policy));
if (verdict.trusted) console.log('trusted', verdict.certified.facts);
else for (const { code, message } of verdict.problems) console.log(`${code}: ${message}`);
process.exitCode = verdict.trusted ? 0 : 1;
