// A WebAssembly module (MVP, no imports, no tables) as expression trees, and back. Trees are what binaryen writes when it
// keeps its own order of evaluation: every operand stands right before the instruction that takes it.
//
// A node is { bytes, kids, type }: the instruction and its immediates, its operands in order of evaluation, and what it
// leaves behind ("i32", "i64", or "" for nothing; "never" when control does not go on). Beside that, by `op`: calls have
// `target` (a function), local accesses `local`, branches `labels`, and block, loop, if and seq have lists of statements:
// `body`, and `otherwise` for an if.

const I32 = 0x7f;
const NAMES = { 0x7f: "i32", 0x7e: "i64", 0x40: "" };
const CODES = { i32: 0x7f, i64: 0x7e, "": 0x40 };

export const Op = {
  Unreachable: 0x00,
  Nop: 0x01,
  Block: 0x02,
  Loop: 0x03,
  If: 0x04,
  Else: 0x05,
  End: 0x0b,
  Br: 0x0c,
  BrIf: 0x0d,
  BrTable: 0x0e,
  Return: 0x0f,
  Call: 0x10,
  Drop: 0x1a,
  Select: 0x1b,
  LocalGet: 0x20,
  LocalSet: 0x21,
  LocalTee: 0x22,
  GlobalGet: 0x23,
  I32Const: 0x41,
  I64Const: 0x42,
  /** Statements and a value where one operand is expected: no instruction. */
  Seq: -1,
};

/** @returns the unsigned number in LEB128 */
export function leb(value) {
  const bytes = [];
  let rest = value >>> 0;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return bytes;
}

class Input {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  byte() {
    return this.bytes[this.at++];
  }

  u32() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  skipLeb() {
    while (this.byte() > 127);
  }

  take(n) {
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }
}

const isLoad = (op) => op >= 0x28 && op <= 0x35;
const isStore = (op) => op >= 0x36 && op <= 0x3e;
const unary = new Set([0x45, 0x50, 0x67, 0x68, 0x69, 0x79, 0x7a, 0x7b, 0xa7, 0xac, 0xad]);

/** What an arithmetic instruction leaves: comparisons leave i32 whatever they compare. */
function arithmeticType(op) {
  if (op <= 0x66) return "i32";
  if (op <= 0x78 || op === 0xa7) return "i32";
  return "i64";
}

function loadType(op) {
  return op === 0x29 || (op >= 0x30 && op <= 0x35) ? "i64" : "i32";
}

/** Reads one function body. */
class Body {
  constructor(input, module, fn) {
    this.input = input;
    this.module = module;
    this.fn = fn;
    this.labels = [fn.result];
  }

  /** @returns the statements up to `end` or `else`, and which of the two it was */
  list() {
    const list = [];
    for (;;) {
      const start = this.input.at;
      const op = this.input.byte();
      if (op === Op.End || op === Op.Else) return { list, last: op };
      list.push(this.instruction(op, start, list));
    }
  }

  /** Takes `n` operands off the list; statements between two of them belong to the later one. */
  operands(list, n) {
    const kids = [];
    for (let i = 0; i < n; i++) {
      let kid = list.pop();
      if (kid === undefined || kid.type === "") throw new Error(`${this.fn.name}: an operand is missing`);
      if (i + 1 < n) {
        let from = list.length;
        while (from > 0 && list[from - 1].type === "") from--;
        if (from < list.length)
          kid = { op: Op.Seq, bytes: [], kids: [], body: [...list.splice(from), kid], type: kid.type };
      }
      kids.unshift(kid);
    }
    return kids;
  }

