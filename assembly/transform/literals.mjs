// Compile-time byte literals for AssemblyScript sources.
//
// `S("text")`, with S imported from bytes/text, becomes the constant address of a counted literal: one length byte,
// then the UTF-8 bytes. All literals of a compilation stand once each in one data segment, in the order in which the
// compiler read them, so equal sources give equal bytes. Without this transform bytes/text refuses to compile.
//
// `L("several words")` becomes the address of a list: each word as such a literal, then a length of zero. With several
// arguments each of them is an entry of the list, blanks and all.
//
// How: every `S("text")` is rewritten to `(S + offset)`, and the function S in bytes/text to a constant that holds the
// segment's address. Both are constants to the compiler, so S may stand in a constant's initialiser and in
// `memory.data<u32>([S("a"), S("b")])` too.

import * as asc from "assemblyscript";
import { Transform } from "assemblyscript/transform";

/** Longest literal, in bytes: its length is kept in one byte. */
const LITERAL_MAX = 255;

const MODULE = /(^|\/)bytes\/text$/;

/** @param {string} code @returns the statements of `code` */
function parse(code) {
  const parser = new asc.Parser();
  parser.parseFile(code, "literals.generated.ts", true);
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
  add(...texts) {
    const key = JSON.stringify(texts);
    const known = this.#offsets.get(key);
    if (known !== undefined) return known;
    const bytes = [];
    for (const text of texts) {
      if (!text.isWellFormed()) return "the literal holds half of a surrogate pair; write whole characters";
      const utf8 = Buffer.from(text, "utf8");
      if (utf8.length > LITERAL_MAX) {
        return `the literal has ${utf8.length} bytes, the limit is ${LITERAL_MAX}; split it into several`;
      }
      bytes.push(utf8.length, ...utf8);
    }
    const offset = this.bytes.length;
    this.#offsets.set(key, offset);
    this.bytes.push(...bytes);
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

export default class Literals extends Transform {
  afterParse(parser) {
    const home = parser.sources.find((s) => MODULE.test(s.internalPath));
    if (!home) return;
    const segment = new Segment();

    const place = (call) => {
      const list = isCallOf(call, "L");
      const texts = call.args.map((arg) => arg.value);
      if (!call.args.every(isString) || texts.length === 0 || (texts.length > 1 && !list)) {
        return "S takes exactly one string literal, known when the program is compiled, L one or more";
      }
      if (!list) return segment.add(texts[0]);
      if (texts.length > 1) return segment.add(...texts, "");
      if (!/^[!-~]+( [!-~]+)+$/.test(texts[0])) return "L takes ASCII words with one blank between each two";
      return segment.add(...texts[0].split(" "), "");
    };
    const visit = (node) => {
      if (!isCallOf(node, "S") && !isCallOf(node, "L")) {
        rewriteChildren(node, visit);
        return node;
      }
      const offset = place(node);
      if (typeof offset === "string") {
        parser.error(asc.DiagnosticCode.User_defined_0, node.range, offset);
        return node;
      }
      const sum = parse(`(${node.expression.text} + ${offset});`)[0].expression;
      const point = (part) => {
        part.range = node.range;
        rewriteChildren(part, point);
        return part;
      };
      return point(sum);
    };

    for (const source of parser.sources) if (knowsS(source, home)) rewriteChildren(source, visit);
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
      const source = new asc.Parser();
      source.parseFile(`@lazy export const ${name}: usize = ${value};`, home.normalizedPath, true);
      home.statements[at] = source.sources[0].statements[0];
    }
  }
}
