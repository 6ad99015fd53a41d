// Modules of a few exports, compiled in memory with the settings of asconfig.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";
import { root } from "../paths.js";

/** Ways in which assembly/crypto is written: the targets of asconfig.json that choose them. */
export const grades = { host: "crypto", mcu: "crypto-mcu", small: "crypto-small" } as const;
export type Grade = keyof typeof grades;

interface Options {
  optimizeLevel: number;
  shrinkLevel: number;
  use: string[];
  disable: string[];
  enable?: string[];
  memoryBase: number;
}

function optionsOf(grade: Grade): Options {
  const config = JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8")) as {
    options: Options;
    targets: Record<string, Partial<Options>>;
  };
  const target = config.targets[grades[grade]];
  assert.ok(target, `asconfig.json has no target ${grades[grade]}`);
  return { ...config.options, ...target };
}

const ENTRY = "assembly/probe.generated.ts";

/** The module that `source`, as a file in assembly/, compiles to. */
export async function compile(source: string, grade: Grade): Promise<Uint8Array<ArrayBuffer>> {
  const { optimizeLevel, shrinkLevel, use, disable, enable = [], memoryBase } = optionsOf(grade);
  const { default: Literals } = await import(pathToFileURL(join(root, "assembly/transform/literals.mjs")).href);
  const flags = [
    ...["--runtime", "stub", "--noAssert", "--noColors", "-o", "probe.wasm"],
    ...["--optimizeLevel", `${optimizeLevel}`, "--shrinkLevel", `${shrinkLevel}`, "--memoryBase", `${memoryBase}`],
    ...use.flatMap((alias) => ["--use", alias]),
    ...["--disable", disable.join(",")],
    ...(enable.length > 0 ? ["--enable", enable.join(",")] : []),
  ];
  let module = new Uint8Array();
  const stderr = asc.createMemoryStream();
  const { error } = await asc.main([ENTRY, ...flags], {
    readFile: (file: string) => {
      if (file === ENTRY) return source;
      if (!file.startsWith("assembly/")) return null;
      try {
        return readFileSync(join(root, file), "utf8");
      } catch {
        return null;
      }
    },
    writeFile: (file: string, contents: string | Uint8Array) => {
      if (file === "probe.wasm" && contents instanceof Uint8Array) module = Uint8Array.from(contents);
    },
    listFiles: () => [],
    stderr,
    transforms: [Literals],
  } as Parameters<typeof asc.main>[1]);
  assert.equal(error, null, stderr.toString());
  return module;
}

const CODE = 10;
const DATA = 11;

/** Bytes of a module's code and data sections: what the algorithm costs, without the names of its exports. */
export function codeAndData(module: Uint8Array): number {
  let at = 8;
  let sum = 0;
  while (at < module.length) {
    const id = module[at++]!;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++]!;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    if (id === CODE || id === DATA) sum += size;
    at += size;
  }
  return sum;
}
