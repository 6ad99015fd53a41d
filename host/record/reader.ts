/** Reads records and capsules. The whole file is in memory; frames are read one by one. */
import {
  BLOCK_HEAD,
  BLOCK_TAIL,
  type Call,
  CallFlag,
  crc32,
  type Export,
  FORMAT_VERSION,
  Frame,
  type Header,
  Kind,
  type Layout,
  MAGIC,
  SHA256_BYTES,
} from "./format.js";

/** The file is no record, or is damaged; the message is one line. */
export class RecordError extends Error {
  override name = "RecordError";
}

/** What a frame tells. */
export type Item =
  | { frame: "call"; call: Call }
  | { frame: "instance"; after: number }
  | { frame: "layout"; layout: Layout }
  | { frame: "snapshot"; state: Uint8Array }
  | { frame: "note"; text: string }
  | { frame: "end"; calls: number; state: Uint8Array };

/** The stream ends inside of what is being read. */
class Cut extends Error {}

export class RecordReader {
  readonly header: Header;
  /** The file was cut behind its last whole block: a power loss, or it is still being written. */
  readonly cut: boolean;
  readonly #stream: Uint8Array;
  readonly #decoder = new TextDecoder();
  #at = 0;

  /** @throws RecordError */
  constructor(bytes: Uint8Array) {
    const { stream, cut } = readBlocks(bytes);
    this.#stream = stream;
    this.cut = cut;
    try {
      this.header = this.#header();
    } catch (error) {
      if (error instanceof Cut) throw new RecordError("is cut off inside of its header: nothing was recorded");
      throw error;
    }
  }

  /** The frames in their order, up to the end of the file or to where it was cut. @throws RecordError */
  *frames(): Generator<Item> {
    for (let ended = false; !ended && this.#at < this.#stream.length; ) {
      const start = this.#at;
      let item: Item;
      try {
        item = this.#frame();
      } catch (error) {
        if (!(error instanceof Cut)) throw error;
        if (!this.cut) throw new RecordError(`is damaged: the frame at ${start} of its content does not end`);
        return;
      }
      ended = item.frame === "end";
      yield item;
    }
    if (this.#at < this.#stream.length)
      throw new RecordError(`is damaged: ${this.#stream.length - this.#at} bytes follow its end`);
  }

  #header(): Header {
    const [kind, flags] = [this.#u8(), this.#u8()];
    if (kind !== Kind.Record && kind !== Kind.Capsule) throw new RecordError(`is damaged: there is no kind ${kind}`);
    const [abiVersion, stateBytes] = [this.#varint(), this.#varint()];
    const module = this.#take(SHA256_BYTES);
    const exports: Export[] = [];
    for (let count = this.#u8(); count > 0; count--) {
      const parameters = this.#u8();
      exports.push({ name: this.#text(), parameters });
    }
    return { kind, flags, abiVersion, stateBytes, module, exports };
  }

  #frame(): Item {
    const first = this.#u8();
    if ((first & ~7) === Frame.Call) return { frame: "call", call: this.#call(first & 7) };
    switch (first) {
      case Frame.End:
        return { frame: "end", calls: this.#varint(), state: this.#take(SHA256_BYTES) };
      case Frame.Instance:
        return { frame: "instance", after: this.#varint() };
      case Frame.Layout:
        return { frame: "layout", layout: this.#layout() };
      case Frame.Snapshot:
        return { frame: "snapshot", state: this.#take(this.#varint()) };
      case Frame.Note:
        return { frame: "note", text: this.#text() };
      default:
        throw new RecordError(`is damaged: there is no frame ${first}, at ${this.#at - 1} of its content`);
    }
  }

  #call(flags: number): Call {
    const which = this.#place();
    const after = this.#varint();
    const args = Array.from({ length: this.header.exports[which]!.parameters }, () => this.#zigzag());
    const call: Call = { which, after, args };
    if ((flags & CallFlag.Payload) !== 0) {
      const at = this.#place();
      call.payload = { at, bytes: this.#take(this.#varint()) };
    }
    if ((flags & CallFlag.Trapped) !== 0) call.trap = this.#text();
    else call.result = this.#zigzag();
    if ((flags & CallFlag.Output) !== 0) {
      const length = this.#place();
      call.output = { length, crc: this.#u32() };
    }
    return call;
  }

  #layout(): Layout {
    const [sector, write, erased, bytes] = [this.#varint(), this.#varint(), this.#varint(), this.#varint()];
    return { sector, write, erased, bytes, boot: [this.#varint(), this.#varint()] };
  }

  /** An export's place. */
  #place(): number {
    const which = this.#u8();
    const { length } = this.header.exports;
    if (which >= length) throw new RecordError(`is damaged: export ${which} of ${length} is called`);
    return which;
  }

  #take(length: number): Uint8Array {
    if (length > this.#stream.length - this.#at) throw new Cut();
    this.#at += length;
    return this.#stream.subarray(this.#at - length, this.#at);
  }

  #u8(): number {
    return this.#take(1)[0]!;
  }

  #u32(): number {
    const bytes = this.#take(4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new RecordError("is damaged: a number has more than 32 bits");
  }

  #zigzag(): number {
    const value = this.#varint();
    return (value >>> 1) ^ -(value & 1);
  }

  #text(): string {
    return this.#decoder.decode(this.#take(this.#varint()));
  }
}

/** What the blocks hold, one behind the other. */
function readBlocks(bytes: Uint8Array): { stream: Uint8Array; cut: boolean } {
  const head = MAGIC.length + 1;
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC || bytes.length < head) throw new RecordError("is no record of alink-agent");
  const version = bytes[MAGIC.length]!;
  if (version !== FORMAT_VERSION)
    throw new RecordError(
      `has format version ${version}, this program reads ${FORMAT_VERSION}: use the release it was made with`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const stream = new Uint8Array(bytes.length);
  let filled = 0;
  for (let at = head; at < bytes.length; ) {
    if (bytes.length - at < BLOCK_HEAD) return { stream: stream.subarray(0, filled), cut: true };
    const length = view.getUint16(at, true);
    if (length === 0 || view.getUint16(at + 2, true) !== (~length & 0xffff)) throw damaged(at);
    const end = at + BLOCK_HEAD + length;
    if (end + BLOCK_TAIL > bytes.length) return { stream: stream.subarray(0, filled), cut: true };
    const payload = bytes.subarray(at + BLOCK_HEAD, end);
    if (view.getUint32(end, true) !== crc32(payload)) throw damaged(at);
    stream.set(payload, filled);
    filled += length;
    at = end + BLOCK_TAIL;
  }
  return { stream: stream.subarray(0, filled), cut: false };
}

function damaged(at: number): RecordError {
  return new RecordError(`is damaged: the checksum of the block at ${at} is wrong`);
}
