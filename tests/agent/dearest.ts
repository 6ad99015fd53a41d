// The dearest calls of whatever runs: the operations of every call are counted, and with DEAREST=FILE in the environment
// the dearest ones are written there when the process ends, so that they can be replayed elsewhere (tests/runtimes/mcu).

import { readFileSync, writeFileSync } from "node:fs";
import type { AgentExports } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { wasm } from "../paths.js";
import { Counter } from "./operations.js";
import { checksum, type Recording, toText } from "./recording.js";

const file = process.env.DEAREST;
/** Operations from which on a call is worth keeping. */
const WORTH = 10_000;

/** Whether calls are kept. */
export const keeping: boolean = file !== undefined;

const kept = new Map<string, { ops: number; recording: Recording }>();
if (file !== undefined)
  process.on("exit", () => writeFileSync(file, toText([...kept.values()].map(({ recording }) => recording))));

let module: WebAssembly.Module | undefined;
const NOTHING = new Uint8Array();

/**
 * A fresh agent whose operations are counted.
 * @param counted told about every call; returns where its like are kept: the dearest call of each export and place is
 */
export function countedAgent(counted: (name: string, ops: number) => string): Agent {
  module ??= new Counter(readFileSync(wasm("agent"))).build();
  const inner = new WebAssembly.Instance(module).exports as unknown as AgentExports & {
    opsRead: () => number;
    opsReset: () => void;
  };
  const memory = new Uint8Array(inner.memory.buffer, 0, inner.__heap_base.value);
  const wrapped: Record<string, unknown> = { ...inner };
  for (const [name, call] of Object.entries(inner)) {
    if (typeof call !== "function") continue;
    wrapped[name] = (...args: number[]): number => {
      const image = keeping ? memory.slice() : NOTHING;
      inner.opsReset();
      const result = (call as (...args: number[]) => number)(...args);
      const ops = inner.opsRead();
      const key = `${name}, ${counted(name, ops)}`;
      if (keeping && ops >= WORTH && ops > (kept.get(key)?.ops ?? 0)) {
        const steps = [{ writes: [], name, args, result }];
        kept.set(key, { ops, recording: { name: key, image, steps, sum: checksum(memory) } });
      }
      return result;
    };
  }
  return new Agent(wrapped as unknown as AgentExports);
}
