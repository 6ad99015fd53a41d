// Compile-time byte literals for AssemblyScript sources.
//
// `S("text")`, with S imported from bytes/text, becomes the constant address of a counted literal: one length byte,
// then the UTF-8 bytes. All literals of a compilation stand once each in one data segment, in the order in which the
// compiler read them, so equal sources give equal bytes. Without this transform bytes/text refuses to compile.
//
// `L("several words")` becomes the address of a list: each word as such a literal, then a length of zero. With several
// arguments each of them is an entry of the list, blanks and all. Lists come first, so that a literal which is an entry of one
// needs no bytes of its own.
//
// How: every `S("text")` is rewritten to `(S + offset)`, and the function S in bytes/text to a constant that holds the
// segment's address. Both are constants to the compiler, so S may stand in a constant's initialiser and in
// `memory.data<u32>([S("a"), S("b")])` too.

import * as asc from "assemblyscript";
import { Transform } from "assemblyscript/transform";
import { compiled } from "./scout.mjs";

/** Longest literal, in bytes: its length is kept in one byte. */
const LITERAL_MAX = 255;

const MODULE = /(^|\/)bytes\/text$/;

/** @returns the statements of `code`, as if they stood in the file of `path` */
function parse(code, path = "literals.generated.ts") {
  const parser = new asc.Parser();
  parser.parseFile(code, path, true);
  return parser.sources[0].statements;
}

const isNode = (value) => value !== null && typeof value === "object" && "kind" in value && "range" in value;

/** Replaces every child of `node` by what `visit` makes of it, depth first. Nodes form a tree once `range` is left out. */
function rewriteChildren(node, visit) {
  for (const key of Object.keys(node)) {
    if (key === "range") continue;
    const value = node[key];
    if (isNode(value)) node[key] = visit(value);
    else if (Array.isArray(value)) value.forEach((item, i) => isNode(item) && (value[i] = visit(item)));
  }
}

/** The one data segment: literals by text, and where each begins. */
class Segment {
  bytes = [];
  #offsets = new Map();

