// Counts executed WebAssembly operations: a copy of the module that adds to a counter wherever control goes.

import assert from "node:assert/strict";
import binaryen from "binaryen";
import type { AgentExports } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";

type Info = Record<string, unknown>;
type Setter = (expression: number, part: number) => void;

/** Parts of the library that its types leave out. */
const parts = binaryen as unknown as {
  Function: { setBody: Setter };
  Loop: { setBody: Setter };
  If: { setIfTrue: Setter; setIfFalse: Setter };
  Block: { insertChildAt: (block: number, at: number, child: number) => void };
};

/** Operands of an expression, in the kinds that the module may have: MVP, without memory.size, memory.grow and call_indirect. */
export const OPERANDS: Record<number, string[]> = {
  [binaryen.BlockId]: ["children"],
  [binaryen.IfId]: ["condition", "ifTrue", "ifFalse"],
  [binaryen.LoopId]: ["body"],
  [binaryen.BreakId]: ["value", "condition"],
  [binaryen.SwitchId]: ["value", "condition"],
  [binaryen.CallId]: ["operands"],
  [binaryen.LocalGetId]: [],
  [binaryen.LocalSetId]: ["value"],
  [binaryen.LoadId]: ["ptr"],
  [binaryen.StoreId]: ["ptr", "value"],
  [binaryen.ConstId]: [],
  [binaryen.UnaryId]: ["value"],
  [binaryen.BinaryId]: ["left", "right"],
  [binaryen.SelectId]: ["condition", "ifTrue", "ifFalse"],
  [binaryen.DropId]: ["value"],
  [binaryen.ReturnId]: ["value"],
  [binaryen.NopId]: [],
  [binaryen.UnreachableId]: [],
};

/** Kinds that are no operation of their own. */
const FREE = new Set([binaryen.BlockId, binaryen.LoopId, binaryen.NopId]);

/** The module in a file, with the exports `opsReset()` and `opsRead()` beside its own. */
export class Counter {
  readonly module: binaryen.Module;

  constructor(file: Uint8Array) {
    this.module = binaryen.readBinary(file);
  }

  build(): WebAssembly.Module {
    const { module } = this;
    module.addGlobal("ops", binaryen.i32, true, module.i32.const(0));
    for (let i = 0; i < module.getNumFunctions(); i++) {
      const at = module.getFunctionByIndex(i);
      const { body } = binaryen.getFunctionInfo(at);
      if (body !== 0) parts.Function.setBody(at, this.#arm(body));
    }
    const now = module.global.get("ops", binaryen.i32);
    module.addFunction("opsRead", binaryen.none, binaryen.i32, [], now);
    module.addFunctionExport("opsRead", "opsRead");
    const reset = module.global.set("ops", module.i32.const(0));
    module.addFunction("opsReset", binaryen.none, binaryen.none, [], reset);
    module.addFunctionExport("opsReset", "opsReset");
    assert.ok(module.validate());
    return new WebAssembly.Module(Uint8Array.from(module.emitBinary()));
  }

  #add(n: number): number {
    const { i32, global } = this.module;
    return global.set("ops", i32.add(global.get("ops", binaryen.i32), i32.const(n)));
  }

  /** An expression that is run or not as a whole: count it when it is. */
  #arm(expression: number): number {
    const cost = this.#visit(expression);
    return cost === 0
      ? expression
      : this.module.block(null, [this.#add(cost), expression], binaryen.getExpressionType(expression));
  }

  /** Instrument what is below. -> the operations that run whenever the expression does. */
  #visit(expression: number): number {
    const info = binaryen.getExpressionInfo(expression) as unknown as Info;
    const id = info.id as number;
    const names = OPERANDS[id];
    assert.ok(names, `an expression of kind ${id}`);
    if (id === binaryen.BlockId) return this.#block(expression, info.children as number[]);
    if (id === binaryen.LoopId) {
      parts.Loop.setBody(expression, this.#arm(info.body as number));
      return 0;
    }
    if (id === binaryen.IfId) {
      parts.If.setIfTrue(expression, this.#arm(info.ifTrue as number));
      if (info.ifFalse !== 0) parts.If.setIfFalse(expression, this.#arm(info.ifFalse as number));
      return 1 + this.#visit(info.condition as number);
    }
    let cost = FREE.has(id) ? 0 : 1;
    for (const name of names) {
      const value = info[name];
      for (const operand of Array.isArray(value) ? (value as number[]) : [value as number])
        if (operand) cost += this.#visit(operand);
    }
    return cost;
  }

  /** A branch may leave a block after any of its parts: each is counted when it begins. */
  #block(block: number, children: number[]): number {
    const costs = children.map((child) => this.#visit(child));
    for (let i = children.length - 1; i > 0; i--)
      if (costs[i] !== 0) parts.Block.insertChildAt(block, i, this.#add(costs[i]!));
    return costs[0] ?? 0;
  }
}

/** An agent of a module that `Counter.build` has made; `seen` hears of every call and its operations. */
export function countingAgent(counting: WebAssembly.Module, seen: (name: string, ops: number) => void): Agent {
  const inner = new WebAssembly.Instance(counting).exports as unknown as AgentExports & {
    opsRead: () => number;
    opsReset: () => void;
  };
  const wrapped: Record<string, unknown> = { ...inner };
  for (const [name, call] of Object.entries(inner)) {
    if (typeof call !== "function") continue;
    wrapped[name] = (...args: number[]): number => {
      inner.opsReset();
      const result = (call as (...args: number[]) => number)(...args);
      seen(name, inner.opsRead());
      return result;
    };
  }
  return new Agent(wrapped as unknown as AgentExports);
}
