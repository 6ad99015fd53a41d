// WAMR's fast interpreter as a part of a program for a board: its sources are those of the crate wamrx-sys.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../paths.js";
import { wamrRoot } from "../c_host.js";
import type { Program } from "./boards.js";

/** Bytes of operand stack, as docs/wamr.md has it. */
const STACK = 4096;

const SOURCES = [
  ..."runtime_common native exec_env memory loader_common blocking_op"
    .split(" ")
    .map((name) => `iwasm/common/wasm_${name}`),
  "iwasm/common/arch/invokeNative_general",
  ..."loader interp_fast runtime".split(" ").map((name) => `iwasm/interpreter/wasm_${name}`),
  "shared/mem-alloc/mem_alloc",
  ..."assert common hashmap leb128 list log vector bitmap".split(" ").map((name) => `shared/utils/bh_${name}`),
];

const INCLUDES = "shared/platform/include shared/mem-alloc shared/utils iwasm/include iwasm/common iwasm/interpreter";

/** The build options of docs/wamr.md. */
const DEFINITIONS =
  `BH_MALLOC=wasm_runtime_malloc BH_FREE=wasm_runtime_free WASM_ENABLE_INTERP=1 WASM_ENABLE_FAST_INTERP=1
  WASM_ENABLE_SHRUNK_MEMORY=1 WASM_ENABLE_BULK_MEMORY=0 WASM_ENABLE_AOT_INTRINSICS=0 WASM_ENABLE_QUICK_AOT_ENTRY=0
  WASM_DISABLE_HW_BOUND_CHECK=1 WASM_DISABLE_STACK_HW_BOUND_CHECK=1`.split(/\s+/);

/**
 * @param module file of the module
 * @param target WAMR's name of the core
 * @returns what to add to a program
 */
export function wamr(module: string, target: "THUMB" | "X86_64" | "AARCH64"): Program {
  const core = join(wamrRoot(), "core");
  const platform = join(root, "tests", "runtimes", "footprint", "platform");
  const pool = readdirSync(join(core, "shared/mem-alloc/ems")).filter((file) => file.endsWith(".c"));
  // A load of 64 bits at any address is one instruction on Cortex-M4, and a fault: words alone may lie anywhere there.
  const unaligned = target === "THUMB" ? 0 : 1;
  return {
    sources: [
      "engine_wamr.c",
      join(platform, "platform.c"),
      ...SOURCES.map((file) => join(core, `${file}.c`)),
      ...pool.map((file) => join(core, "shared/mem-alloc/ems", file)),
    ],
    flags: [
      `-I${platform}`,
      ...INCLUDES.split(" ").map((folder) => `-I${join(core, folder)}`),
      ...DEFINITIONS.map((definition) => `-D${definition}`),
      `-DBUILD_TARGET_${target}`,
      `-DWASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS=${unaligned}`,
      `-DMODULE="${module}"`,
      `-DSTACK=${STACK}`,
    ],
  };
}
