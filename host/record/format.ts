/**
 * The bytes of records and capsules, docs/record.md: blocks with a checksum each, and in them a header and frames.
 * Nothing here knows files or the module.
 */

/** The first bytes of every file of the family, and the version of the format behind them. */
export const MAGIC = "ALRC";
export const FORMAT_VERSION = 1;

/** What a file holds. */
export const Kind = { Record: 1, Capsule: 2 } as const;

/** Bits of the header. */
export const Flag = {
  /** Credentials stand in the file as they were. */
  SecretsKept: 1,
  /** The snapshot was taken after the trap: the call that trapped is made again on what it left. */
  AfterTrap: 2,
  /** Stand-ins were put into the memory of an instance that had the credentials: what it made of them may be left. */
  Derived: 4,
} as const;

/** First byte of a frame; calls are `Call` with `CallFlag` bits. */
export const Frame = { End: 0, Instance: 1, Layout: 2, Snapshot: 3, Note: 4, Call: 16 } as const;

/** What a call's frame has. */
export const CallFlag = {
  /** Bytes that the host put into a window before the call. */
  Payload: 1,
  /** The checksum of the window that the call points out. */
  Output: 2,
  /** The call trapped: words instead of a result. */
  Trapped: 4,
} as const;

/** Bytes of a block before and after its payload, and the most it may hold. */
export const BLOCK_HEAD = 4;
export const BLOCK_TAIL = 4;
export const BLOCK_MAX = 0xffff;
export const SHA256_BYTES = 32;

/** An exported function: its name and how many i32 it takes. */
export interface Export {
  name: string;
  parameters: number;
}

/** What stands before the frames. */
export interface Header {
  kind: number;
  /** `Flag` bits. */
  flags: number;
  abiVersion: number;
  /** Bytes of the module's state, `__heap_base`. */
  stateBytes: number;
  /** SHA-256 of the module; zeros: whoever wrote the file did not know it. */
  module: Uint8Array;
  /** Frames name exports by their place here. */
  exports: Export[];
}

/** Of a flash whose operations are in the record. Bytes. */
export interface Layout {
  sector: number;
  write: number;
  erased: number;
  bytes: number;
  boot: [offset: number, length: number];
}

/** One call into the module. */
export interface Call {
  /** Place in `Header.exports`. */
  which: number;
  /** Milliseconds since the frame before. */
  after: number;
  args: number[];
  /** Bytes for the window whose address export number `at` gives; it takes the call's first arguments. */
  payload?: { at: number; bytes: Uint8Array };
  /** undefined: it trapped, `trap` says how. */
  result?: number;
  trap?: string;
  /** CRC-32 of the window that begins at `result`; export number `length` gives its length for the same arguments. */
  output?: { length: number; crc: number };
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** CRC-32 of IEEE 802.3 (reflected 0xEDB88320, initial value and final XOR 0xFFFFFFFF). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Grows as it is written to; `take` empties it. */
export class FrameWriter {
  #bytes = new Uint8Array(4096);
  #length = 0;
  readonly #encoder = new TextEncoder();

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written, which is forgotten. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.u8((value >>> shift) & 0xff);
  }

  /** LEB128 of a u32: one to five bytes. */
  varint(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.u8((rest & 0x7f) | 0x80);
    this.u8(rest);
  }

  /** An i32, the sign in the lowest bit. */
  zigzag(value: number): void {
    this.varint((value << 1) ^ (value >> 31));
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Bytes with their length before them. */
  counted(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.bytes(bytes);
  }

  text(text: string): void {
    this.counted(this.#encoder.encode(text));
  }

  header(header: Header): void {
    this.u8(header.kind);
    this.u8(header.flags);
    this.varint(header.abiVersion);
    this.varint(header.stateBytes);
    this.bytes(header.module);
    this.u8(header.exports.length);
    for (const { name, parameters } of header.exports) {
      this.u8(parameters);
      this.text(name);
    }
  }

  call(call: Call): void {
    const { payload, output, trap } = call;
    const bit = (part: unknown, flag: number): number => (part === undefined ? 0 : flag);
    this.u8(Frame.Call | bit(payload, CallFlag.Payload) | bit(output, CallFlag.Output) | bit(trap, CallFlag.Trapped));
    this.u8(call.which);
    this.varint(call.after);
    for (const argument of call.args) this.zigzag(argument);
    if (payload !== undefined) {
      this.u8(payload.at);
      this.counted(payload.bytes);
    }
    if (trap !== undefined) this.text(trap);
    else this.zigzag(call.result!);
    if (output !== undefined) {
      this.u8(output.length);
      this.u32(output.crc);
    }
  }

  instance(after: number): void {
    this.u8(Frame.Instance);
    this.varint(after);
  }

  layout({ sector, write, erased, bytes, boot }: Layout): void {
    this.u8(Frame.Layout);
    for (const value of [sector, write, erased, bytes, ...boot]) this.varint(value);
  }

  snapshot(state: Uint8Array): void {
    this.u8(Frame.Snapshot);
    this.counted(state);
  }

  note(text: string): void {
    this.u8(Frame.Note);
    this.text(text);
  }

  /** @param state SHA-256 of the last instance's state, zeros where it is not known */
  end(calls: number, state: Uint8Array): void {
    this.u8(Frame.End);
    this.varint(calls);
    this.bytes(state);
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + bytes));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** The bytes before the first block. */
export function fileHead(): Uint8Array {
  return Uint8Array.from([...new TextEncoder().encode(MAGIC), FORMAT_VERSION]);
}

/** A block for each BLOCK_MAX bytes of `stream`. */
export function blocks(stream: Uint8Array): Uint8Array {
  const count = Math.ceil(stream.length / BLOCK_MAX);
  const bytes = new Uint8Array(stream.length + count * (BLOCK_HEAD + BLOCK_TAIL));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let from = 0; from < stream.length; from += BLOCK_MAX) {
    const payload = stream.subarray(from, from + BLOCK_MAX);
    view.setUint16(at, payload.length, true);
    // A length that was damaged must not look like a file that was cut.
    view.setUint16(at + 2, ~payload.length & 0xffff, true);
    bytes.set(payload, at + BLOCK_HEAD);
    at += BLOCK_HEAD + payload.length;
    view.setUint32(at, crc32(payload), true);
    at += BLOCK_TAIL;
  }
  return bytes;
}