  /** @returns the offset in the segment of these literals, one after the other, or a message that says why there can be none */
  add(texts) {
    const key = JSON.stringify(texts);
    const known = this.#offsets.get(key);
    if (known !== undefined) return known;
    const all = texts.map((text) => Buffer.from(text, "utf8"));
    if (!texts.every((text) => text.isWellFormed()))
      return "the literal holds half of a surrogate pair; write whole characters";
    const long = all.find((utf8) => utf8.length > LITERAL_MAX);
    if (long) return `the literal has ${long.length} bytes, the limit is ${LITERAL_MAX}; split it into several`;
    const offset = this.bytes.length;
    this.#offsets.set(key, offset);
    all.forEach((utf8, i) => {
      const alone = JSON.stringify([texts[i]]);
      // an entry of a list is a literal as well
      if (!this.#offsets.has(alone)) this.#offsets.set(alone, this.bytes.length);
      this.bytes.push(utf8.length, ...utf8);
    });
    return offset;
  }
}

const isCallOf = (node, name) =>
  node.kind === asc.NodeKind.Call && node.expression.kind === asc.NodeKind.Identifier && node.expression.text === name;

const isString = (node) => node.kind === asc.NodeKind.Literal && node.literalKind === asc.LiteralKind.String;

/** @returns whether `source` is bytes/text itself or imports S, under that name, from it */
function knowsS(source, home) {
  if (source === home) return true;
  return source.statements.some(
    (s) =>
      s.kind === asc.NodeKind.Import &&
      s.internalPath === home.internalPath &&
      s.declarations?.some(
        (d) => (d.foreignName.text === "S" || d.foreignName.text === "L") && d.name.text === d.foreignName.text,
      ),
  );
}

/** Replaces the calls of S and L in these sources by what `made` gives for each: the text of an expression, or undefined. */
function replaceCalls(sources, made) {
  const visit = (node) => {
    const text = isCallOf(node, "S") || isCallOf(node, "L") ? made(node) : undefined;
    if (text === undefined) {
      if (!isCallOf(node, "S") && !isCallOf(node, "L")) rewriteChildren(node, visit);
      return node;
    }
    const point = (part) => {
      part.range = node.range;
      rewriteChildren(part, point);
      return part;
    };
    return point(parse(`(${text});`)[0].expression);
  };
  for (const source of sources) rewriteChildren(source, visit);
}

/** @returns the literals that a call of S or L stands for, one after the other, or a message that says why it is none */
function textsOf(call) {
  const texts = call.args.map((arg) => arg.value);
  const list = isCallOf(call, "L");
  if (!call.args.every(isString) || texts.length === 0 || (texts.length > 1 && !list))
    return "S takes exactly one string literal, known when the program is compiled, L one or more";
  if (!list) return texts;
  if (texts.length > 1) return [...texts, ""];
  if (!/^[!-~]+( [!-~]+)+$/.test(texts[0])) return "L takes ASCII words with one blank between each two";
  return [...texts[0].split(" "), ""];
}

/** @returns the key of a call in `namedLiterals`, or undefined when it is no literal */
function keyOf(call) {
  const texts = textsOf(call);
  return typeof texts === "string" ? undefined : JSON.stringify(texts);
}

/** @returns the keys of the literals that compiled code names, of those in `keys`: the others have no place in the module */
function namedLiterals(program, home, keys) {
  const numbers = new Map(keys.map((key, i) => [key, `S_${i}`]));
  const prepare = (sources) => {
    const text = sources.find((s) => s.internalPath === home.internalPath);
    for (const source of sources.filter((s) => knowsS(s, text))) {
      const used = new Set();
      replaceCalls([source], (call) => {
        const name = numbers.get(keyOf(call));
        used.add(name ?? "S");
        return name;
      });
      const up = `./${"../".repeat(source.internalPath.split("/").length - 1)}`;
      const line = `import { ${[...used].filter((name) => name !== "S").join(", ")} } from "${up}${home.internalPath}";`;
      if (source !== text) source.statements.unshift(...parse(line, source.normalizedPath));
    }
    const constants = [...numbers.values()].map((name, i) => `@lazy export const ${name}: usize = ${i};`);
    text.statements.unshift(...parse(constants.join("\n"), text.normalizedPath));
  };
  const named = new Set(compiled(program, prepare, home.internalPath, [...numbers.values()]));
  return new Set(keys.filter((key) => named.has(numbers.get(key))));
}

export default class Literals extends Transform {
  afterParse(parser) {
    const home = parser.sources.find((s) => MODULE.test(s.internalPath));
    if (!home) return;
    const segment = new Segment();
    const sources = parser.sources.filter((source) => knowsS(source, home));
    const keys = new Set();
    const look = (node) => {
      if (isCallOf(node, "S") || isCallOf(node, "L")) keys.add(keyOf(node));
      rewriteChildren(node, look);
      return node;
    };
    for (const source of sources) rewriteChildren(source, look);
    keys.delete(undefined);
    const named = namedLiterals(this.program, home, [...keys]);
    for (const texts of [...named].map((key) => JSON.parse(key))) if (texts.length > 1) segment.add(texts);
    replaceCalls(sources, (call) => {
      const texts = textsOf(call);
      const offset = typeof texts === "string" ? texts : named.has(keyOf(call)) ? segment.add(texts) : 0;
      if (typeof offset === "number") return `${call.expression.text} + ${offset}`;
      parser.error(asc.DiagnosticCode.User_defined_0, call.range, offset);
      return undefined;
    });
    this.#define(home, segment);
  }

  /** Puts the segment's address in the place of bytes/text's functions S and L. */
  #define(home, segment) {
    const bytes = segment.bytes.length ? segment.bytes : [0];
    for (const [name, value] of [
      ["S", `memory.data<u8>([${bytes.join(",")}])`],
      ["L", "S"],
    ]) {
      const at = home.statements.findIndex((s) => s.kind === asc.NodeKind.FunctionDeclaration && s.name.text === name);
      if (at < 0)
        throw new Error(`${home.normalizedPath} does not declare function ${name}, which literals are written with`);
      [home.statements[at]] = parse(`@lazy export const ${name}: usize = ${value};`, home.normalizedPath);
    }
  }
}
