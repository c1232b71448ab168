/** Finds what a TypeScript file uses: its imports, globals and members. */
import { posix } from 'node:path';
import ts from 'typescript';

export interface Import {
  /** As written. A relative import is resolved to a path in the project. */
  readonly target: string;
  readonly line: number;
  /** Imported or re-exported names; `*` for the whole module. */
  readonly names: readonly string[];
  /** Whether the compiler erases it, so that it runs no code of the target. */
  readonly typeOnly: boolean;
}

export interface Use {
  /** The name of a global, with its member if there is one: `process`, `Date.now`, `new Date()`. */
  readonly name: string;
  readonly line: number;
}

/** What one source file uses from outside. */
export interface SourceFacts {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly globals: readonly Use[];
  /** The members that it uses of any object. */
  readonly members: readonly Use[];
}

/** @param path relative to the project, with forward slashes */
export function sourceFacts(path: string, text: string): SourceFacts {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true, ts.ScriptKind.TS);
  const lineOf = (node: ts.Node) => source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
  const imports: Import[] = [];
  const used: Use[] = [];
  const members: Use[] = [];
  const declared = new Set<string>();

  const addImport = (node: ts.Node, specifier: ts.Node | undefined, names: readonly string[], typeOnly: boolean) => {
    const written = specifier !== undefined && ts.isStringLiteralLike(specifier) ? specifier.text : '(computed)';
    const target = written.startsWith('.') ? posix.join(posix.dirname(path), written) : written;
    imports.push({ target, line: lineOf(node), names, typeOnly });
  };

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) addImport(node, node.moduleSpecifier, ...importedNames(node.importClause));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      addImport(node, node.moduleSpecifier, ...reexportedNames(node));
    } else if (ts.isImportTypeNode(node)) {
      addImport(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, ['*'], true);
    } else if (ts.isCallExpression(node) && isModuleCall(node)) addImport(node, node.arguments[0], ['*'], false);
    else if (ts.isIdentifier(node) && isExpression(node)) used.push({ name: useOf(node), line: lineOf(node) });
    else if (ts.isPropertyAccessExpression(node)) members.push({ name: node.name.text, line: lineOf(node) });
    if (isDeclaration(node) && node.name !== undefined && ts.isIdentifier(node.name)) declared.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const isGlobal = ({ name }: Use) => !declared.has(name.replace(/^new /, '').replace(/[.(].*$/, ''));
  return { path, lines: text.split('\n').length - 1, imports, globals: used.filter(isGlobal), members };
}

function importedNames(clause: ts.ImportClause | undefined): [string[], boolean] {
  if (clause === undefined) return [[], false];
  const names = clause.name === undefined ? [] : ['default'];
  const { namedBindings: bindings } = clause;
  if (bindings === undefined) return [names, clause.phaseModifier === ts.SyntaxKind.TypeKeyword];
  if (ts.isNamespaceImport(bindings)) return [['*'], clause.phaseModifier === ts.SyntaxKind.TypeKeyword];
  const erased = bindings.elements.every(({ isTypeOnly }) => isTypeOnly) && names.length === 0;
  const own = bindings.elements.map(({ name, propertyName }) => (propertyName ?? name).text);
  return [[...names, ...own], clause.phaseModifier === ts.SyntaxKind.TypeKeyword || erased];
}

function reexportedNames({ exportClause, isTypeOnly }: ts.ExportDeclaration): [string[], boolean] {
  if (exportClause === undefined || ts.isNamespaceExport(exportClause)) return [['*'], isTypeOnly];
  const { elements } = exportClause;
  const names = elements.map(({ name, propertyName }) => (propertyName ?? name).text);
  return [names, isTypeOnly || elements.every((element) => element.isTypeOnly)];
}

function isModuleCall({ expression }: ts.CallExpression): boolean {
  return (
    expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(expression) && ['require', 'createRequire'].includes(expression.text))
  );
}

type Declaration =
  | ts.VariableDeclaration
  | ts.ParameterDeclaration
  | ts.BindingElement
  | ts.FunctionDeclaration
  | ts.ClassDeclaration
  | ts.ImportSpecifier
  | ts.ImportClause
  | ts.NamespaceImport;

function isDeclaration(node: ts.Node): node is Declaration {
  return (
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isImportSpecifier(node) ||
    ts.isImportClause(node) ||
    ts.isNamespaceImport(node)
  );
}

/** Whether the name is evaluated, and is not a property name, a declared name or a type. */
function isExpression(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isBindingElement(parent) || ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent)) return parent.initializer === node;
  if (ts.isPropertyDeclaration(parent)) return parent.initializer === node;
  if (ts.isExpressionWithTypeArguments(parent)) return true;
  return !(
    ts.isTypeNode(parent) ||
    ts.isQualifiedName(parent) ||
    ts.isNamedTupleMember(parent) ||
    isNamed(parent, node)
  );
}

function isNamed(parent: ts.Node, node: ts.Identifier): boolean {
  return 'name' in parent && parent.name === node;
}

function useOf(node: ts.Identifier): string {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return `${node.text}.${parent.name.text}`;
  if (ts.isElementAccessExpression(parent) && ts.isStringLiteralLike(parent.argumentExpression)) {
    return `${node.text}.${parent.argumentExpression.text}`;
  }
  if (ts.isNewExpression(parent) && parent.expression === node) {
    return (parent.arguments?.length ?? 0) === 0 ? `new ${node.text}()` : `new ${node.text}(…)`;
  }
  return ts.isCallExpression(parent) && parent.expression === node ? `${node.text}()` : node.text;
}
