/** Which bytes go with a call into the module: what the host put into a window before it, and what a call points out. */
import { type AgentExports, Done, FlashOp } from "../abi.js";
import type { Export } from "./format.js";

/** The exported functions by name. All take and give i32. */
export type Functions = Record<string, (...args: number[]) => number>;

/** A call that takes bytes: the exports that tell their window's address and room, and how many bytes there are. */
interface Input {
  address: string;
  room: string;
  length: (args: number[], module: AgentExports) => number;
}

const isRead = (args: number[], module: AgentExports): boolean =>
  args[0] === Done.Ok && module.flashOp() === FlashOp.Read;

const INPUTS: Record<string, Input> = {
  configure: { address: "inPtr", room: "inCap", length: ([length]) => length! },
  post: { address: "inPtr", room: "inCap", length: ([, length]) => length! },
  reply: { address: "inPtr", room: "inCap", length: ([, , length]) => length! },
  received: { address: "rxPtr", room: "rxCap", length: ([, length]) => length! },
  entropyDone: { address: "entropyPtr", room: "entropyLen", length: (_, module) => module.entropyLen() },
  flashDone: {
    address: "flashPtr",
    room: "flashLen",
    length: (args, module) => (isRead(args, module) ? module.flashLen() : 0),
  },
};

/** Windows that the host writes to; every other `…Ptr` points out bytes for the host to take. */
const INPUT_ADDRESSES = new Set(Object.values(INPUTS).map(({ address }) => address));

/** The export that tells the length of what `name` points out; undefined: it points out nothing to take. */
export function lengthOf(name: string): string | undefined {
  // What a flash read finds goes into the window out of which a write takes its bytes.
  if (!name.endsWith("Ptr") || (INPUT_ADDRESSES.has(name) && name !== "flashPtr")) return undefined;
  return `${name.slice(0, -"Ptr".length)}Len`;
}

/** The exported functions of a module, in its order. */
export function exportsOf(functions: object): Export[] {
  return Object.entries(functions)
    .filter(([, value]) => typeof value === "function")
    .map(([name, call]) => ({ name, parameters: (call as () => unknown).length }));
}

/** The bytes of a window; none when they are not all in the module's state, which may be all the memory there is. */
export function windowOf(module: AgentExports, address: number, length: number): Uint8Array {
  const inside = address >= 0 && length > 0 && address + length <= module.__heap_base.value;
  return new Uint8Array(module.memory.buffer, inside ? address : 0, inside ? length : 0);
}

/** Where the bytes stand that call `name` takes; undefined: it takes none. */
export function inputOf(
  module: AgentExports,
  name: string,
  args: number[],
): { address: string; bytes: Uint8Array } | undefined {
  const input = INPUTS[name];
  if (input === undefined) return undefined;
  const functions = module as unknown as Functions;
  const ask = (question: string): number => functions[question]!(...args.slice(0, functions[question]!.length));
  const length = input.length(args, module);
  if (length <= 0 || length > ask(input.room)) return undefined;
  return { address: input.address, bytes: windowOf(module, ask(input.address), length) };
}
