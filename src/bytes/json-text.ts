/** What JSON.parse lets pass. Pure. */

export interface JsonFlaw {
  /** In characters. */
  readonly offset: number;
  readonly reason: string;
}

/**
 * JSON.parse keeps the last of two equal names, and takes any depth. Only for text that JSON.parse took: where every string
 * is closed the pattern never goes back, and its time is linear.
 *
 * @param depth deepest nesting that will do
 * @returns the first flaw
 */
export function jsonFlaw(text: string, depth: number): JsonFlaw | undefined {
  const names: Set<string>[] = [];
  let level = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs)) {
    if (token === '{' || token === '[') {
      level += 1;
      if (level > depth) return { offset: index, reason: `nested deeper than ${depth}` };
      names[level] = new Set();
    } else if (token === '}' || token === ']') {
      level -= 1;
    } else if (token.endsWith(':')) {
      // Read, not compared as written: an escape spells the same name in other letters.
      const name: string = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1));
      const seen = names[level] ?? new Set<string>();
      if (seen.has(name)) return { offset: index, reason: `"${name.slice(0, 64)}" is given twice` };
      seen.add(name);
      names[level] = seen;
    }
  }
  return undefined;
}
