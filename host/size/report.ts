// What a module costs, as tables of bytes.

import { BUDGETS, PROFILES, type Profile } from "./budgets.js";
import type { MappedModule, StaticBuffer } from "./size_map.js";
import { readSections } from "./wasm_binary.js";

/** A figure beside its budget, bytes; `headroom` < 0: that much above it. */
export interface Figure {
  bytes: number;
  budget: number;
  headroom: number;
}

/** Functions of one layer of the core: bytes, crypto, codec, protocol, agent, index. */
export interface Layer {
  name: string;
  bytes: number;
  functions: number;
}

/** A name and its bytes. */
export interface Cost {
  name: string;
  bytes: number;
}

/** What a module costs. */
export interface SizeReport {
  profile: Profile;
  /** File name. */
  module: string;
  file: Figure;
  memory: Figure;
  /** With their headers; their sum and the file's 8 bytes of preamble are the file. */
  sections: Cost[];
  /** Bytes of the functions as the sources have them, and as the file has them: one caller's merged, common code shared. */
  code: { apart: number; merged: number };
  /** The functions of the sources by layer, the most expensive first. */
  layers: Layer[];
  /** The functions of the sources, the most expensive first. */
  functions: Cost[];
  /** In the order of memory; the last one is what the compiler places beside the arena. Their sum is the memory. */
  buffers: StaticBuffer[];
}

const figure = (bytes: number, budget: number): Figure => ({ bytes, budget, headroom: budget - bytes });

/** Larger first; equal ones by name. */
const byCost = (a: Cost, b: Cost): number => b.bytes - a.bytes || (a.name < b.name ? -1 : 1);

const sum = (costs: { bytes: number }[]): number => costs.reduce((total, { bytes }) => total + bytes, 0);

function layersOf(functions: Cost[]): Layer[] {
  const layers = new Map<string, Layer>();
  for (const { name, bytes } of functions) {
    const layer = name.slice(0, name.indexOf("/"));
    const entry = layers.get(layer) ?? { name: layer, bytes: 0, functions: 0 };
    layers.set(layer, { name: layer, bytes: entry.bytes + bytes, functions: entry.functions + 1 });
  }
  return [...layers.values()].sort(byCost);
}

/** Add a module up. */
export function reportOf(profile: Profile, { bytes, map }: MappedModule): SizeReport {
  const { file, memory } = BUDGETS[PROFILES[profile]]!;
  const rest: StaticBuffer = {
    name: "literals, tables, alignment",
    bytes: map.memory - sum(map.buffers),
    group: "data",
    purpose: "what the compiler places beside the arena",
  };
  return {
    profile,
    module: `${PROFILES[profile]}.wasm`,
    file: figure(bytes.length, file),
    memory: figure(map.memory, memory),
    sections: readSections(bytes).map((section) => ({ name: section.name, bytes: section.bytes })),
    code: { apart: sum(map.apart), merged: sum(map.functions) },
    layers: layersOf(map.apart),
    functions: [...map.apart].sort(byCost),
    buffers: [...map.buffers, rest],
  };
}
