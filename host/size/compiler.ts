// The AssemblyScript compiler with the settings of asconfig.json, in memory, with names kept.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";

/** Options of asconfig.json that change what is compiled. */
export interface Target {
  optimizeLevel: number;
  shrinkLevel: number;
  use: string[];
  /** Files below the repository. */
  transform: string[];
  disable: string[];
  enable?: string[];
  memoryBase: number;
  initialMemory: number;
  maximumMemory: number;
}

/** The target of that name; undefined when asconfig.json has none. */
export function readTarget(root: string, name: string): Target | undefined {
  const { options, targets } = JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8")) as {
    options: Target;
    targets: Record<string, Partial<Target>>;
  };
  const target = targets[name];
  return target === undefined ? undefined : { ...options, ...target };
}

function flagsOf(target: Target): string[] {
  const pairs: [string, string | number][] = [
    ["--optimizeLevel", target.optimizeLevel],
    ["--shrinkLevel", target.shrinkLevel],
    ["--memoryBase", target.memoryBase],
    ["--initialMemory", target.initialMemory],
    ["--maximumMemory", target.maximumMemory],
    ["--disable", target.disable.join(",")],
    ...target.use.map((alias): [string, string] => ["--use", alias]),
    ...(target.enable === undefined ? [] : [["--enable", target.enable.join(",")] as [string, string]]),
  ];
  return pairs.flatMap(([name, value]) => [name, String(value)]);
}

/**
 * Compile an entry as a target does, with a name section.
 *
 * entry   path below the repository, in assembly/.
 * source  its text; undefined: the file's.
 *
 * Throws Error with the compiler's messages.
 */
export async function compileNamed(
  root: string,
  target: Target,
  entry: string,
  source?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const transforms = await Promise.all(
    target.transform.map(async (file) => {
      const { default: transform } = (await import(pathToFileURL(join(root, file)).href)) as { default: unknown };
      return transform;
    }),
  );
  const OUT = "named.wasm";
  let module = new Uint8Array();
  const stderr = asc.createMemoryStream();
  const fixed = ["--runtime", "stub", "--noAssert", "--noColors", "--debug", "-o", OUT];
  const { error } = await asc.main([entry, ...fixed, ...flagsOf(target)], {
    readFile: (file: string) => {
      if (file === entry && source !== undefined) return source;
      if (!file.startsWith("assembly/")) return null;
      try {
        return readFileSync(join(root, file), "utf8");
      } catch {
        return null;
      }
    },
    writeFile: (file: string, contents: string | Uint8Array) => {
      if (file === OUT && contents instanceof Uint8Array) module = Uint8Array.from(contents);
    },
    listFiles: () => [],
    stderr,
    transforms,
  } as Parameters<typeof asc.main>[1]);
  if (error !== null) throw new Error(`${entry} cannot be compiled: ${stderr.toString()}`);
  return module;
}
