// Outlining: what the module does the same way in several places becomes one function that each of them calls.
//
// A pattern is one expression, or a few statements in a row, in which locals, constants and whole operands may differ:
// those become parameters. It is replaced only where the order of everything that can be observed stays what it was, and
// only when the module becomes smaller. Nothing can recurse that did not: the new function calls what its callers called.

import { fresh, hasLocal, isConst, Place, size, trivial } from "./outline_place.mjs";
import { Op, walk } from "./wasm_tree.mjs";

/** Longest pattern, bytes, and most statements in it. */
const LONGEST = 300;
const STATEMENTS = 8;
/** Most operands of which every pair is tried as parameters. */
const PAIRS = 7;
/** Bytes of a new function beside its instructions: type index, size, locals, end. */
const OVERHEAD = 4;
/** Calls of a function from which on its number is one of the first 128. */
const OFTEN = 5;
/**
 * Bytes saved that a new function must be worth. WAMR's fast interpreter takes about 160 bytes of its pool for a function
 * and 2.7 for a byte of code on a 32-bit part (docs/mcu.md), and a call costs time: outlining for a few bytes of flash would
 * be paid for in RAM.
 */
const WORTH = 24;

/** Most constants of statements in a row that become parameters together. */
const LIST_CONSTANTS = 6;

const NONE = new Set();

/** The choices of holes that are tried for one expression. */
function* choices(node) {
  yield NONE;
  const consts = new Set();
  const inner = [];
  const look = (one, depth) => {
    for (const kid of one.kids) {
      if (isConst(kid) && kid.bytes.length > 1) consts.add(kid);
      if (kid.op !== Op.LocalGet && depth < 3) inner.push(kid);
      look(kid, depth + 1);
    }
  };
  look(node, 0);
  for (const one of inner) yield new Set([one]);
  if (inner.length <= PAIRS)
    for (const [i, one] of inner.entries()) for (const other of inner.slice(i + 1)) yield new Set([one, other]);
  if (node.kids.length > 1) yield new Set(node.kids.filter((kid) => kid.op !== Op.LocalGet));
  if (consts.size > 1) yield consts;
  const long = new Set([...consts].filter((one) => one.bytes.length > 2));
  if (long.size > 0 && long.size < consts.size) yield long;
}

/** The choices of holes that are tried for statements in a row. */
function* rowChoices(nodes) {
  yield NONE;
  const consts = new Set();
  for (const node of nodes)
    for (const kid of node.kids) {
      if (isConst(kid)) consts.add(kid);
      for (const inner of kid.kids) if (isConst(inner)) consts.add(inner);
    }
  if (consts.size > 0 && consts.size <= LIST_CONSTANTS) yield consts;
  for (const one of consts) yield new Set([one]);
  for (const kid of nodes[0].kids) if (!trivial(kid)) yield new Set([kid]);
  for (const kid of nodes.at(-1).kids) if (!trivial(kid)) yield new Set([kid]);
}

/** Every place of a function where a pattern could stand. */
function* places(fn) {
  const lists = [fn.body];
  const nodes = [];
  walk(fn.body, (node) => {
    nodes.push(node);
    if (node.body) lists.push(node.body);
    if (node.otherwise) lists.push(node.otherwise);
  });
  for (const node of nodes) {
    const bytes = size(node);
    if (bytes < 4 || bytes > LONGEST || node.op === Op.Seq) continue;
    for (const holes of choices(node)) yield { nodes: [node], holes };
  }
  for (const list of lists)
    for (let from = 0; from < list.length; from++) {
      let bytes = size(list[from]);
      for (let to = from + 2; to <= Math.min(list.length, from + STATEMENTS); to++) {
        bytes += size(list[to - 1]);
        if (bytes > LONGEST) break;
        const row = list.slice(from, to);
        if (row.slice(0, -1).some((node) => node.type !== "")) break;
        // what is returned is left behind by the new function, and returned by who calls it
        const last = row.at(-1);
        if (last.op === Op.Return && last.kids.length > 0) row.splice(-1, 1, last.kids[0]);
        for (const holes of rowChoices(row)) yield { nodes: row, holes, list, last };
      }
    }
}

