// What a WebAssembly module's bytes go to: its sections and functions (WebAssembly Core Specification 1.0, chapter 5).

/** A section, with its id and length bytes. */
export interface Section {
  /** The specification's name; "custom NAME" for a custom section. */
  name: string;
  /** Bytes of the file, id and length included. */
  bytes: number;
  /** Where its contents start and end. */
  start: number;
  end: number;
}

const PREAMBLE = 8;
/** The first four bytes of a module, as one little-endian number: "\0asm". */
const MAGIC = 0x6d736100;
const SECTION_NAMES = [
  "custom",
  "type",
  "import",
  "function",
  "table",
  "memory",
  "global",
  "export",
  "start",
  "element",
  "code",
  "data",
];
/** Subsection of the custom section "name" that holds function names. */
const FUNCTION_NAMES = 1;

/** A reader of the binary format. @throws RangeError past `end`, or for a number that is longer than 32 bits */
class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  u8(): number {
    if (this.at >= this.end) throw new RangeError("the module ends too early");
    return this.bytes[this.at++]!;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new RangeError("a number of the module is longer than 32 bits");
  }

  /** Pass over `length` bytes. @returns where they start */
  skip(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw new RangeError("the module ends too early");
    this.at += length;
    return start;
  }

  name(): string {
    const length = this.u32();
    const start = this.skip(length);
    return Buffer.from(this.bytes.subarray(start, start + length)).toString("utf8");
  }
}

/** The sections in their order. @throws RangeError when the bytes are no module, or one that is cut */
export function readSections(module: Uint8Array): Section[] {
  const reader = new Reader(module);
  const start = reader.skip(PREAMBLE);
  if (Buffer.from(module).readUInt32LE(start) !== MAGIC) throw new RangeError("it is not a WebAssembly module");
  const sections: Section[] = [];
  while (reader.at < module.length) {
    const first = reader.at;
    const id = reader.u8();
    const length = reader.u32();
    const contents = reader.skip(length);
    const custom = id === 0 ? ` ${new Reader(module, contents, reader.at).name()}` : "";
    const name = `${SECTION_NAMES[id] ?? `id ${id}`}${custom}`;
    sections.push({ name, bytes: reader.at - first, start: contents, end: reader.at });
  }
  return sections;
}

/** Bytes that each function takes in the code section, its length included, in the order of their indices. */
export function functionSizes(module: Uint8Array): number[] {
  const code = readSections(module).find(({ name }) => name === "code");
  if (code === undefined) return [];
  const reader = new Reader(module, code.start, code.end);
  return Array.from({ length: reader.u32() }, () => {
    const first = reader.at;
    reader.skip(reader.u32());
    return reader.at - first;
  });
}

/** The contents of the code section; empty without one. */
export function codeOf(module: Uint8Array): Uint8Array {
  const code = readSections(module).find(({ name }) => name === "code");
  return code === undefined ? new Uint8Array() : module.subarray(code.start, code.end);
}

/** Function names by index, from the custom section "name"; empty without one. Only for modules without imports. */
export function functionNames(module: Uint8Array): Map<number, string> {
  const names = new Map<number, string>();
  const section = readSections(module).find(({ name }) => name === "custom name");
  if (section === undefined) return names;
  const reader = new Reader(module, section.start, section.end);
  reader.name();
  while (reader.at < section.end) {
    const id = reader.u8();
    const length = reader.u32();
    const start = reader.skip(length);
    if (id !== FUNCTION_NAMES) continue;
    const entries = new Reader(module, start, start + length);
    for (let count = entries.u32(); count > 0; count--) names.set(entries.u32(), entries.name());
  }
  return names;
}
