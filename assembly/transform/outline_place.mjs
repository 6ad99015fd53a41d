// A place in a function where common code could be taken out: what would become its parameters and its own locals, and
// whether everything that can be observed would still happen in the same order.

import { leb, Op, walk } from "./wasm_tree.mjs";

/** Most parameters of a new function. */
const PARAMETERS = 6;

export const isConst = (node) => node.op === Op.I32Const || node.op === Op.I64Const;
export const trivial = (node) => isConst(node) || node.op === Op.LocalGet;
export const hasLocal = (node) => node.op >= Op.LocalGet && node.op <= Op.LocalTee;

/** Instructions that change what others see, and those that see it. */
const writes = (node) => node.op === Op.Call || (node.op >= 0x36 && node.op <= 0x3e);
const reads = (node) => node.op === Op.Call || (node.op >= 0x28 && node.op <= 0x35);

/** Bytes of a node with everything in it. Calls count two. */
export function size(node) {
  if (node.size === undefined) {
    const own = node.op === Op.Call ? 2 : node.op === Op.Seq ? 0 : node.body ? 3 : node.bytes.length;
    const sum = (list) => list.reduce((total, one) => total + size(one), 0);
    node.size =
      own + sum(node.kids) + (node.body ? sum(node.body) : 0) + (node.otherwise ? 1 + sum(node.otherwise) : 0);
  }
  return node.size;
}

/** What evaluating an operand early could change: memory it reads or writes, locals it sets, jumps out of it. */
function effects(node) {
  if (node.effects === undefined) {
    const sum = { writes: false, reads: false, jumps: false, sets: new Set() };
    walk([node], (one) => {
      sum.writes ||= writes(one);
      sum.reads ||= reads(one);
      sum.jumps ||= one.labels !== undefined || one.op === Op.Return || one.op === Op.Unreachable;
      if (one.op === Op.LocalSet || one.op === Op.LocalTee) sum.sets.add(one.local);
    });
    node.effects = sum;
  }
  return node.effects;
}

/** One place where a pattern could stand: its key, arguments and private locals, or null when it cannot be taken out. */
export class Place {
  constructor(fn, nodes, holes) {
    this.fn = fn;
    this.nodes = nodes;
    this.holes = holes;
    this.key = "";
    this.args = [];
    this.params = new Map();
    this.own = new Map();
    this.ownTypes = [];
    this.wrote = false;
    this.read = false;
    this.inside = 0;
    this.depth = 0;
  }

  /** @returns whether it can be a function */
  take() {
    for (const node of this.nodes) if (!this.visit(node)) return false;
    if (this.args.length > PARAMETERS) return false;
    for (const arg of this.args) {
      for (const local of effects(arg).sets) if (this.params.has(local)) return false;
      // in a loop it would ask for what the statements left in it the time before
      if (this.asksOwn(arg)) return false;
    }
    const ownUses = this.uses();
    for (const local of this.own.keys()) if (ownUses.get(local) !== this.fn.uses.get(local)) return false;
    this.result = this.nodes.at(-1).type;
    return true;
  }

  uses() {
    const uses = new Map();
    if (this.own.size > 0)
      walk(this.nodes, (node) => {
        if (hasLocal(node)) uses.set(node.local, (uses.get(node.local) ?? 0) + 1);
      });
    return uses;
  }

  visit(node) {
    if (this.holes.has(node)) return this.hole(node);
    if (node.op === Op.Return || node.op === Op.Unreachable) return false;
    if (node.type === "never" && node.labels === undefined) return false;
    for (const kid of node.kids) if (!this.visit(kid)) return false;
    if (hasLocal(node)) return this.local(node);
    if (node.labels?.some((label) => label >= this.depth)) return false;
    if (node.body !== undefined) return this.lists(node);
    this.wrote ||= writes(node);
    this.read ||= reads(node);
    this.key += node.op === Op.Call ? `c${node.target.id}.` : String.fromCharCode(...node.bytes.map((b) => b + 256));
    return true;
  }

  lists(node) {
    this.key += `{${node.op}${node.type}`;
    this.inside += 1;
    if (node.op !== Op.Seq) this.depth += 1;
    for (const one of node.body) if (!this.visit(one)) return false;
    this.key += "|";
    for (const one of node.otherwise ?? []) if (!this.visit(one)) return false;
    if (node.otherwise) this.key += "e";
    if (node.op !== Op.Seq) this.depth -= 1;
    this.inside -= 1;
    this.key += "}";
    return true;
  }

  local(node) {
    const { local } = node;
    if (node.op === Op.LocalGet && !this.own.has(local)) {
      if (!this.params.has(local)) {
        this.params.set(local, this.args.length);
        this.args.push(node);
      }
      this.key += `p${this.params.get(local)}${node.type}.`;
      return true;
    }
    // a local of its own: set before anything else is done with it, and used nowhere else
    if (local < this.fn.params.length || this.params.has(local)) return false;
    if (!this.own.has(local)) {
      if (this.inside > 0) return false;
      this.own.set(local, this.own.size);
      this.ownTypes.push(this.fn.locals[local]);
    }
    this.key += `o${node.op}${this.own.get(local)}${this.fn.locals[local]}.`;
    return true;
  }

  /** Whether the operand uses a local that belongs to the new function. */
  asksOwn(node) {
    let asks = false;
    walk([node], (one) => {
      asks ||= hasLocal(one) && this.own.has(one.local);
    });
    return asks;
  }

  /** An operand that becomes an argument: it is then evaluated before all that stands before it. */
  hole(node) {
    const it = effects(node);
    if (node.type === "" || node.type === "never" || it.jumps) return false;
    if (!trivial(node) && this.inside > 0) return false;
    if (it.writes && (this.wrote || this.read)) return false;
    if (it.reads && this.wrote) return false;
    if (this.asksOwn(node)) return false;
    for (const local of it.sets) if (this.params.has(local)) return false;
    this.key += `h${this.args.length}${node.type}.`;
    this.args.push(node);
    return true;
  }

  /** Bytes saved here. */
  gain() {
    const all = this.nodes.reduce((sum, node) => sum + size(node), 0);
    return all - this.args.reduce((sum, arg) => sum + size(arg), 0) - 3;
  }

  /** The body of the new function: a copy in which arguments and own locals have their new numbers. */
  body() {
    const taken = new Map();
    this.args.forEach((arg, i) => {
      if (this.holes.has(arg)) taken.set(arg, i);
    });
    const copy = (node) => {
      if (taken.has(node)) return get(taken.get(node), node.type);
      if (hasLocal(node)) {
        const own = this.own.get(node.local);
        const local = own === undefined ? this.params.get(node.local) : this.args.length + own;
        return { ...fresh(node), bytes: [node.op, ...leb(local)], local, kids: node.kids.map(copy) };
      }
      const made = { ...fresh(node), kids: node.kids.map(copy) };
      if (node.body) made.body = node.body.map(copy);
      if (node.otherwise) made.otherwise = node.otherwise.map(copy);
      return made;
    };
    return this.nodes.map(copy);
  }
}

const get = (local, type) => ({ op: Op.LocalGet, bytes: [Op.LocalGet, ...leb(local)], kids: [], type, local });

/** A copy without what is known about the node. */
export function fresh(node) {
  const { size: _size, effects: _effects, ...rest } = node;
  return rest;
}
