// What a module costs on a Cortex-M4: the packed project is cross-compiled as it stands, with WAMR on the bare core, and
// runs in QEMU, where every figure is the same each time.

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Footprint, ModuleFootprint, Way } from "../../../host/pack/costs.js";
import { packedFiles } from "../../../host/pack/files.js";
import { PROFILES, type Profile } from "../../../host/size/budgets.js";
import { sha256 } from "../../../host/size/size_map.js";
import { root, wasm } from "../../paths.js";
import { wamrRoot } from "../c_host.js";

const sources = join(root, "tests", "runtimes", "footprint");
/** RAM that is more than any module needs, for the first start. */
const AMPLE = 1024 * 1024;
const CPU = ["-mcpu=cortex-m4", "-mthumb"];
const CROSS = [
  "-DCMAKE_SYSTEM_NAME=Generic",
  "-DCMAKE_C_COMPILER=arm-none-eabi-gcc",
  "-DCMAKE_ASM_COMPILER=arm-none-eabi-gcc",
  "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
  "-DCMAKE_BUILD_TYPE=MinSizeRel",
];

/** Run a tool quietly. @throws Error with what it wrote */
export function tool(name: string, args: string[], cwd?: string): string {
  const { status, error, stdout, stderr } = spawnSync(name, args, { encoding: "utf8", timeout: 300_000, cwd });
  if (error !== undefined || status !== 0)
    throw new Error(`${name} ${args.join(" ")}: ${error?.message ?? status}\n${stdout}\n${stderr}`);
  return stdout;
}

/** Configure and build a CMake project. @throws Error with the build's output */
export function buildProject(source: string, folder: string, definitions: string[]): void {
  tool("cmake", ["-S", source, "-B", folder, ...definitions]);
  tool("cmake", ["--build", folder, "-j", "2"]);
}

interface Run {
  peak: number;
  smallest: number;
  stack: number;
  agent: number;
}

/** Sizes in flash by file: the rows of `size` without its heading; text and initialised data. */
function flashOf(file: string): Map<string, number> {
  const rows = execFileSync("arm-none-eabi-size", [file], { encoding: "utf8" }).trim().split("\n").slice(1);
  return new Map(
    rows.map((row) => {
      const [text, data, , , , name] = row.trim().split(/\s+/);
      return [name!, Number(text) + Number(data)];
    }),
  );
}

function runDevice(image: string): Run {
  const board = "-M mps2-an386 -nographic -semihosting-config enable=on,target=native -icount shift=0 -kernel";
  const { status, signal, stderr } = spawnSync("qemu-system-arm", [...board.split(" "), image], {
    timeout: 120_000,
    encoding: "utf8",
  });
  // Semihosting writes to the emulator's stderr.
  if (status !== 0) throw new Error(`${image} ended with ${status ?? signal}: ${stderr}`);
  return JSON.parse(stderr) as Run;
}

/** An interpreter on the packed project. */
function measureInterpreter(profile: Profile, pack: string, runtime: "fast" | "classic", folder: string) {
  const { module } = packedFiles(profile);
  const definitions = [`-DPACK=${pack}`, `-DWAMR_ROOT_DIR=${wamrRoot()}`, `-DALINK_RUNTIME=${runtime}`];
  buildProject(sources, folder, [...CROSS, ...definitions, `-DALINK_POOL_BYTES=${AMPLE}`]);
  const image = join(folder, "footprint");
  const run = runDevice(image);
  const way: Way = {
    name: `${runtime} interpreter`,
    runtime: flashOf(image).get(image)! - module.bytes.length,
    module: module.bytes.length,
    pool: run.smallest,
    moduleRam: runtime === "fast" ? 0 : module.bytes.length,
  };
  return { way, run, objects: flashOf(join(folder, "pack", "libalink_agent.a")) };
}

/** The machine code of what wasm2c makes of the module, without a host; its memory is what it declares. */
function measureNative(profile: Profile, folder: string): Way {
  const { memory } = packedFiles(profile).module;
  mkdirSync(folder, { recursive: true });
  tool("wasm2c", ["-n", "module", wasm(PROFILES[profile]), "-o", join(folder, "module.c")]);
  // Include paths of the host must not reach the cross compiler.
  copyFileSync("/usr/include/wasm-rt.h", join(folder, "wasm-rt.h"));
  const object = join(folder, "module.o");
  tool("arm-none-eabi-gcc", [...CPU, "-Os", "-w", `-I${folder}`, "-c", join(folder, "module.c"), "-o", object]);
  return { name: "native C", runtime: 0, module: flashOf(object).get(object)!, pool: memory, moduleRam: 0 };
}

/** Everything about one module. `pack` is its pack, `folder` a place to build. */
export function measureModule(
  profile: Profile,
  pack: string,
  folder: string,
): { module: ModuleFootprint; library: Footprint["library"] } {
  const fast = measureInterpreter(profile, pack, "fast", join(folder, "fast"));
  const classic = measureInterpreter(profile, pack, "classic", join(folder, "classic"));
  const object = (name: string) => [...fast.objects].find(([file]) => file.startsWith(name))![1];
  return {
    module: {
      sha256: sha256(packedFiles(profile).module.bytes),
      ways: [fast.way, classic.way, measureNative(profile, join(folder, "native"))],
    },
    library: {
      agent: object("agent.c.") + object("instance.c."),
      boot: object("boot.c."),
      snapshot: object("snapshot.c.") + object("sha256.c."),
      struct: fast.run.agent,
      stack: Math.max(fast.run.stack, classic.run.stack),
    },
  };
}