/** Patterns of the module by key, each with its places. */
function patterns(functions) {
  const found = new Map();
  for (const fn of functions) {
    fn.uses = new Map();
    walk(fn.body, (node) => {
      node.size = undefined;
      node.effects = undefined;
      if (hasLocal(node)) fn.uses.set(node.local, (fn.uses.get(node.local) ?? 0) + 1);
    });
    for (const { nodes, holes, list, last } of places(fn)) {
      const place = new Place(fn, nodes, holes);
      if (!place.take() || place.gain() < 2) continue;
      const key = `${place.result}:${place.args.map((arg) => arg.type)}:${place.key}`;
      place.list = list;
      place.last = last;
      if (!found.has(key)) found.set(key, []);
      found.get(key).push(place);
    }
  }
  return found;
}

/** Bytes saved by making a function of these places. */
function worth(all) {
  const [first] = all;
  const body = first.nodes.reduce((sum, node) => sum + size(node), 0);
  const args = first.args.reduce((sum, arg) => sum + size(arg), 0);
  const length = body - args + 2 * first.args.length + (first.own.size > 0 ? 2 : 0);
  // the numbers of functions that are called often take one byte
  const short = all.length >= OFTEN ? all.length : 0;
  return all.reduce((sum, place) => sum + place.gain(), 0) + short - length - OVERHEAD;
}

/** @returns the places that lie apart from each other and from everything in `touched`, and the nodes in them */
function apart(all, touched) {
  const free = [];
  const own = new Set();
  for (const place of all) {
    const inside = [];
    let clean = true;
    walk(place.nodes, (node) => {
      inside.push(node);
      if (touched.has(node) || own.has(node)) clean = false;
    });
    if (!clean) continue;
    for (const node of inside) own.add(node);
    free.push(place);
  }
  return { free, own };
}

function replace(place, target, touched) {
  const call = { op: Op.Call, bytes: [], kids: place.args.map(fresh), type: place.result, target };
  touched.add(call);
  if (place.nodes.length > 1) {
    const { list, last, nodes } = place;
    const left = last.op === Op.Return ? { ...fresh(last), kids: last.kids.length > 0 ? [call] : [] } : call;
    list.splice(list.indexOf(nodes[0]), nodes.length, left);
    touched.add(left);
    touched.add(last);
    return;
  }
  const [node] = place.nodes;
  for (const key of Object.keys(node)) delete node[key];
  Object.assign(node, call);
}

/** One round: the best patterns first, as long as they lie apart. @returns bytes saved */
function round(module, functions) {
  const found = [...patterns(functions).values()].filter((all) => all.length > 1);
  const ranked = found.map((all) => ({ all, gain: worth(all) })).filter(({ gain }) => gain >= WORTH);
  ranked.sort((a, b) => b.gain - a.gain);
  const touched = new Set();
  let saved = 0;
  let best = 0;
  for (const { all, gain } of ranked) {
    // what is much worse than the best waits: the next round may know better
    if (2 * gain < best) break;
    const { free, own } = apart(all, touched);
    if (free.length < 2 || worth(free) < WORTH) continue;
    for (const node of own) touched.add(node);
    const [first] = free;
    const params = first.args.map((arg) => arg.type);
    const locals = [...params, ...first.ownTypes];
    const number = module.functions.length;
    const made = { name: `outlined/${number}`, id: number, params, result: first.result, locals, body: first.body() };
    const real = worth(free);
    best = Math.max(best, real);
    saved += real;
    for (const place of free) replace(place, made, touched);
    module.functions.push(made);
    functions.push(made);
  }
  return saved;
}

/**
 * Outlines everywhere but in the functions that `hot` names.
 * @param module from read(), with names; changed in place
 * @param {(name: string) => boolean} hot
 * @returns bytes saved, as counted
 */
export function outline(module, hot) {
  module.functions.forEach((fn, i) => {
    fn.id = i;
  });
  const functions = module.functions.filter((fn) => !hot(fn.name));
  let saved = 0;
  for (;;) {
    const more = round(module, functions);
    saved += more;
    if (more === 0) return saved;
  }
}
