// Conditions without branches: `a && b` and `a || b`, which a compiler writes as an if with a value, become one or two
// instructions where evaluating b in any case changes nothing. Binaryen does not do so as soon as b reads memory, since a
// load could trap; here b reads at constant addresses alone, and those are the module's own structures.

import { isConst } from "./outline_place.mjs";
import { Op, walk } from "./wasm_tree.mjs";

const I32 = { eqz: 0x45, eq: 0x46, gtU: 0x4b, ltU: 0x49, and: 0x71, or: 0x72 };

/** Most instructions that are evaluated without need. */
const MOST = 7;

const comparison = (op) => op >= 0x45 && op <= 0x5a;
const division = (op) => (op >= 0x6d && op <= 0x70) || (op >= 0x7f && op <= 0x82);
const load = (op) => op >= 0x28 && op <= 0x35;

/** Whether evaluating the node changes nothing, traps never, and takes at most MOST instructions. */
function harmless(node) {
  let count = 0;
  let fine = true;
  walk([node], (one) => {
    count += 1;
    const calculation = one.op >= 0x45 && one.op <= 0xad && !division(one.op);
    const read = load(one.op) && one.kids[0].op === Op.I32Const;
    fine &&= calculation || read || isConst(one) || one.op === Op.LocalGet || one.op === Op.Select;
  });
  return fine && count <= MOST;
}

const isNumber = (node, value) => node.op === Op.I32Const && node.bytes.length === 2 && node.bytes[1] === value;

/** Whether the node is 0 or 1, whatever happens. */
function isBool(node) {
  if (node.op === Op.LocalTee) return isBool(node.kids[0]);
  if (comparison(node.op) || isNumber(node, 0) || isNumber(node, 1)) return true;
  return (node.op === I32.and && node.kids.some(isBool)) || (node.op === I32.or && node.kids.every(isBool));
}

const made = (op, ...kids) => ({ op, bytes: [op], kids, type: "i32" });
const not = (node) => made(I32.eqz, node);
/** 0 or 1 for what may be any number. */
const bool = (node) => (isBool(node) ? node : not(not(node)));

/** a && b, both evaluated. `condition`: only whether it is zero counts. @returns undefined when that is not shorter */
function and(a, b, condition) {
  if (isBool(b)) return isBool(a) ? made(I32.and, a, b) : made(I32.ltU, not(a), b);
  if (!condition) return undefined;
  return isBool(a) ? made(I32.gtU, a, not(b)) : not(made(I32.or, not(a), not(b)));
}

function or(a, b, condition) {
  return condition || isBool(b) ? made(I32.or, condition ? a : bool(a), b) : undefined;
}

/** a || b where the value is that of a, if it is not zero. */
const either = (a, b, condition) => (condition || (isBool(a) && isBool(b)) ? made(I32.or, a, b) : undefined);

/** `x = a; if (x) x = b;` and `x = a; if (!x) x = b;`: what is to be kept in x, or undefined. */
function keptAfter({ kids: [condition], body, otherwise }) {
  const [set] = body;
  const tee = condition.op === I32.eqz ? condition.kids[0] : condition;
  if (otherwise || body.length !== 1 || set.op !== Op.LocalSet || tee.op !== Op.LocalTee) return undefined;
  const [a] = tee.kids;
  const [b] = set.kids;
  if (set.local !== tee.local || !harmless(b)) return undefined;
  // b may ask for x itself
  let asks = false;
  walk([b], (one) => {
    asks ||= one.op === Op.LocalGet && one.local === set.local;
  });
  if (asks) return undefined;
  const value = tee === condition ? and(a, b, false) : either(a, b, false);
  return value && { ...set, kids: [value] };
}

/** What takes the place of an if with a value, or undefined. */
function shorter(node, condition) {
  if (node.body.length !== 1 || node.otherwise?.length !== 1 || node.type !== "i32") return undefined;
  const [a] = node.kids;
  const [then] = node.body;
  const [otherwise] = node.otherwise;
  if (!harmless(then) || !harmless(otherwise)) return undefined;
  // what was just kept in a local is the value of one arm
  const kept = (arm) => a.op === Op.LocalTee && arm.op === Op.LocalGet && arm.local === a.local;
  if (kept(then)) return either(a, otherwise, condition);
  if (kept(otherwise)) return and(a, then, condition);
  if (isNumber(otherwise, 0)) return and(a, then, condition);
  if (isNumber(then, 1)) return or(a, otherwise, condition);
  if (isNumber(then, 0)) return and(not(a), otherwise, condition);
  if (isNumber(otherwise, 1)) return or(not(a), then, condition);
  return harmless(a) ? { op: Op.Select, bytes: [Op.Select], kids: [then, otherwise, a], type: "i32" } : undefined;
}

function visit(node, condition) {
  const asks = node.op === Op.If || node.op === Op.BrIf || node.op === I32.eqz;
  node.kids = node.kids.map((kid, i, all) =>
    visit(kid, (asks || node.op === Op.Select) && i === all.length - 1 ? true : inherits(node) && condition),
  );
  // the value of a block or of an arm is what the whole is
  const arm = (list) => list.map((one, i) => visit(one, i === list.length - 1 && node.op === Op.If && condition));
  if (node.body) node.body = arm(node.body);
  if (node.otherwise) node.otherwise = arm(node.otherwise);
  if (node.op !== Op.If || node.type === "never") return node;
  return (node.type === "" ? keptAfter(node) : shorter(node, condition)) ?? node;
}

/** Of `x || y` only what is zero counts when only that counts of the whole. */
const inherits = (node) => node.op === I32.or;

/** Rewrites the conditions of every function that `hot` does not name; the module is changed in place. */
export function straighten(module, hot) {
  for (const fn of module.functions) if (!hot(fn.name)) fn.body = fn.body.map((node) => visit(node, false));
}
