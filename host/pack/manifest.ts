// The manifest of a pack: what is in it, byte for byte, and what it needs.

import { PROFILES, type Profile } from "../size/budgets.js";
import { sha256 } from "../size/size_map.js";
import { type PackedFile, type PackedModule, packageVersion } from "./files.js";

/** The version of WAMR that the checks on real runtimes build; tests/runtimes compares. */
export const WAMR_VERSION = "2.4.3";

/** WAMR's build options: 1 = needed, 0 = not needed, and code for nothing. */
export const WAMR_OPTIONS: Record<string, 0 | 1> = {
  WAMR_BUILD_SHRUNK_MEMORY: 1,
  WAMR_BUILD_BULK_MEMORY: 0,
  WAMR_BUILD_REF_TYPES: 0,
  WAMR_BUILD_SIMD: 0,
  WAMR_BUILD_TAIL_CALL: 0,
  WAMR_BUILD_LIBC_BUILTIN: 0,
  WAMR_BUILD_LIBC_WASI: 0,
  WAMR_BUILD_MULTI_MODULE: 0,
  WAMR_BUILD_THREAD_MGR: 0,
};

/** A file of the pack. */
export interface ManifestFile {
  /** Relative, with forward slashes. */
  path: string;
  bytes: number;
  /** Lower-case hexadecimal. */
  sha256: string;
}

/** manifest.json. */
export interface Manifest {
  package: "alink-agent";
  version: string;
  profile: Profile;
  abiVersion: number;
  /** `source` is the module's name in the package, `memory` its static memory in bytes. */
  module: ManifestFile & { source: string; memory: number };
  /** `webAssembly` is the version of the specification that the module keeps to, without any proposal. */
  wamr: { tested: string; webAssembly: "1.0"; options: Record<string, 0 | 1> };
  /** Every file but the manifest. */
  files: ManifestFile[];
}

const entryOf = ({ path, contents }: PackedFile): ManifestFile => ({
  path,
  bytes: Buffer.byteLength(contents),
  sha256: sha256(contents),
});

/** The manifest of these files. */
export function manifestOf(profile: Profile, module: PackedModule, files: PackedFile[]): Manifest {
  return {
    package: "alink-agent",
    version: packageVersion(),
    profile,
    abiVersion: module.abiVersion,
    module: {
      ...entryOf({ path: "agent.wasm", contents: module.bytes }),
      source: `${PROFILES[profile]}.wasm`,
      memory: module.memory,
    },
    wamr: { tested: WAMR_VERSION, webAssembly: "1.0", options: WAMR_OPTIONS },
    files: files.map(entryOf),
  };
}
