/** Reads a document of the project for the tests that check it: scripts, headings, tables. */
import { readFileSync } from 'node:fs';

export class MarkdownDocument {
  readonly text: string;

  /** @param path from the project's root */
  constructor(path: string) {
    this.text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  }

  /** The names of its scripts: `bash` blocks whose first line is `# NAME.sh …`. */
  get scripts(): readonly string[] {
    return [...this.text.matchAll(/^```bash\n# ([\w-]+\.sh)\b/gm)].map(([, name]) => name ?? '');
  }

  /** The block whose first line begins with `# NAME`. */
  block(language: 'bash' | 'hcl' | 'text', name: string): string {
    const first = `# ${name.replace('.', '\\.')}\\b`;
    const found = new RegExp(`^\`\`\`${language}\\n(${first}[\\s\\S]*?)^\`\`\``, 'm').exec(this.text)?.[1];
    if (found === undefined) throw new Error(`the document has no block ${name}`);
    return found;
  }

  /** The lines of the text. Lines in code blocks are empty, because a comment there looks like a heading. */
  get #prose(): readonly string[] {
    let inside = false;
    return this.text.split('\n').map((line) => {
      const isFence = line.startsWith('```');
      if (isFence) inside = !inside;
      return inside || isFence ? '' : line;
    });
  }

  /** The anchors of its headings, as a link has them after `#`. */
  get anchors(): readonly string[] {
    const titles = this.#prose.flatMap((line) => /^#+ (.*)$/.exec(line)?.[1]?.toLowerCase() ?? []);
    return titles.map((title) => title.replace(/[^\w -]/g, '').replace(/ /g, '-'));
  }

  /** The text under a heading, up to the next heading of the same or a higher rank. */
  section(title: string): string {
    const lines = this.text.split('\n');
    const ranks = this.#prose.map((line) => /^(#+) /.exec(line)?.[1]?.length ?? Number.POSITIVE_INFINITY);
    const rank = (i: number): number => ranks[i] ?? Number.POSITIVE_INFINITY;
    const start = lines.findIndex((line, i) => rank(i) < 7 && line.replace(/^#+ /, '') === title);
    if (start < 0) throw new Error(`the document has no section ${title}`);
    const end = lines.findIndex((_, i) => i > start && rank(i) <= rank(start));
    return lines.slice(start + 1, end < 0 ? undefined : end).join('\n');
  }
}

/** The cells of all rows in every table with this first heading. */
export function tableRows(text: string, firstHeading: string): readonly (readonly string[])[] {
  const rows: (readonly string[])[] = [];
  let inside = false;
  for (const line of text.split('\n')) {
    const cells = /^\| (.*) \|$/
      .exec(line)?.[1]
      ?.split(' | ')
      .map((cell) => cell.trim());
    if (cells === undefined) inside = inside && /^\|[-|]+\|$/.test(line);
    else if (inside) rows.push(cells);
    else inside = cells[0] === firstHeading;
  }
  return rows;
}

/** The texts in backticks in a cell. */
export function quotedIn(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, quoted]) => quoted ?? '');
}
