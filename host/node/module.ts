/** The module of a device: given, or the one of this package. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/** A compiled module; its SHA-256 is known where its bytes are. */
export interface LoadedModule {
  module: WebAssembly.Module;
  digest?: Uint8Array;
}

/**
 * @param given compiled, as bytes, or undefined for the agent.wasm of this package
 * @throws Error, one line, when it cannot be read or compiled
 */
export async function loadModule(given?: WebAssembly.Module | Uint8Array<ArrayBuffer>): Promise<LoadedModule> {
  if (given instanceof WebAssembly.Module) return { module: given };
  if (given !== undefined) return compile(given);
  const url = new URL("../../agent.wasm", import.meta.url);
  try {
    return await compile(await readFile(url));
  } catch (error) {
    throw new Error(
      `the module ${url.pathname} cannot be loaded (${(error as Error).message}): build it with npm run build`,
    );
  }
}

async function compile(bytes: Uint8Array<ArrayBuffer>): Promise<LoadedModule> {
  return { module: await WebAssembly.compile(bytes), digest: createHash("sha256").update(bytes).digest() };
}
