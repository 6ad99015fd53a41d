// What crypto-mcu.wasm costs on a Cortex-M4, in executed instructions per byte: translated to C by wasm2c (with its bounds
// checks), compiled for the core, run in QEMU, where the count is the same every time. One JSON object a line.
//
// Needs wabt (wasm2c), gcc-arm-none-eabi with newlib and qemu-system-arm. Exit code 1 when a result is wrong or dearer
// than its budget, 2 when a tool is missing.

import { execFileSync, spawnSync } from "node:child_process";
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, wasm } from "../../paths.js";

interface Count {
  name: string;
  instructionsPerByte: number;
  /** The first four bytes of the digest, or of the last piece, hexadecimal. */
  result: string;
}

/** Most instructions per byte. Lower one when it has become cheaper. */
const budgets: Record<string, number> = {
  md5: 10.5,
  sha1: 67,
  sha256: 42.1,
  "aes-128-cbc encrypt": 132,
  "aes-128-cbc decrypt": 136,
};

/** The header of the wasm2c in use; include paths of the host must not reach the cross compiler. */
const RUNTIME_HEADER = "/usr/include/wasm-rt.h";

const piece = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7 + 3) & 255));
const PIECES = 16;

/** What node:crypto makes of the work that host.c does. */
function expected(name: string): string {
  const key = Buffer.alloc(16, 0x2b);
  const first = (bytes: Buffer) => bytes.subarray(0, 4).toString("hex");
  if (!name.startsWith("aes")) {
    const hash = createHash(name);
    for (let i = 0; i < PIECES; i++) hash.update(piece);
    return first(hash.digest());
  }
  const cipher = name.endsWith("encrypt")
    ? createCipheriv("aes-128-cbc", key, key)
    : createDecipheriv("aes-128-cbc", key, key);
  cipher.setAutoPadding(false);
  let bytes: Buffer = piece;
  for (let i = 0; i < PIECES; i++) bytes = cipher.update(bytes);
  return first(bytes);
}

function requireTools(): void {
  const missing = ["wasm2c", "arm-none-eabi-gcc", "qemu-system-arm"].filter(
    (tool) => spawnSync(tool, ["--version"]).error !== undefined,
  );
  if (!existsSync(RUNTIME_HEADER)) missing.push(RUNTIME_HEADER);
  if (missing.length === 0) return;
  console.error(
    `missing: ${missing.join(", ")}; apt-get install wabt gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm`,
  );
  process.exit(2);
}

function count(folder: string): Count[] {
  const sources = join(root, "tests/runtimes/mcu");
  execFileSync("wasm2c", ["-n", "m", wasm("crypto-mcu"), "-o", join(folder, "module.c")]);
  copyFileSync(RUNTIME_HEADER, join(folder, "wasm-rt.h"));
  const image = join(folder, "image.elf");
  const flags = "-mcpu=cortex-m4 -mthumb -O2 -ffunction-sections -fdata-sections -w -nostartfiles -Wl,--gc-sections";
  const libraries = ["--specs=nosys.specs", "--specs=nano.specs", "-T", join(sources, "link.ld")];
  const inputs = [join(sources, "start.c"), join(sources, "host.c"), join(folder, "module.c")];
  execFileSync("arm-none-eabi-gcc", [
    ...flags.split(" "),
    ...libraries,
    `-I${folder}`,
    `-I${sources}`,
    ...inputs,
    "-o",
    image,
  ]);
  const board = "-M mps2-an386 -nographic -semihosting-config enable=on,target=native -icount shift=0 -kernel";
  const run = spawnSync("qemu-system-arm", [...board.split(" "), image], { timeout: 60_000, encoding: "utf8" });
  // Semihosting writes to the emulator's stderr.
  if (run.status !== 0) throw new Error(`the image ended with ${run.status ?? run.signal}: ${run.stderr}`);
  return run.stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Count);
}

requireTools();
const folder = mkdtempSync(join(tmpdir(), "alink-mcu-"));
try {
  const counts = count(folder);
  for (const { name, instructionsPerByte, result } of counts) {
    const budget = budgets[name];
    console.log(JSON.stringify({ name, instructionsPerByte, budget }));
    if (result !== expected(name)) throw new Error(`${name}: the result is wrong: ${result}`);
    if (budget === undefined || instructionsPerByte > budget)
      throw new Error(`${name}: ${instructionsPerByte} instructions per byte, the budget is ${budget}`);
  }
  if (counts.length !== Object.keys(budgets).length) throw new Error(`only ${counts.length} results`);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
