// Finds the checks in one source file. A check is one of three things: a finding that is added, a problem of a
// certificate that is reported, or a statement under a mark. A mark is on the lines before its statement and must move
// with it:
//
//   // tooth A55: a denied machine comes back by another of its keys
//   if (others.some(isDenied)) …
//
// After "tooth" come the attacks (or finding codes, or names of test files) whose tests must fail without the check. After
// the colon comes what an attacker gains. Without the check, the condition of an `if` is false, and another statement
// is left out. Brackets give another substitute: for the whole condition or value, or for a part of the statement:
//
//   // tooth A69 [true]: every machine is on the list
//   // tooth A69 [&& -> ||]: certificate or list is enough where both are needed
//
// `// toothless: why` before a finding or a problem means that no attack can show it.

import ts from 'typescript';

/**
 * @typedef {object} Tooth
 * @property {number} line counted from 1
 * @property {string} check a finding code, a problem, or the words of a mark
 * @property {readonly string[]} named attacks, finding codes and test files; when empty, any test that meets the check
 * @property {boolean} [isCollected] true when the switch is in the method that collects all findings
 * @property {readonly Insertion[]} insertions that put the check under a switch; `NUMBER` stands for the check's number
 *
 * @typedef {{ at: number, text: string, from: number, to: number }} Insertion `from` and `to` are the ends of its node
 */