  instruction(op, start, list) {
    const { input } = this;
    const node = (n, type, more = {}) => ({
      op,
      bytes: [...input.bytes.subarray(start, input.at)],
      kids: this.operands(list, n),
      type,
      ...more,
    });
    if (op === Op.Block || op === Op.Loop || op === Op.If) return this.control(op, list);
    if (op === Op.Br || op === Op.BrIf) {
      const label = input.u32();
      const type = this.labels.at(-1 - label);
      const value = type === "" ? 0 : 1;
      return op === Op.Br ? node(value, "never", { labels: [label] }) : node(value + 1, type, { labels: [label] });
    }
    if (op === Op.BrTable) {
      const labels = Array.from({ length: input.u32() }, () => input.u32());
      labels.push(input.u32());
      return node(this.labels.at(-1 - labels[0]) === "" ? 1 : 2, "never", { labels });
    }
    if (op === Op.Return) return node(this.fn.result === "" ? 0 : 1, "never");
    if (op === Op.Unreachable) return node(0, "never");
    if (op === Op.Nop) return node(0, "");
    if (op === Op.Call) {
      const target = this.module.functions[input.u32()];
      return node(target.params.length, target.result, { target });
    }
    if (op === Op.Drop) return node(1, "");
    if (op === Op.Select) {
      const it = node(3, "");
      return { ...it, type: it.kids[0].type };
    }
    if (op >= Op.LocalGet && op <= Op.LocalTee) {
      const local = input.u32();
      const type = this.fn.locals[local];
      if (op === Op.LocalGet) return node(0, type, { local });
      return node(1, op === Op.LocalTee ? type : "", { local });
    }
    if (op === Op.I32Const || op === Op.I64Const) {
      input.skipLeb();
      return node(0, op === Op.I32Const ? "i32" : "i64");
    }
    if (isLoad(op) || isStore(op)) {
      input.skipLeb();
      input.skipLeb();
      return isLoad(op) ? node(1, loadType(op)) : node(2, "");
    }
    if (op >= 0x45 && op <= 0xad) return node(unary.has(op) ? 1 : 2, arithmeticType(op));
    throw new Error(`${this.fn.name}: instruction 0x${op.toString(16)} is not known`);
  }

  control(op, list) {
    const type = NAMES[this.input.byte()];
    const kids = op === Op.If ? this.operands(list, 1) : [];
    this.labels.push(op === Op.Loop ? "" : type);
    const first = this.list();
    const node = { op, bytes: [op], kids, type, body: first.list };
    if (first.last === Op.Else) node.otherwise = this.list().list;
    this.labels.pop();
    return node;
  }
}

/** @returns { functions, exports, sections }: the functions of the module as trees, and every other section as it was */
export function read(bytes) {
  const input = new Input(bytes);
  input.at = 8;
  const module = { functions: [], exports: [], sections: new Map() };
  let types = [];
  const codes = [];
  while (input.at < bytes.length) {
    const id = input.byte();
    const content = input.take(input.u32());
    const section = new Input(content);
    if (id === 1) types = vector(section, () => readType(section));
    else if (id === 3) module.functions = vector(section, () => emptyFunction(types[section.u32()]));
    else if (id === 7) module.exports = vector(section, () => readExport(section));
    else if (id === 10) vector(section, () => codes.push(new Input(section.take(section.u32()))));
    else if (id === 2 || id === 4 || id === 8 || id === 9) throw new Error(`section ${id} is not expected here`);
    else if (id === 0) readNames(section, module.functions);
    else module.sections.set(id, content);
  }
  for (const one of module.exports) if (one.kind === 0) one.target = module.functions[one.index];
  module.functions.forEach((fn, i) => readBody(codes[i], module, fn));
  return module;
}

const vector = (input, one) => Array.from({ length: input.u32() }, one);

function readType(input) {
  input.byte();
  const params = vector(input, () => NAMES[input.byte()]);
  return { params, result: vector(input, () => NAMES[input.byte()])[0] ?? "" };
}

const emptyFunction = ({ params, result }) => ({ name: "", params, result, locals: [...params], body: [] });

function readExport(input) {
  const name = Buffer.from(input.take(input.u32())).toString();
  return { name, kind: input.byte(), index: input.u32() };
}

function readNames(input, functions) {
  if (Buffer.from(input.take(input.u32())).toString() !== "name") return;
  while (input.at < input.bytes.length) {
    const id = input.byte();
    const part = new Input(input.take(input.u32()));
    if (id !== 1) continue;
    vector(part, () => {
      functions[part.u32()].name = Buffer.from(part.take(part.u32())).toString();
    });
  }
}

