// The files of a pack: the module, its C array, the C host, and the templates in host/pack/template/.

import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { PROFILES, type Profile } from "../size/budgets.js";
import { leftOutTable } from "../size/left_out.js";
import { readModule, sha256 } from "../size/size_map.js";
import { amplePool, costTable, type Footprint, measuredWith } from "./costs.js";
import { WAMR_VERSION } from "./wamr.js";

/** A file to write. */
export interface PackedFile {
  /** Relative, with forward slashes. */
  path: string;
  contents: string | Uint8Array;
}

/** What the module says of itself. */
export interface PackedModule {
  bytes: Uint8Array<ArrayBuffer>;
  abiVersion: number;
  /** Static memory, `__heap_base`, bytes. */
  memory: number;
}

/** The package's root, three levels above this file's build. */
const root = join(import.meta.dirname, "..", "..", "..");
const HOST = "host/wamr";
const TEMPLATES = "host/pack/template";
/** Files of the C host that a board takes as they are; the others are the reference port. */
const LIBRARY = [
  ...["agent.c", "agent.h", "agent_abi.h", "boot.c", "boot.h", "capsule.c", "capsule.h", "instance.c", "instance.h"],
  ...["port.h", "sha256.c", "sha256.h", "snapshot.c"],
];

/** Documents that error texts and README.md of a pack send to; they point to no others. */
const DOCUMENTS = ["docs/configuration.md", "docs/coap.md"];

/** The version of this package. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
}

function readPart(path: string): string {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    throw new Error(`this installation lacks ${path}: install the package anew`);
  }
}

/** Files below a folder of the package, relative to it, in order of their names. */
function filesBelow(path: string): string[] {
  const entries = readdirSync(join(root, path), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) =>
    entry.isDirectory()
      ? filesBelow(posix.join(path, entry.name)).map((below) => posix.join(entry.name, below))
      : [entry.name],
  );
}

function inspect(bytes: Uint8Array<ArrayBuffer>): PackedModule {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  const { abiVersion, __heap_base } = exports as { abiVersion: () => number; __heap_base: WebAssembly.Global };
  return { bytes, abiVersion: abiVersion(), memory: __heap_base.value as number };
}

const BYTES_A_LINE = 20;

/** Bytes as the rows of a C initialiser. */
function initialiser(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE)
    rows.push(
      [...bytes.subarray(at, at + BYTES_A_LINE)].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`).join(","),
    );
  return rows.join(",\n  ");
}

/**
 * The module as a C99 header: its size, ABI version, SHA-256 and the array itself, so exactly one source includes it:
 * src/agent_module.c.
 */
export function wasmHeader({ bytes, abiVersion }: PackedModule, name: string): string {
  const digest = sha256(bytes);
  return [
    `/* ${name}.wasm of alink-agent ${packageVersion()}, SHA-256 ${digest}. Made by alink-agent pack; do not edit. */`,
    "#ifndef ALINK_AGENT_WASM_H",
    "#define ALINK_AGENT_WASM_H",
    "",
    "#include <stdint.h>",
    "",
    `#define AGENT_WASM_SIZE ${bytes.length}u`,
    `#define AGENT_WASM_ABI_VERSION ${abiVersion}`,
    "#define AGENT_WASM_SHA256 \\",
    `  ${initialiser(Buffer.from(digest, "hex")).replaceAll("\n", " \\\n")}`,
    "",
    "/* What the runtime asks of the array, and more: XIP code wants it. */",
    "#if defined(__GNUC__)",
    "#define AGENT_WASM_ALIGNED __attribute__((aligned(8)))",
    "#else",
    "#define AGENT_WASM_ALIGNED",
    "#endif",
    "",
    "/* `const` or nothing: agent_module.h. */",
    "#ifndef ALINK_MODULE_CONST",
    "#define ALINK_MODULE_CONST",
    "#endif",
    "",
    "ALINK_MODULE_CONST uint8_t agent_wasm[AGENT_WASM_SIZE] AGENT_WASM_ALIGNED = {",
    `  ${initialiser(bytes)}};`,
    "",
    "#endif",
    "",
  ].join("\n");
}

/** Text with what is for other profiles taken out: `<!-- for PROFILE PROFILE -->` to `<!-- end -->`, lines of their own. */
function textFor(profile: Profile, text: string): string {
  return text.replace(/<!-- for ([a-z ]+) -->\n([\s\S]*?)<!-- end -->\n/g, (_, profiles: string, part: string) =>
    profiles.split(" ").includes(profile) ? part : "",
  );
}

function templates(profile: Profile, module: PackedModule): PackedFile[] {
  const name = PROFILES[profile];
  const footprint = JSON.parse(readPart("docs/footprint.json")) as Footprint;
  const values: Record<string, string | number> = {
    VERSION: packageVersion(),
    PROFILE: profile,
    ABI_VERSION: module.abiVersion,
    MODULE_BYTES: module.bytes.length,
    MEMORY_BYTES: module.memory,
    POOL_BYTES: amplePool(footprint, name, module.bytes.length, module.memory),
    WAMR_VERSION,
    COSTS: `${costTable(footprint, name)}\n\n${measuredWith(footprint, name, sha256(module.bytes))}`,
    LEFT_OUT: leftOutTable(profile),
    TLS_SESSION: footprint.tls.session,
  };
  return filesBelow(TEMPLATES).map((path) => ({
    path,
    contents: textFor(profile, readPart(posix.join(TEMPLATES, path))).replace(/@([A-Z_]+)@/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`${TEMPLATES}/${path}: there is no value for @${name}@`);
      return String(value);
    }),
  }));
}

/** The files of a profile's pack, the manifest apart. @throws Error, one line, when the profile is not built */
export function packedFiles(profile: Profile): { files: PackedFile[]; module: PackedModule } {
  const name = PROFILES[profile];
  const module = inspect(readModule(name));
  const host = filesBelow(HOST).map((file) => ({
    path: `${LIBRARY.includes(file) ? "src" : "posix"}/${file}`,
    contents: readPart(`${HOST}/${file}`),
  }));
  const files = [
    { path: "LICENSE", contents: readPart("LICENSE") },
    { path: "agent.wasm", contents: module.bytes },
    { path: "src/agent_wasm.h", contents: wasmHeader(module, name) },
    ...DOCUMENTS.map((path) => ({ path, contents: readPart(path) })),
    ...host,
    ...templates(profile, module),
  ];
  return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), module };
}