const MARK = /^ *\/\/ (tooth(?:less)?)\b(.*(?:\n *\/\/ {3}.*)*)\n/gm;
const BLANKS = /^(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*/;
const TERMS = /^(?: ([\w.,/ -]+?))?(?: \[(.*)\])?: (.+)$/;

/** @param {string} text of the file @param {ReadonlySet<string>} codes of findings @returns {readonly Tooth[]} */
export function teethOf(text, codes) {
  const file = ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true);
  const marks = marksOf(text, file);
  const excused = new Set(marks.filter(({ word }) => word === 'toothless').map(({ node }) => statementOf(node)));
  /** @type {Tooth[]} */
  const teeth = [];
  /** @param {ts.Node} node */
  const visit = (node) => {
    const found = findingOf(node, codes) ?? problemOf(node);
    if (found !== undefined && !excused.has(statementOf(node))) {
      teeth.push({ line: lineOf(file, node), check: found.check, named: [], insertions: found.insertions });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  teeth.push(...unnamedTeeth(file, codes));
  for (const { word, node, terms } of marks) {
    if (word === 'toothless') continue;
    const [, named = '', instead, about = ''] = TERMS.exec(terms) ?? [];
    if (about === '') throw new Error(`a mark has the wrong form: tooth${terms}`);
    teeth.push({
      line: lineOf(file, node),
      check: about,
      named: named
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
      insertions: switched(node, instead),
    });
  }
  return teeth.sort((a, b) => a.line - b.line);
}

/** @param {string} text @param {ts.SourceFile} file */
function marksOf(text, file) {
  return [...text.matchAll(MARK)].map((match) => {
    const [whole, word, rest = ''] = match;
    const after = match.index + whole.length;
    const node = outermostAt(file, after + (BLANKS.exec(text.slice(after))?.[0].length ?? 0));
    if (node === undefined) throw new Error(`no statement follows the mark: ${whole}`);
    return { word, node, terms: rest.replace(/\n *\/\/ {3}/g, ' ') };
  });
}

/** @param {ts.SourceFile} file @param {number} start @returns {ts.Node | undefined} */
function outermostAt(file, start) {
  /** @param {ts.Node} node @returns {ts.Node | undefined} */
  const search = (node) => {
    if (node !== file && node.getStart(file) === start && node.kind !== ts.SyntaxKind.SyntaxList) return node;
    return ts.forEachChild(node, (child) => (child.pos <= start && start < child.end ? search(child) : undefined));
  };
  return search(file);
}

/** @param {ts.Node} node @returns {ts.Node} */
function statementOf(node) {
  return ts.isStatement(node) || node.parent === undefined ? node : statementOf(node.parent);
}

/** @param {ts.SourceFile} file @param {ts.Node} node */
const lineOf = (file, node) => file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;

/** `findings.add('quote.magic', …)`. @param {ts.Node} node @param {ReadonlySet<string>} codes */
function findingOf(node, codes) {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  const [code] = node.arguments;
  if (node.expression.name.text !== 'add' || code === undefined || !ts.isStringLiteral(code)) return undefined;
  return codes.has(code.text) ? { check: code.text, insertions: expression(node, 'undefined') } : undefined;
}

/**
 * Findings that are added without a literal code. Their switches are in `add` of `class Findings`, which collects all
 * findings.
 * @param {ts.SourceFile} file @param {ReadonlySet<string>} codes @returns {readonly Tooth[]}
 */
function unnamedTeeth(file, codes) {
  const collector = file.statements.find((one) => ts.isClassDeclaration(one) && one.name?.text === 'Findings');
  if (collector === undefined || !ts.isClassDeclaration(collector)) return [];
  const add = collector.members.find((member) => member.name?.getText() === 'add');
  if (add === undefined || !ts.isMethodDeclaration(add) || add.body === undefined) return [];
  const at = add.body.getStart() + 1;
  return [...codes].map((code) => ({
    line: lineOf(file, add),
    check: code,
    named: [],
    isCollected: true,
    insertions: [
      { at, text: ` if (code === '${code}' && globalThis.__tooth.skips(NUMBER)) return;`, from: at, to: at + 1 },
    ],
  }));
}

/** `{ code: 'expired', message: … }`, alone or as the only element of an array. @param {ts.Node} node */
function problemOf(node) {
  if (!ts.isObjectLiteralExpression(node) || node.properties.length !== 2) return undefined;
  const [code, message] = node.properties;
  if (code === undefined || !ts.isPropertyAssignment(code) || code.name.getText() !== 'code') return undefined;
  if (message?.name?.getText() !== 'message' || !ts.isStringLiteral(code.initializer)) return undefined;
  const check = `problem ${code.initializer.text}`;
  const { parent } = node;
  if (ts.isArrayLiteralExpression(parent) && parent.elements.length === 1)
    return { check, insertions: expression(parent, '[]') };
  if (ts.isCallExpression(parent) && parent.expression.getText().endsWith('.push'))
    return { check, insertions: expression(parent, 'undefined') };
  return { check, insertions: expression(node, 'undefined') };
}

/** @param {ts.Node} node @param {string | undefined} instead @returns {readonly Insertion[]} */
function switched(node, instead) {
  const [, part, substitute] = /^(.+) -> (.*)$/.exec(instead ?? '') ?? [];
  if (part !== undefined && substitute !== undefined) return partly(node, part, substitute);
  if (ts.isIfStatement(node)) return condition(node.expression, instead);
  if (ts.isReturnStatement(node) && node.expression !== undefined) return expression(node.expression, instead);
  if (ts.isVariableStatement(node)) return expression(initializerOf(node.declarationList.declarations[0]), instead);
  if (ts.isPropertyAssignment(node)) return expression(node.initializer, instead);
  if (ts.isSpreadElement(node)) return expression(node.expression, instead);
  if (ts.isStatement(node)) return around(node, `if (globalThis.__tooth.skips(NUMBER)) { ${instead ?? ''} } else `, '');
  return expression(node, instead);
}

/**
 * Switches the smallest expression that contains the part; in a chain of accesses and calls, the whole chain.
 * @param {ts.Node} node @param {string} part @param {string} substitute @returns {readonly Insertion[]}
 */
function partly(node, part, substitute) {
  const [text, start] = [node.getText(), node.getStart()];
  if (text.split(part).length !== 2) throw new Error(`a marked statement must contain exactly once: ${part}`);
  const from = start + text.indexOf(part);
  const to = from + part.length;
  /** @type {ts.Node | undefined} */
  let smallest;
  /** @param {ts.Node} inner */
  const visit = (inner) => {
    if (inner.getStart() > from || inner.getEnd() < to) return;
    if (ts.isExpression(inner) && !isHead(inner)) smallest = inner;
    ts.forEachChild(inner, visit);
  };
  visit(node);
  if (smallest === undefined) throw new Error(`no expression of a marked statement contains: ${part}`);
  const [whole, offset] = [smallest.getText(), from - smallest.getStart()];
  return expression(smallest, whole.slice(0, offset) + substitute + whole.slice(offset + part.length));
}

/**
 * True when the node is called or accessed, or is a name in a declaration, and cannot be replaced.
 *
 * @param {ts.Expression} node
 */
function isHead(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent) || ts.isCallExpression(parent))
    return parent.expression === node || (ts.isPropertyAccessExpression(parent) && parent.name === node);
  return (
    ts.isShorthandPropertyAssignment(parent) ||
    ts.isBindingElement(parent) ||
    (ts.isPropertyAssignment(parent) && parent.name === node)
  );
}

/** @param {ts.VariableDeclaration | undefined} declaration */
function initializerOf(declaration) {
  if (declaration?.initializer === undefined) throw new Error('a marked declaration has no value');
  return declaration.initializer;
}

/** A test meets the check only when the condition is true. @param {ts.Expression} node @param {string} [instead] */
function condition(node, instead) {
  if (instead !== undefined) return expression(node, instead);
  return around(node, '(globalThis.__tooth.is(NUMBER) ? false : globalThis.__tooth.meets(NUMBER, (', ')))');
}

/** @param {ts.Node} node @param {string | undefined} instead */
function expression(node, instead) {
  if (instead === undefined) throw new Error(`the mark needs a substitute in brackets for: ${node.getText()}`);
  return around(node, `(globalThis.__tooth.skips(NUMBER) ? (${instead}) : (`, '))');
}

/** @param {ts.Node} node @param {string} before @param {string} after @returns {readonly Insertion[]} */
function around(node, before, after) {
  const [from, to] = [node.getStart(), node.getEnd()];
  const start = { at: from, text: before, from, to };
  return after === '' ? [start] : [start, { at: to, text: after, from, to }];
}
