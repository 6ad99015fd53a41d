/**
 * Writes host/abi.ts from assembly/abi.ts and assembly/index.ts, which are the only description of the boundary.
 * Run from the project's directory: `node build/host/generate_abi.js`.
 *
 * The grammar is narrow on purpose; a line that is none of these is an error, so nothing can be left out silently:
 * - abi.ts: `export const NAME: i32 = NUMBER;`, `export const enum NAME { MEMBER = NUMBER, … }` and doc comments;
 * - index.ts: `export function name(arg: i32, …): i32 { return …; }` on one line or three, `export { name };`,
 *   `export const NAME: i32 = NUMBER;`, `import …;` and doc comments.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** A member of an enum. */
interface Member {
  name: string;
  value: number;
  comment: string[];
}

/** One declaration of abi.ts: a number or an enum. */
type Declaration =
  | { kind: "number"; name: string; value: number; comment: string[] }
  | { kind: "enum"; name: string; members: Member[]; comment: string[] };

/** One export of index.ts. */
type Export =
  | { kind: "function"; name: string; parameters: string[]; comment: string[] }
  | { kind: "global"; name: string; comment: string[] };

/** TypeScript types of the members that the events' comments name. */
const MEMBER_TYPES: Record<string, string> = {
  attempt: "number",
  bytes: "number",
  code: "number",
  confirm: "boolean",
  desc: "string",
  detail: "number",
  digest: "string",
  from: "string",
  id: "number",
  params: "Record<string, unknown>",
  payload: "string",
  peer: "string",
  retryMs: "number",
  granted: "boolean",
  sessionPresent: "boolean",
  signMethod: "string",
  size: "number",
  slot: '"a" | "b"',
  step: "number",
  token: "number",
  topic: "string",
  version: "string",
};

/** Lines of a source with their doc comments taken off: what a parser sees. */
class Lines {
  #lines: string[];
  #at = 0;
  /** Doc comment read last and not used yet, without its indentation. */
  comment: string[] = [];

  constructor(
    source: string,
    readonly file: string,
  ) {
    this.#lines = source.split("\n");
  }

  /** The next line that is code, trimmed; undefined at the end. Doc comments before it are left in `comment`. */
  next(): string | undefined {
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at++]!.trim();
      if (line === "") continue;
      if (!line.startsWith("/**")) return line;
      this.comment = [line];
      while (!this.comment.at(-1)!.endsWith("*/")) this.comment.push(this.#continued());
    }
    return undefined;
  }

  /** The comment read last, once. */
  takeComment(): string[] {
    const comment = this.comment;
    this.comment = [];
    return comment;
  }

  /** @throws Error that names the line */
  fail(line: string): never {
    throw new Error(`${this.file}:${this.#at}: not in the grammar of the contract: ${line}`);
  }

  #continued(): string {
    const line = this.#lines[this.#at++];
    if (line === undefined) throw new Error(`${this.file}: a comment does not end`);
    return ` ${line.trim()}`;
  }
}

const NUMBER = /^export const (\w+): i32 = (-?\d+);$/;
const ENUM = /^export const enum (\w+) \{$/;
const MEMBER = /^(\w+) = (-?\d+),$/;
const FUNCTION = /^export function (\w+)\(([^)]*)\): i32 \{( return .*; \})?$/;
const BODY = /^return .*;$/;
const REEXPORT = /^export \{ (\w+) \};$/;

function parseEnum(lines: Lines): Member[] {
  const members: Member[] = [];
  for (let line = lines.next(); line !== "}"; line = lines.next()) {
    const match = MEMBER.exec(line ?? "");
    if (match === null) lines.fail(line ?? "the end of the file");
    members.push({ name: match[1]!, value: Number(match[2]), comment: lines.takeComment() });
  }
  return members;
}

/** The file's own comment stands first; it is followed by another comment or an import, so a declaration never takes it. */
function parseAbi(source: string): { head: string[]; declarations: Declaration[] } {
  const end = source.indexOf("*/") + 2;
  const head = source.slice(0, end).split("\n");
  const lines = new Lines(source.slice(end), "assembly/abi.ts");
  const declarations: Declaration[] = [];
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const comment = lines.takeComment();
    const number = NUMBER.exec(line);
    const enumeration = ENUM.exec(line);
    if (number !== null) declarations.push({ kind: "number", name: number[1]!, value: Number(number[2]), comment });
    else if (enumeration !== null)
      declarations.push({ kind: "enum", name: enumeration[1]!, members: parseEnum(lines), comment });
    else lines.fail(line);
  }
  return { head, declarations };
}

