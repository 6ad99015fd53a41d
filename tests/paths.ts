import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The repository's root: the nearest folder above this file, compiled or not, that holds asconfig.json. */
export const root: string = (() => {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "asconfig.json"))) {
    const above = dirname(folder);
    if (above === folder)
      throw new Error(`no asconfig.json above ${import.meta.dirname}: run the tests inside the repository`);
    folder = above;
  }
  return folder;
})();

/** A built module: `wasm("agent")` is build/agent.wasm. */
export const wasm = (name: string): string => join(root, "build", `${name}.wasm`);

/** A file of tests/vectors/. */
export const vectors = (file: string): string => join(root, "tests", "vectors", file);
