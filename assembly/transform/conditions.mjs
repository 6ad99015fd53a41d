// Conditions without branches: `a && b` and the like become bitwise operations or a select where both sides may be worked
// out whatever comes. A branch with a value takes five bytes around its parts, an `and` one; binaryen keeps the branches, for
// it does not know that a load from a constant address cannot trap.

import { leb, Op, walk } from "./wasm_tree.mjs";

const I32Eqz = 0x45;
const I32And = 0x71;
const I32Or = 0x72;

const isLoad = (op) => op >= 0x28 && op <= 0x35;
const isStore = (op) => op >= 0x36 && op <= 0x3e;
/** div and rem trap: i32.div_s to i32.rem_u, i64.div_s to i64.rem_u. */
const divides = (op) => (op >= 0x6d && op <= 0x70) || (op >= 0x7f && op <= 0x82);

/** Whether it can be worked out although it is not asked for: nothing is changed by it, and it cannot trap. */
function safe(node) {
  if (node.op === Op.Select || node.op === Op.LocalGet || node.op === Op.I32Const || node.op === Op.I64Const)
    return node.kids.every(safe);
  if (isLoad(node.op)) return node.kids[0].op === Op.I32Const;
  return node.op >= I32Eqz && node.op <= 0xad && !divides(node.op) && node.kids.every(safe);
}

/** Whether working it out changes nothing that another expression could see. */
function silent(node) {
  let quiet = true;
  walk([node], ({ op }) => {
    if (op === Op.Call || op === Op.LocalSet || op === Op.LocalTee || isStore(op)) quiet = false;
    if (op === Op.Br || op === Op.BrIf || op === Op.BrTable || op === Op.Return) quiet = false;
  });
  return quiet;
}

const isConst = (node, value) => node.op === Op.I32Const && node.bytes.length === 2 && node.bytes[1] === value;

/** Whether it is 0 or 1. */
function isBool(node) {
  if (isConst(node, 0) || isConst(node, 1)) return true;
  if (node.op === I32And || node.op === I32Or) return node.kids.every(isBool);
  if (node.op === Op.Select) return isBool(node.kids[0]) && isBool(node.kids[1]);
  return node.op >= I32Eqz && node.op <= 0x66;
}

const make = (op, ...kids) => ({ op, bytes: [op], kids, type: "i32" });

/** @returns what stands for `condition ? first : second`, or undefined; `truth`: only whether it is 0 counts */
function choose(condition, first, second, truth) {
  if (safe(first) && isConst(second, 0) && isBool(condition) && isBool(first)) return make(I32And, condition, first);
  if (safe(second) && isConst(first, 1) && (truth || (isBool(condition) && isBool(second))))
    return make(I32Or, condition, second);
  if (safe(second) && isConst(first, 0) && isBool(second)) return make(I32And, make(I32Eqz, condition), second);
  if (!safe(first) || !safe(second) || !silent(condition)) return undefined;
  return { ...make(Op.Select, first, second, condition), type: first.type };
}

/** Puts `other` in the place of `node`. */
function become(node, other) {
  for (const key of Object.keys(node)) delete node[key];
  Object.assign(node, other);
}

/** `if (a) if (b) …` is `if (a & b) …`. */
function joined(node) {
  const [inner] = node.body;
  if (node.otherwise !== undefined || node.body.length !== 1 || inner.op !== Op.If || inner.otherwise !== undefined)
    return;
  const [a] = node.kids;
  const [b] = inner.kids;
  if (inner.type !== "" || !safe(b) || !isBool(a) || !isBool(b)) return;
  if (branches(inner.body, 0, ({ op, labels }, depth) => op === Op.BrTable && labels.some((label) => label > depth)))
    return;
  branches(inner.body, 0, (branch, depth) => {
    if (branch.labels[0] > depth) relabel(branch, branch.labels[0] - 1);
  });
  become(node, { ...inner, kids: [make(I32And, a, b)] });
}

function relabel(branch, label) {
  branch.labels = [label];
  branch.bytes = [branch.op, ...leb(label)];
}

/** Visits every branch with its depth in the statements, until `visit` says true. @returns whether it did */
function branches(nodes, depth, visit) {
  return nodes.some((node) => {
    const inside = node.op === Op.Seq ? depth : depth + 1;
    return (
      branches(node.kids, depth, visit) ||
      branches(node.body ?? [], inside, visit) ||
      branches(node.otherwise ?? [], inside, visit) ||
      (node.labels !== undefined && visit(node, depth) === true)
    );
  });
}

/** Two branches to one place, one after the other, are one. */
function merged(list) {
  for (let i = list.length - 1; i > 0; i--) {
    const [first, second] = [list[i - 1], list[i]];
    if (first.op !== Op.BrIf || second.op !== Op.BrIf || first.kids.length !== 1 || second.kids.length !== 1) continue;
    if (first.labels[0] !== second.labels[0] || !safe(second.kids[0])) continue;
    list.splice(i - 1, 2, { ...first, kids: [make(I32Or, first.kids[0], second.kids[0])] });
  }
}

/** @param module from read(); changed in place */
export function conditions(module) {
  for (const fn of module.functions) {
    const truths = new Set();
    walk(fn.body, (node) => {
      if (node.op === Op.If || node.op === I32Eqz) truths.add(node.kids[0]);
      if (node.op === Op.BrIf) truths.add(node.kids.at(-1));
      if (node.op === Op.Select) truths.add(node.kids[2]);
    });
    walk(fn.body, (node) => {
      if (node.body) merged(node.body);
      if (node.otherwise) merged(node.otherwise);
      if (node.op !== Op.If) return;
      if (node.type === "") return joined(node);
      if (node.body.length !== 1 || node.otherwise?.length !== 1 || node.type !== "i32") return;
      const other = choose(node.kids[0], node.body[0], node.otherwise[0], truths.has(node));
      if (other !== undefined) become(node, other);
    });
    merged(fn.body);
  }
  return module;
}
