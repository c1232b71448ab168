/** Comma-separated values (RFC 4180), safe to open in a spreadsheet. */

/** A record with its line end. */
export function csvRecord(fields: readonly string[]): string {
  return `${fields.map(csvField).join(',')}\r\n`;
}

/**
 * Spreadsheets take a field that begins with one of these for a formula, whatever its quotes, and a formula can send away
 * what lies beside it. Names of files and what certificates say come from others; an apostrophe in front makes it text, as
 * OWASP recommends ("CSV Injection"). Behind a semicolon as well: where the comma is the decimal sign, spreadsheets divide
 * there. A program that reads the field takes off an apostrophe that one of these follows.
 */
const FORMULA = /(^|;"*)(?=[=+\-@\t\r])/g;

function csvField(text: string): string {
  const harmless = text.replace(FORMULA, "$1'");
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
