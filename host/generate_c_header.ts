/**
 * Writes host/wamr/agent_abi.h, the contract for hosts in C, from the same sources as host/abi.ts.
 * Run from the project's directory: `node build/host/generate_c_header.js`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { generateAbi, parseExports } from "./generate_abi.js";

/** `BadArgument`, `abiVersion` and `flashOp` as C writes constants: BAD_ARGUMENT, ABI_VERSION, FLASH_OP. */
function upperCased(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}

/** A type's name as C writes tags: flash_op. */
function lowerCased(name: string): string {
  return upperCased(name).toLowerCase();
}

const CONSTANT = /^export const (\w+) = (-?\d+);$/;
const ENUM = /^export const (\w+) = \{$/;
const MEMBER = /^ {2}(\w+): (-?\d+),$/;

/**
 * Constants and enums from the text of host/abi.ts, whose lines are fewer kinds than those of any source: what is not one
 * of them is an error. The events' and the exports' types have no counterpart in C.
 */
class Declarations {
  readonly lines: string[] = [];
  readonly #names = new Set<string>();
  #comment: string[] = [];
  #enum: string | undefined;

  constructor(text: string) {
    const end = text.indexOf("/** Every event by its name");
    if (end < 0) throw new Error("host/abi.ts: the events' types are not where they were");
    const body = text.slice(text.indexOf("*/") + 2, end);
    for (const line of body.split("\n")) this.#line(line);
  }

  #line(line: string): void {
    const constant = CONSTANT.exec(line);
    const enumeration = ENUM.exec(line);
    const member = MEMBER.exec(line);
    if (/^\s*(\/\*\*|\*)/.test(line)) this.#comment.push(line);
    else if (constant !== null) this.#define(`#define ${this.#unique(constant[1]!)} `, Number(constant[2]));
    else if (enumeration !== null) this.#open(enumeration[1]!);
    else if (member !== null && this.#enum !== undefined) this.#member(member[1]!, Number(member[2]));
    else if (line === "} as const;") this.lines.push("};", "");
    else if (line !== "" && !line.startsWith("export type ")) throw new Error(`host/abi.ts: not understood: ${line}`);
  }

  #take(): void {
    this.lines.push(...this.#comment);
    this.#comment = [];
  }

  #define(head: string, value: number): void {
    this.#take();
    this.lines.push(`${head}${value < 0 ? `(${value})` : value}`, "");
  }

  #open(name: string): void {
    this.#enum = name;
    this.#take();
    this.lines.push(`enum alink_${lowerCased(name)} {`);
  }

  #member(name: string, value: number): void {
    this.#take();
    this.lines.push(`  ${this.#unique(`${this.#enum}_${name}`)} = ${value},`);
  }

  #unique(name: string): string {
    const full = `ALINK_${upperCased(name)}`;
    if (this.#names.has(full)) throw new Error(`assembly/abi.ts: ${full} would stand for two things in C`);
    this.#names.add(full);
    return full;
  }
}

/** The list of exports as an X macro, with what each does before it. */
function exportLines(index: string): string[] {
  const lines = [
    "/*",
    " * The exported functions: X(CONSTANT, name, number of parameters). All take and give i32. Beside them the module",
    ' * exports its memory as "memory" and two immutable i32 globals, __heap_base and __data_end.',
    " */",
    "#define ALINK_EXPORTS(X)",
  ];
  const comments: string[] = [];
  for (const entry of parseExports(index)) {
    if (entry.kind !== "function") continue;
    const text = entry.comment
      .map((line) => line.replace(/^\s*(\/\*\*|\*\/|\*)\s*|\s*\*\/$/g, ""))
      .filter((line) => line !== "")
      .join(" ");
    comments.push(` * ${entry.name}(${entry.parameters.join(", ")}): ${text}`);
    lines[lines.length - 1] += " \\";
    lines.push(`  X(${upperCased(entry.name)}, ${entry.name}, ${entry.parameters.length})`);
  }
  lines.splice(3, 0, " *", ...comments);
  return lines;
}

/**
 * The text of host/wamr/agent_abi.h: constants `ALINK_…`, enums `alink_…` and the list of exports.
 * @param abi source of assembly/abi.ts
 * @param index source of assembly/index.ts
 * @throws Error that names the line which cannot be said in C, or two names that fall together
 */
export function generateCHeader(abi: string, index: string): string {
  const text = generateAbi(abi, index);
  const head = text.slice(text.indexOf("/**"), text.indexOf("*/") + 2).replace("/**", "/*");
  const lines = [
    "/* Generated from assembly/abi.ts and assembly/index.ts by host/generate_c_header.ts; do not edit. */",
    "#ifndef ALINK_AGENT_ABI_H",
    "#define ALINK_AGENT_ABI_H",
    "",
    head,
    "",
    ...new Declarations(text).lines,
    ...exportLines(index),
    "",
    "#define ALINK_EXPORT_INDEX(constant, name, parameters) ALINK_EXPORT_##constant,",
    "/** Places of the exports in a table. */",
    "enum alink_export { ALINK_EXPORTS(ALINK_EXPORT_INDEX) ALINK_EXPORT_COUNT };",
    "#undef ALINK_EXPORT_INDEX",
    "",
    "#endif",
  ];
  return `${lines.join("\n")}\n`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(
    "host/wamr/agent_abi.h",
    generateCHeader(readFileSync("assembly/abi.ts", "utf8"), readFileSync("assembly/index.ts", "utf8")),
  );
