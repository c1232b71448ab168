// Puts a program that esbuild has split into one file, because `plugin_checksum` covers one file. Parts that the program
// imports while it runs stay in a comment until then: V8 skips a comment, but it parses every function.

import { basename } from 'node:path';

/** The end of a comment, inside the comment. */
const END = '*~/';

/**
 * Calls a part by its name. Late parts are compiled from the text that Node.js already has, so nobody can change the file
 * in between; their lines in a stack trace are lines of the file.
 * @param {string} main name of the part that runs first
 * @param {number} line first line of the comment in the file, from 0
 */
const loader = (main, line) => `
function part(name) {
  if (!(name in parts)) {
    const text = late.toString().slice('() => {/*'.length, -'*/}'.length).replaceAll('${END}', '*/');
    const options = { filename: __filename, lineOffset: ${line} };
    Object.assign(parts, new (require('node:vm').Script)(text, options).runInThisContext());
  }
  if (!(name in modules)) {
    modules[name] = { exports: {} };
    const requirePart = (id) => (id.startsWith('./') ? part(id.slice(2)) : require(id));
    parts[name](modules[name], requirePart, __dirname, import_meta_url);
  }
  return modules[name].exports;
}
part('${main}');
`;

/**
 * @param {import('esbuild').BuildResult<{ metafile: true, write: false }>} split ES modules in one folder
 * @param {string} main name of the module that runs first
 * @param {string} beginning of the file, whole lines
 */
export async function withLateParts({ outputFiles, metafile }, main, beginning) {
  const early = new Set(imported(metafile.outputs, main));
  const texts = { early: '', late: '' };
  for (const { path, text } of outputFiles)
    texts[early.has(basename(path)) ? 'early' : 'late'] += await partOf(basename(path), text);
  const before = `${beginning}const modules = {};\nconst parts = {\n${texts.early}};\n`;
  const late = `({\n${texts.late}})`;
  if (late.includes(END)) throw new Error(`the program contains ${END}, which stands for the end of a comment`);
  // The first line of the file is still to come.
  const line = before.split('\n').length;
  return `${before}const late = () => {/*${late.replaceAll('*/', END)}*/};${loader(main, line)}`;
}

/**
 * The part and all that it imports before it runs.
 * @param {import('esbuild').Metafile['outputs']} outputs @param {string} name @returns {string[]}
 */
function imported(outputs, name) {
  const [, output] = Object.entries(outputs).find(([path]) => basename(path) === name) ?? [];
  const before = output?.imports.filter(({ kind, external }) => kind === 'import-statement' && !external) ?? [];
  return [name, ...before.flatMap(({ path }) => imported(outputs, basename(path)))];
}

/**
 * An entry of an object literal. V8 parses a function in parentheses once, and any other twice.
 * @param {string} name @param {string} module
 */
async function partOf(name, module) {
  const { transform } = await import('esbuild');
  const { code } = await transform(module.replace(/^#!.*/, ''), {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    charset: 'ascii',
    // Compiled text has no module that an import could be relative to.
    supported: { 'dynamic-import': false },
  });
  return `'${name}': (function (module, require, __dirname, import_meta_url) {\n${code}}),\n`;
}
