// Binds the pointers between the module's structures while it is compiled.
//
// agent/wiring.ts says which structure or buffer each pointer member stands for, as assignments: `SESSION.window = WINDOW;`.
// There is one structure of each kind in the module, so such a member is the same for good: this transform makes it an
// inlined getter of the constant, and the assignment goes. It then takes no memory, no load and no code. Programs that do
// not have agent/wiring.ts (the units of the core) keep the members as fields and set them as they like.

import * as asc from "assemblyscript";
import { Transform } from "assemblyscript/transform";

const HOME = /(^|\/)agent\/(coap_)?wiring$/;

const textOf = (node) => node.range.source.text.substring(node.range.start, node.range.end);

/** @returns the statements of `code`, as if they stood in the file of `path` */
function parse(code, path) {
  const parser = new asc.Parser();
  parser.parseFile(code, path, true);
  return parser.sources[0].statements;
}

/** Names that a source imports, each with the file it comes from. */
function importsOf(source) {
  const found = new Map();
  for (const statement of source.statements)
    if (statement.kind === asc.NodeKind.Import)
      for (const one of statement.declarations ?? [])
        found.set(one.name.text, { file: statement.internalPath, name: one.foreignName.text });
  return found;
}

/** `export const NAME = changetype<Class>(…)` of the arena: Class by NAME. */
function structuresOf(arena) {
  const found = new Map();
  for (const statement of arena.statements) {
    if (statement.kind !== asc.NodeKind.Variable) continue;
    for (const one of statement.declarations) {
      const type = one.initializer?.typeArguments?.[0];
      if (type) found.set(one.name.text, type.name.identifier.text);
    }
  }
  return found;
}

const climb = (from, to) => `${"../".repeat(from.split("/").length - 1)}${to}`;

export default class Wiring extends Transform {
  afterParse(parser) {
    const home = parser.sources.find((source) => HOME.test(source.internalPath));
    if (home === undefined) return;
    const imports = importsOf(home);
    const sourceOf = (name) => parser.sources.find((source) => source.internalPath === imports.get(name)?.file);
    const wire = home.statements.find((s) => s.kind === asc.NodeKind.FunctionDeclaration && s.name.text === "wire");
    for (const statement of wire.body.statements) {
      const fault = this.#bind(parser, imports, sourceOf, statement);
      if (fault) parser.error(asc.DiagnosticCode.User_defined_0, statement.range, fault);
    }
    wire.body.statements = [];
    const arena = parser.sources.find((source) => source.internalPath === imports.get("SESSION").file);
    for (const source of parser.sources) if (source !== arena) this.#wait(source);
  }

  /** Constants outside of the arena are worked out, and tables placed, when they are first named: low addresses are for the structures. */
  #wait(source) {
    for (const statement of source.statements) {
      if (statement.kind !== asc.NodeKind.Variable || statement.decorators) continue;
      const [lazy] = parse("@lazy const x = 0;", source.normalizedPath);
      statement.decorators = lazy.decorators;
      for (const one of statement.declarations) one.decorators = lazy.decorators;
    }
  }

  /** @returns why the statement is none of wiring, if so */
  #bind(parser, imports, sourceOf, statement) {
    const { left, right } = statement.expression ?? {};
    if (left?.kind !== asc.NodeKind.PropertyAccess || left.expression.kind !== asc.NodeKind.Identifier)
      return "wiring is STRUCTURE.member = CONSTANT";
    const arena = sourceOf(left.expression.text);
    const className = arena && structuresOf(arena).get(left.expression.text);
    const from = className && importsOf(arena).get(className);
    const source = from && parser.sources.find((one) => one.internalPath === from.file);
    const declaration = source?.statements.find(
      (one) => one.kind === asc.NodeKind.ClassDeclaration && one.name.text === className,
    );
    const member = left.property.text;
    const at = declaration?.members.findIndex((one) => one.name.text === member) ?? -1;
    if (at < 0) return `no structure of the arena has ${textOf(left)}`;
    const field = declaration.members[at];
    if (field.kind !== asc.NodeKind.FieldDeclaration) return `${textOf(left)} is bound already`;
    const names = [...new Set(textOf(right).match(/\b[A-Z][A-Z0-9_]*\b/g) ?? [])].filter((name) => imports.has(name));
    const value = names.reduce(
      (text, name) => text.replaceAll(new RegExp(`\\b${name}\\b`, "g"), `wired_${name}`),
      textOf(right),
    );
    const getter = `class C { @inline get ${member}(): ${textOf(field.type)} { return ${value}; } }`;
    declaration.members[at] = parse(getter, source.normalizedPath)[0].members[0];
    for (const name of names) {
      const { file, name: foreign } = imports.get(name);
      const line = `import { ${foreign} as wired_${name} } from "${climb(source.internalPath, file)}";`;
      const known = source.statements.some(
        (one) => one.kind === asc.NodeKind.Import && one.declarations?.some((d) => d.name.text === `wired_${name}`),
      );
      // last: the constants of the file must be known before those of the arena, which are made of them
      if (!known) source.statements.push(...parse(line, source.normalizedPath));
    }
    return undefined;
  }
}
