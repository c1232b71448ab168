/** Writes comma-separated values (RFC 4180) that are safe to open in a spreadsheet. */

/** A record with its line end. */
export function csvRecord(fields: readonly string[]): string {
  return `${fields.map(csvField).join(',')}\r\n`;
}

/**
 * A spreadsheet treats a field that begins with one of these characters as a formula, even in quotes, and a formula can
 * leak other cells. File names and certificates are untrusted. An apostrophe in front makes the field text, as OWASP
 * recommends ("CSV Injection"). The same holds after a semicolon: where the comma is the decimal sign, spreadsheets
 * split fields there. A program that reads a field must remove an apostrophe before one of these characters.
 */
const FORMULA = /(^|;"*)(?=[=+\-@\t\r])/g;

function csvField(text: string): string {
  const harmless = text.replace(FORMULA, "$1'");
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
