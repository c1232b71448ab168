/** Formats one CA certificate as a PEM file. The file's name and comments tell people which CA it is. */
import { authorityReport } from '../../x509/authority/authority-report.ts';
import type { Certificate } from '../../x509/certificate.ts';

/**
 * OpenSSL reads lines in pieces of 254 bytes. A later piece of a comment could look like the beginning of a PEM block.
 */
const MAX_COMMENT_CHARS = 200;
const MAX_SLUG_CHARS = 32;
/** Enough to be unique, and short enough to read. */
const FINGERPRINT_DIGITS = 16;

/** `infineon-root-0123456789abcdef.pem` */
export function authorityFileName(certificate: Certificate, manufacturer: string): string {
  const { role, fingerprint } = authorityReport(certificate);
  return `${slugOf(manufacturer)}-${role}-${fingerprint.slice(0, FINGERPRINT_DIGITS)}.pem`;
}

/** Reduces a text to lower-case letters, digits and single dashes. `unknown` if nothing is left. */
export function slugOf(text: string): string {
  const words =
    text
      .slice(0, 4 * MAX_SLUG_CHARS)
      .normalize('NFKD')
      .toLowerCase()
      .match(/[a-z0-9]+/g) ?? [];
  return words.join('-').slice(0, MAX_SLUG_CHARS).replace(/-$/, '') || 'unknown';
}

export function authorityFileText(certificate: Certificate): string {
  const { subject, issuer, not_before, not_after, fingerprint } = authorityReport(certificate);
  const lines =
    Buffer.from(certificate.der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [
    comment('subject', subject),
    comment('issuer', issuer),
    comment('valid', `${not_before} to ${not_after}`),
    comment('sha256', fingerprint),
    '-----BEGIN CERTIFICATE-----',
    ...lines,
    '-----END CERTIFICATE-----',
    '',
  ].join('\n');
}

/** A comment line in ASCII, which all programs read as the same text. */
function comment(label: string, text: string): string {
  const ascii = text.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
  return `# ${label.padEnd(8)} ${ascii.length > MAX_COMMENT_CHARS ? `${ascii.slice(0, MAX_COMMENT_CHARS)}...` : ascii}`;
}