function parameterNames(list: string, lines: Lines): string[] {
  if (list === "") return [];
  return list.split(", ").map((parameter) => {
    const match = /^(\w+): i32$/.exec(parameter);
    return match?.[1] ?? lines.fail(parameter);
  });
}

function skipBody(lines: Lines): void {
  const body = lines.next() ?? "the end of the file";
  if (!BODY.test(body)) lines.fail(body);
  const end = lines.next() ?? "the end of the file";
  if (end !== "}") lines.fail(end);
}

/** The exports of assembly/index.ts, in its order. */
export function parseExports(source: string): Export[] {
  const lines = new Lines(source, "assembly/index.ts");
  const exports: Export[] = [];
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const comment = lines.takeComment();
    if (line.startsWith("import ") || line.startsWith("//")) continue;
    const fn = FUNCTION.exec(line);
    const global = REEXPORT.exec(line) ?? NUMBER.exec(line);
    if (fn !== null && fn[3] === undefined) skipBody(lines);
    if (fn !== null)
      exports.push({ kind: "function", name: fn[1]!, parameters: parameterNames(fn[2]!, lines), comment });
    else if (global !== null) exports.push({ kind: "global", name: global[1]!, comment });
    else lines.fail(line);
  }
  return exports;
}

function indented(lines: string[], by: string): string {
  return lines.map((line) => `${by}${line}\n`).join("");
}

function printDeclaration(declaration: Declaration): string {
  const { comment, name } = declaration;
  if (declaration.kind === "number") return `${indented(comment, "")}export const ${name} = ${declaration.value};\n`;
  const members = declaration.members
    .map((member) => `${indented(member.comment, "  ")}  ${member.name}: ${member.value},\n`)
    .join("");
  const type = `export type ${name} = (typeof ${name})[keyof typeof ${name}];\n`;
  return `${indented(comment, "")}export const ${name} = {\n${members}} as const;\n${type}`;
}

function printExport(entry: Export): string {
  const comment = indented(entry.comment, "  ");
  if (entry.kind === "global") return `${comment}  readonly ${entry.name}: WebAssembly.Global;\n`;
  return `${comment}  ${entry.name}(${entry.parameters.map((name) => `${name}: number`).join(", ")}): number;\n`;
}

/** `"update.progress": {step, bytes, size}: …` in the comment of a member of Event. */
const EVENT = /"([a-z.]+)": \{(\w+(?:, \w+)*)\}/;

function printEvent(member: Member): string {
  const match = EVENT.exec(member.comment.join(" "));
  if (match === null) throw new Error(`assembly/abi.ts: Event.${member.name} has no comment '"name": {member, …}'`);
  const members = match[2]!.split(", ").map((name) => {
    const type = MEMBER_TYPES[name];
    if (type === undefined) throw new Error(`host/generate_abi.ts: add the type of the event member "${name}"`);
    return `    ${name}: ${type};\n`;
  });
  const event = match[1]!;
  const key = event.includes(".") ? `"${event}"` : event;
  return `${indented(member.comment, "  ")}  ${key}: {\n    event: "${event}";\n${members.join("")}  };\n`;
}

function printEvents(declarations: Declaration[]): string {
  const events = declarations.find((declaration) => declaration.name === "Event");
  if (events?.kind !== "enum") throw new Error("assembly/abi.ts: there is no enum Event");
  const members = events.members.filter((member) => member.value !== 0).map(printEvent);
  return `/** Every event by its name, as the module's JSON documents give it. */\nexport interface EventMap {\n${members.join("")}}\n`;
}

/**
 * The text of host/abi.ts.
 * @param abi source of assembly/abi.ts
 * @param index source of assembly/index.ts
 * @throws Error that names the line which is not in the grammar
 */
export function generateAbi(abi: string, index: string): string {
  const { head, declarations } = parseAbi(abi);
  const parts = [
    `// Generated from assembly/abi.ts and assembly/index.ts by host/generate_abi.ts; do not edit.\n/// <reference lib="dom" />\n${indented(head, "")}`,
    ...declarations.map(printDeclaration),
    printEvents(declarations),
    `/** The exports of the module. */\nexport interface AgentExports {\n  readonly memory: WebAssembly.Memory;\n${parseExports(index).map(printExport).join("")}}\n`,
  ];
  return parts.join("\n");
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(
    "host/abi.ts",
    generateAbi(readFileSync("assembly/abi.ts", "utf8"), readFileSync("assembly/index.ts", "utf8")),
  );
