/** Every exported value of src is imported somewhere. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../', import.meta.url);
const texts = new Map(
  ['src/', 'test/', 'bench/', 'scripts/']
    .flatMap((folder) =>
      readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' }).map((name) => folder + name),
    )
    .filter((path) => /\.(ts|mjs)$/.test(path) && !path.includes('/gen/'))
    .map((path) => [path, readFileSync(new URL(path, root), 'utf8')]),
);

const EXPORT = /^export (?:async )?(?:abstract )?(?:function\*?|const|class) (\w+)/gm;
const IMPORT =
  /\b(?:import|export)\s+(?:type\s+)?(?:\{([^}]*)\}|\*(?: as \w+)?)\s+from\s+'(\.[^']+)'|\bimport\('(\.[^']+)'\)/g;

/** `src/a.ts b` for each name that a file imports from another, or `src/a.ts *` if it imports the whole file. */
function taken(path: string, text: string): readonly string[] {
  return [...text.matchAll(IMPORT)].flatMap(([, names, from, computed]) => {
    const target = new URL(from ?? computed ?? '', new URL(path, root)).href.slice(root.href.length);
    const list = names?.split(',').map((name) =>
      name
        .trim()
        .replace(/^type /, '')
        .replace(/ as .*/s, ''),
    ) ?? ['*'];
    return list.map((name) => `${target} ${name}`);
  });
}

test('every exported value is imported somewhere', () => {
  const used = new Set([...texts].flatMap(([path, text]) => taken(path, text)));
  const unused = [...texts]
    .filter(([path]) => path.startsWith('src/') && !used.has(`${path} *`))
    .flatMap(([path, text]) => [...text.matchAll(EXPORT)].map(([, name]) => `${path} ${name}`))
    .filter((one) => !used.has(one));
  expect(used.size).toBeGreaterThan(1000);
  expect(unused).toEqual([]);
});
