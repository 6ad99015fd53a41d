// Addresses from a local: a function that often reads and writes structures which stand close together keeps an address
// among them in a local of its own. `local.get` takes two bytes where an address above 63 takes three.

import { leb, Op, walk } from "./wasm_tree.mjs";

/** Offsets of one byte reach so far. */
const REACH = 128;
/** Setting the local, with an address of two bytes; and the first local of its type in a row. */
const COST = 5;
const FIRST = 2;

const access = (node) => node.op >= 0x28 && node.op <= 0x3e && node.kids[0].op === Op.I32Const;

/** The number in LEB128 at `at`; a constant that is an address is not negative. */
function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    value |= (bytes[at] & 127) << shift;
    if (bytes[at++] < 128) return value;
  }
}

const constant = (value) => {
  const bytes = [Op.I32Const, ...leb(value)];
  // the last byte's bit 6 is the sign
  if (bytes.at(-1) & 64) bytes.splice(-1, 1, bytes.at(-1) | 128, 0);
  return { op: Op.I32Const, bytes, kids: [], type: "i32" };
};

/** The accesses of a function whose address and offset take more than the shortest form. */
function accesses(fn) {
  const found = [];
  walk(fn.body, (node) => {
    if (!access(node)) return;
    const [address] = node.kids;
    if (address.bytes.length + node.bytes.length > 5)
      found.push({ node, at: number(address.bytes, 1) + number(node.bytes, 2) });
  });
  return found.sort((a, b) => a.at - b.at);
}

/** The accesses within reach of one address, of all the choices the most. */
function most(found) {
  let best = [];
  found.forEach(({ at }, i) => {
    const near = found.slice(i).filter((one) => one.at < at + REACH);
    if (near.length > best.length) best = near;
  });
  return best;
}

/** Gives bases to every function for which they save bytes, but those that `hot` names; the module is changed in place. */
export function base(module, hot) {
  for (const fn of module.functions) {
    if (hot(fn.name)) continue;
    for (let found = accesses(fn); ; ) {
      const near = most(found);
      const local = fn.locals.length;
      const first = local === fn.params.length || fn.locals[local - 1] !== "i32";
      if (near.length <= COST + (first ? FIRST : 0) || local > 127) break;
      fn.locals.push("i32");
      const from = near[0].at;
      for (const { node, at } of near) {
        node.kids[0] = { op: Op.LocalGet, bytes: [Op.LocalGet, local], kids: [], type: "i32", local };
        node.bytes = [node.op, node.bytes[1], at - from];
      }
      const value = constant(from);
      fn.body.unshift({ op: Op.LocalSet, bytes: [Op.LocalSet, local], kids: [value], type: "", local });
      found = found.filter((one) => !near.includes(one));
    }
  }
  return module;
}
