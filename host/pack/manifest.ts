// The manifest of a pack: what is in it, byte for byte, and what it needs.

import { PROFILES, type Profile } from "../size/budgets.js";
import { LEFT_OUT, type LeftOut } from "../size/left_out.js";
import { sha256 } from "../size/size_map.js";
import { type PackedFile, type PackedModule, packageVersion } from "./files.js";
import { WAMR_OPTIONS, WAMR_VERSION } from "./wamr.js";

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
  /** What the profile does without, beside the full one. */
  leftOut: LeftOut[];
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
    leftOut: LEFT_OUT[profile],
    wamr: { tested: WAMR_VERSION, webAssembly: "1.0", options: WAMR_OPTIONS },
    files: files.map(entryOf),
  };
}
