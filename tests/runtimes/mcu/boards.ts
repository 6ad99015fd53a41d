// Bare boards in QEMU, and modules translated to C by wasm2c that run on them. `-icount` makes an instruction a nanosecond,
// so a count is the same every time.

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { root, wasm } from "../../paths.js";

export interface Board {
  name: string;
  compiler: string;
  flags: string[];
  libraries: string[];
  start: string;
  script: string;
  emulator: string;
  machine: string[];
}

const riscv: Board = {
  name: "RV32IMAC",
  compiler: "riscv64-unknown-elf-gcc",
  flags: ["-march=rv32imac", "-mabi=ilp32"],
  libraries: ["--specs=picolibc.specs", "-Wl,--no-warn-rwx-segments"],
  start: "start_riscv.c",
  script: "link_riscv.ld",
  emulator: "qemu-system-riscv32",
  machine: ["-M", "virt", "-bios", "none"],
};

export const boards: Board[] = [
  {
    name: "Cortex-M4",
    compiler: "arm-none-eabi-gcc",
    flags: ["-mcpu=cortex-m4", "-mthumb"],
    libraries: ["--specs=nosys.specs", "--specs=nano.specs"],
    start: "start_arm.c",
    script: "link_arm.ld",
    emulator: "qemu-system-arm",
    machine: ["-M", "mps2-an386"],
  },
  riscv,
  // The compiler says it by a core's name alone, -mno-strict-align is not enough.
  {
    ...riscv,
    name: "RV32IMAC, unaligned access",
    flags: [...riscv.flags, "-mtune=thead-c906", "-mno-strict-align"],
  },
];

const sources = join(root, "tests", "runtimes", "mcu");

/** The header of the wasm2c in use; include paths of the host must not reach the cross compilers. */
const RUNTIME_HEADER = "/usr/include/wasm-rt.h";

/** @throws Error that names what is missing */
export function requireTools(): void {
  const tools = ["wasm2c", ...boards.flatMap(({ compiler, emulator }) => [compiler, emulator])];
  const missing = tools.filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
  if (!existsSync(RUNTIME_HEADER)) missing.push(RUNTIME_HEADER);
  if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}: npm run test:runtimes -- --install`);
}

/** A module as C in `folder`, with its embedder's header. @returns the file */
export function translate(module: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "module.c");
  execFileSync("wasm2c", ["-n", "m", wasm(module), "-o", file]);
  copyFileSync(RUNTIME_HEADER, join(folder, "wasm-rt.h"));
  return file;
}

/**
 * Compile a program for a board and run it.
 * @param program file of this folder that has `main`
 * @param folder where `translate` left the module
 * @param defined further flags of the preprocessor
 * @returns the JSON objects that it printed, a line each
 * @throws Error with what it printed when it did not end with 0 within two minutes
 */
export function runOn<T>(board: Board, program: string, folder: string, defined: string[] = []): T[] {
  const image = join(folder, "image.elf");
  const here = [board.start, "embedder.c", program].map((file) => join(sources, file));
  execFileSync(board.compiler, [
    ...board.flags,
    ..."-O2 -DNDEBUG -ffunction-sections -fdata-sections -w -nostartfiles -Wl,--gc-sections".split(" "),
    ...board.libraries,
    ...["-T", join(sources, board.script), `-I${folder}`, `-I${sources}`, `-I${join(root, "host", "wamr")}`],
    ...defined,
    ...here,
    join(folder, "module.c"),
    ...["-o", image],
  ]);
  const emulator = "-nographic -semihosting-config enable=on,target=native -icount shift=0 -kernel".split(" ");
  const run = spawnSync(board.emulator, [...board.machine, ...emulator, image], {
    timeout: 120_000,
    encoding: "utf8",
    maxBuffer: 16 * 1024 * 1024,
  });
  // Semihosting writes to the emulator's stderr.
  if (run.status !== 0)
    throw new Error(`${program} on ${board.name} ended with ${run.status ?? run.signal}: ${run.stderr}`);
  return run.stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as T);
}
