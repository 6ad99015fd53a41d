// Bare boards in QEMU, and C programs that run on them. `-icount` makes an instruction a nanosecond, so a count is the same
// every time. This machine is a board too, for sizes with 64-bit pointers.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, wasm } from "../../paths.js";

export interface Board {
  name: string;
  compiler: string;
  flags: string[];
  /** board.h, and how an image is laid out. */
  start: string[];
  /** Absent: the program runs as it is. */
  emulator?: string;
  machine: string[];
}

const sources = join(root, "tests", "runtimes", "mcu");
const layout = (script: string): string[] => ["-nostartfiles", "-T", join(sources, script)];

export const cortexM4: Board = {
  name: "Cortex-M4",
  compiler: "arm-none-eabi-gcc",
  flags: ["-mcpu=cortex-m4", "-mthumb", "--specs=nosys.specs", "--specs=nano.specs"],
  start: ["start.c", ...layout("link.ld")],
  emulator: "qemu-system-arm",
  machine: ["-M", "mps2-an386"],
};

const riscv: Board = {
  name: "RV32IMAC",
  compiler: "riscv64-unknown-elf-gcc",
  flags: ["-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs", "-Wl,--no-warn-rwx-segments"],
  start: ["start_riscv.c", ...layout("link_riscv.ld")],
  emulator: "qemu-system-riscv32",
  machine: ["-M", "virt", "-bios", "none"],
};

export const boards: Board[] = [
  cortexM4,
  riscv,
  {
    ...riscv,
    name: "RV32IMAC, unaligned access",
    // The compiler believes it by a core's name alone, -mno-strict-align is not enough.
    flags: [...riscv.flags, "-mtune=thead-c906", "-mno-strict-align"],
  },
];

/** This machine. */
export const native: Board = { name: "64 bit", compiler: "cc", flags: [], start: ["start_native.c"], machine: [] };

/** The header of the wasm2c in use; include paths of the host must not reach the cross compilers. */
const RUNTIME_HEADER = "/usr/include/wasm-rt.h";

/** @throws Error that names what is missing */
export function requireTools(): void {
  const tools = new Set(["wasm2c", "cargo"]);
  for (const { compiler, emulator } of [...boards, native])
    for (const tool of [compiler, emulator ?? compiler]) tools.add(tool);
  const missing = [...tools].filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
  if (!existsSync(RUNTIME_HEADER)) missing.push(RUNTIME_HEADER);
  if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}: npm run test:runtimes -- --install`);
}

/** What a program is made of, beside the board. */
export interface Program {
  /** Files of this folder, or absolute paths. */
  sources: string[];
  /** Further flags of the compiler: definitions, include paths. */
  flags: string[];
}

/** What wasm2c writes in front of every access to memory. */
const CHECK = "if (UNLIKELY(offset + (uint64_t)len > mem->size))";

/**
 * A module as C in `folder`, with its embedder: to be added to a program.
 * @param checked whether accesses are checked, as they must be; without, one sees what the checks cost
 */
export function translate(module: string, folder: string, checked = true): Program {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "module.c");
  execFileSync("wasm2c", ["-n", "m", wasm(module), "-o", file]);
  if (!checked) {
    const text = readFileSync(file, "utf8");
    assert.ok(text.includes(CHECK), "this wasm2c checks accesses in another way");
    writeFileSync(file, text.replace(CHECK, "if (0)"));
  }
  copyFileSync(RUNTIME_HEADER, join(folder, "wasm-rt.h"));
  return { sources: ["embedder.c", file], flags: [`-I${folder}`] };
}

/**
 * Compile a program for a board and run it.
 * @param folder where the image goes
 * @returns the JSON objects that it printed, a line each
 * @throws Error with what it printed when it did not end with 0 within two minutes
 */
export function runOn<T>(board: Board, program: Program, folder: string): T[] {
  const image = join(folder, "image.elf");
  const files = [...board.start, ...program.sources].map((file) =>
    /^\w+\.c$/.test(file) ? join(sources, file) : file,
  );
  execFileSync(board.compiler, [
    ...board.flags,
    ..."-std=gnu99 -O2 -DNDEBUG -w -ffunction-sections -fdata-sections -Wl,--gc-sections".split(" "),
    `-I${sources}`,
    ...program.flags,
    ...files,
    ...["-lm", "-o", image],
  ]);
  const options = "-nographic -semihosting-config enable=on,target=native -icount shift=0 -kernel".split(" ");
  const run = spawnSync(board.emulator ?? image, board.emulator ? [...board.machine, ...options, image] : [], {
    timeout: 120_000,
    encoding: "utf8",
    maxBuffer: 16 * 1024 * 1024,
  });
  // Semihosting writes to the emulator's stderr.
  if (run.status !== 0)
    throw new Error(`${program.sources[0]} on ${board.name} ended with ${run.status ?? run.signal}: ${run.stderr}`);
  return run.stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as T);
}
