// boot.c in this process: compiled to WebAssembly, its flash the flash of the test.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootError, type Started } from "../../host/node/boot.js";
import { type Flash, FlashError } from "../../host/node/flash.js";
import type { Loader, MakeLoader } from "../agent/power.js";
import { hostSource, source } from "./c_host.js";

interface BootExports {
  memory: WebAssembly.Memory;
  configure(offset: number, sector: number, sectors: number): void;
  start(): number;
  activate(slot: number): number;
  confirm(): number;
  slot(): number;
  how(): number;
  reason(): number;
}

const SECTORS = 4;
const FLAGS = ["--target=wasm32", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-nostdlib", "-Wl,--no-entry"];

function compile(): WebAssembly.Module {
  const folder = mkdtempSync(join(tmpdir(), "alink-boot-wasm-"));
  try {
    const out = join(folder, "boot.wasm");
    const includes = [`-I${source("freestanding")}`, `-I${join(hostSource("boot.h"), "..")}`];
    execFileSync("clang", [...FLAGS, ...includes, source("boot_wasm.c"), hostSource("boot.c"), "-o", out], {
      stdio: "inherit",
    });
    return new WebAssembly.Module(readFileSync(out));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const compiled = compile();

/** A fresh instance for each start of the device, as a boot loader has fresh memory. */
class CBoot implements Loader {
  readonly #exports: BootExports;

  constructor(flash: Flash) {
    const attempt = (run: () => void): number => {
      try {
        run();
        return 1;
      } catch (error) {
        if (error instanceof FlashError) return 0;
        throw error;
      }
    };
    const memory = () => new Uint8Array(this.#exports.memory.buffer);
    const imports = {
      read: (offset: number, at: number, length: number) => attempt(() => memory().set(flash.read(offset, length), at)),
      write: (offset: number, at: number, length: number) =>
        attempt(() => flash.write(offset, memory().slice(at, at + length))),
      erase: (offset: number, length: number) => attempt(() => flash.erase(offset, length)),
    };
    this.#exports = new WebAssembly.Instance(compiled, { flash: imports }).exports as unknown as BootExports;
    const [offset, length] = flash.layout.boot;
    const { sector } = flash.layout;
    this.#exports.configure(offset, sector, Math.min(SECTORS, length / sector));
  }

  boot(): Started {
    const x = this.#exports;
    if (x.start() === 0) throw new FlashError("boot.c: the flash failed");
    return { slot: x.slot(), how: x.how() as Started["how"], reason: x.reason() };
  }

  activate(slot: number): void {
    if (this.#exports.activate(slot) === 0) throw new BootError(`boot.c: slot ${slot} is not activated`);
  }

  confirm(): void {
    if (this.#exports.confirm() === 0) throw new BootError("boot.c: the slot is not confirmed");
  }
}

export const makeLoader: MakeLoader = (flash) => new CBoot(flash);
