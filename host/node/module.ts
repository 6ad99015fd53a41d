/** The module of a device: given, or one of this package. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/** A compiled module; its SHA-256 is known where its bytes are. */
export interface LoadedModule {
  module: WebAssembly.Module;
  digest?: Uint8Array;
}

/** Whether the platform is spoken to over CoAP, which has a module of its own. */
export function isCoap(endpoint: unknown): boolean {
  return typeof endpoint === "string" && endpoint.toLowerCase().startsWith("coap:");
}

/**
 * @param given compiled, as bytes, or undefined for one of this package
 * @param name which one of this package
 * @throws Error, one line, when it cannot be read or compiled
 */
export async function loadModule(
  given?: WebAssembly.Module | Uint8Array<ArrayBuffer>,
  name: "agent" | "agent-coap" = "agent",
): Promise<LoadedModule> {
  if (given instanceof WebAssembly.Module) return { module: given };
  if (given !== undefined) return compile(given);
  const url = new URL(`../../${name}.wasm`, import.meta.url);
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