function readBody(input, module, fn) {
  for (const { n, type } of vector(input, () => ({ n: input.u32(), type: NAMES[input.byte()] })))
    for (let i = 0; i < n; i++) fn.locals.push(type);
  fn.body = new Body(input, module, fn).list().list;
}

/** Appends the instructions of a node; `index` tells the index of a function. */
export function emit(node, out, index) {
  for (const kid of node.kids) emit(kid, out, index);
  if (node.op === Op.Call) {
    out.push(Op.Call, ...leb(index(node.target)));
    return;
  }
  if (node.body === undefined) {
    out.push(...node.bytes);
    return;
  }
  if (node.op !== Op.Seq) out.push(node.op, CODES[node.type] ?? CODES[""]);
  for (const one of node.body) emit(one, out, index);
  if (node.otherwise !== undefined) {
    out.push(Op.Else);
    for (const one of node.otherwise) emit(one, out, index);
  }
  if (node.op !== Op.Seq) out.push(Op.End);
}

/** Every node under these, depth first, operands before what takes them. */
export function walk(nodes, visit) {
  for (const node of nodes) {
    walk(node.kids, visit);
    if (node.body) walk(node.body, visit);
    if (node.otherwise) walk(node.otherwise, visit);
    visit(node);
  }
}

/** @returns the module's bytes; functions that are called from most places come first, because their numbers are shorter */
export function write(module) {
  const uses = new Map(module.functions.map((fn) => [fn, 0]));
  for (const fn of module.functions)
    walk(fn.body, (node) => {
      if (node.op === Op.Call) uses.set(node.target, uses.get(node.target) + 1);
    });
  const functions = [...module.functions].sort((a, b) => uses.get(b) - uses.get(a));
  const numbers = new Map(functions.map((fn, i) => [fn, i]));
  const types = [];
  const keys = new Map();
  const typeOf = (fn) => {
    const key = `${fn.params.join()}>${fn.result}`;
    if (!keys.has(key)) {
      keys.set(key, types.length);
      const result = fn.result === "" ? [0] : [1, CODES[fn.result]];
      types.push([0x60, ...leb(fn.params.length), ...fn.params.map((type) => CODES[type]), ...result]);
    }
    return keys.get(key);
  };
  const sections = new Map(module.sections);
  sections.set(3, counted(functions.map((fn) => leb(typeOf(fn)))));
  sections.set(1, counted(types));
  sections.set(7, counted(module.exports.map((one) => writeExport(one, numbers))));
  sections.set(10, counted(functions.map((fn) => writeBody(fn, (target) => numbers.get(target)))));
  const out = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  for (const id of [1, 3, 5, 6, 7, 10, 11])
    if (sections.has(id)) {
      const content = sections.get(id);
      out.push(id, ...leb(content.length));
      for (const byte of content) out.push(byte);
    }
  if (functions.some(({ name }) => name !== "")) {
    const names = writeNames(functions);
    out.push(0, ...leb(names.length), ...names);
  }
  return Uint8Array.from(out);
}

/** The custom section "name" with the functions' names, WebAssembly Core Specification 1.0, appendix 7.4. */
function writeNames(functions) {
  const text = (name) => [...leb(Buffer.byteLength(name)), ...Buffer.from(name)];
  const map = counted(functions.map(({ name }, i) => [...leb(i), ...text(name)]));
  return [...text("name"), 1, ...leb(map.length), ...map];
}

const counted = (items) => [...leb(items.length), ...items.flat()];

function writeExport({ name, kind, index, target }, numbers) {
  const utf8 = Buffer.from(name);
  return [...leb(utf8.length), ...utf8, kind, ...leb(kind === 0 ? numbers.get(target) : index)];
}

function writeBody(fn, index) {
  const own = fn.locals.slice(fn.params.length);
  const groups = [];
  for (const type of own) {
    if (groups.at(-1)?.type === type) groups.at(-1).n += 1;
    else groups.push({ type, n: 1 });
  }
  const out = counted(groups.map(({ type, n }) => [...leb(n), CODES[type] ?? I32]));
  for (const node of fn.body) emit(node, out, index);
  out.push(Op.End);
  return [...leb(out.length), ...out];
}
