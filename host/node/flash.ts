/**
 * A flash in a file, with the rules of the real part: a write unit is programmed once between erases, offsets and
 * lengths are multiples of the unit or the sector. A broken rule is an error, so that it is found here and not on a
 * board whose error correction makes such a unit unreadable.
 */
import { closeSync, fdatasyncSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { FileLock } from "./file_lock.js";
import type { FlashLayout } from "./flash_layout.js";
import { flashBytes } from "./flash_layout.js";

/** A flash as the boot loader and the loop see it. Offsets and lengths are bytes from its start. */
export interface Flash {
  readonly layout: FlashLayout;
  /** @returns `length` bytes from `offset` */
  read(offset: number, length: number): Uint8Array;
  /** As `read`, into `target`, where a flash can do without the copy. */
  readInto?(offset: number, target: Uint8Array): void;
  /** Program erased write units. */
  write(offset: number, bytes: Uint8Array): void;
  /** Erase whole sectors. */
  erase(offset: number, length: number): void;
  /** Everything written so far survives a power cut after this. */
  flush(): void;
}

/** A flash operation failed or broke a rule; the message is one line. */
export class FlashError extends Error {
  override name = "FlashError";
}

/** How often each operation was carried out since the image was opened. */
export interface FlashOperations {
  read: number;
  write: number;
  erase: number;
}

/** Bytes of the file that are read at a time: a block is read back in small pieces. */
const PAGE = 4096;
/** Bytes erased at a time in the file, or a sector. */
const BLANK = 65536;
/** Bytes written at a time while a new image is filled. */
const FILL = 1024 * 1024;

export class FlashImage implements Flash {
  readonly operations: FlashOperations = { read: 0, write: 0, erase: 0 };
  readonly #bytes: number;
  /** One bit a write unit: programmed since it was erased, as far as this process has seen. Programming the erased
   * value leaves no trace in the file, yet the part's error correction forbids a second time all the same. */
  readonly #programmed: Uint8Array;
  /** One bit a write unit: erased by this process and not programmed since, so that the file need not be asked. */
  readonly #erased: Uint8Array;
  /** Erased bytes, whole sectors of them. */
  readonly #blank: Uint8Array;
  /**
   * Bytes from `start` to `end` are erased, but the file does not have it yet: what is programmed next mostly covers them,
   * and then the file is written once. Every other operation has it carried out first, so that the file is at most this one
   * operation behind.
   */
  readonly #due = { start: 0, end: 0 };
  readonly #page = new Uint8Array(PAGE);
  /** Offset of what stands in the page; -1 = nothing. */
  #pageAt = -1;
  #open = true;

  private constructor(
    readonly path: string,
    readonly layout: FlashLayout,
    readonly fd: number,
    readonly lock: FileLock,
  ) {
    this.#bytes = flashBytes(layout);
    this.#programmed = new Uint8Array(Math.ceil(this.#bytes / layout.write / 8));
    this.#erased = new Uint8Array(this.#programmed.length);
    this.#blank = new Uint8Array(Math.max(layout.sector, BLANK)).fill(layout.erased);
  }

  /**
   * Open an image, made and filled with the erased value when there is none. It is locked against other processes.
   * @param path the file
   * @param layout checked regions, as `flashLayout` gives them
   * @throws FlashError when it is in use, has another size, or cannot be read and written
   */
  static open(path: string, layout: FlashLayout): FlashImage {
    let lock: FileLock | undefined;
    try {
      lock = FileLock.take(path);
      createMissing(path, layout);
      return new FlashImage(path, layout, openSync(path, "r+"), lock);
    } catch (error) {
      lock?.release();
      if (error instanceof FlashError) throw error;
      throw new FlashError(`flash image ${path}: ${(error as Error).message}`);
    }
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.readInto(offset, bytes);
    return bytes;
  }

  /** As `read`, into `target`. */
  readInto(offset: number, target: Uint8Array): void {
    this.#check("read", offset, target.length, 1);
    this.operations.read++;
    this.#settle();
    const at = offset - (offset % PAGE);
    if (offset + target.length > at + PAGE) {
      this.#readFile(offset, target);
      return;
    }
    if (this.#pageAt !== at) {
      this.#pageAt = -1;
      this.#readFile(at, this.#page.subarray(0, Math.min(PAGE, this.#bytes - at)));
      this.#pageAt = at;
    }
    target.set(this.#page.subarray(offset - at, offset - at + target.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    const unit = this.layout.write;
    this.#check("write", offset, bytes.length, unit);
    const units = { first: offset / unit, end: (offset + bytes.length) / unit };
    const taken = this.#taken(units.first, units.end);
    if (taken !== undefined)
      throw new FlashError(
        `flash image ${this.path}: write of ${bytes.length} bytes at ${offset}: the unit at ${taken * unit} was programmed before: erase its sector first`,
      );
    this.operations.write++;
    this.#pageAt = -1;
    assign(this.#programmed, units.first, units.end, true);
    assign(this.#erased, units.first, units.end, false);
    const covered = offset <= this.#due.start && offset + bytes.length >= this.#due.end;
    if (!covered) this.#settle();
    this.#attempt("write", () => writeAll(this.fd, bytes, offset));
    this.#due.end = this.#due.start;
  }

  erase(offset: number, length: number): void {
    this.#check("erase", offset, length, this.layout.sector);
    this.operations.erase++;
    this.#pageAt = -1;
    this.#settle();
    this.#due.start = offset;
    this.#due.end = offset + length;
    const unit = this.layout.write;
    assign(this.#programmed, offset / unit, (offset + length) / unit, false);
    assign(this.#erased, offset / unit, (offset + length) / unit, true);
  }

  flush(): void {
    this.#settle();
    this.#attempt("flush", () => fdatasyncSync(this.fd));
  }

  /** Give the image free. More calls are errors, except `close`. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.#settle();
      fdatasyncSync(this.fd);
    } finally {
      closeSync(this.fd);
      this.lock.release();
    }
  }

  /** The first of these units that was programmed since its sector was erased; undefined = none. */
  #taken(first: number, end: number): number | undefined {
    const unit = this.layout.write;
    const programmed = find(this.#programmed, first, end, true);
    if (programmed < end) return programmed;
    if (find(this.#erased, first, end, false) === end) return undefined;
    this.#settle();
    const found = new Uint8Array((end - first) * unit);
    this.#readFile(first * unit, found);
    const at = found.findIndex((byte) => byte !== this.layout.erased);
    return at < 0 ? undefined : first + Math.floor(at / unit);
  }

  /** Carry out the erase that the file does not have yet. */
  #settle(): void {
    const { start, end } = this.#due;
    for (let at = start; at < end; at += this.#blank.length)
      this.#attempt("erase", () =>
        writeAll(this.fd, this.#blank.subarray(0, Math.min(this.#blank.length, end - at)), at),
      );
    this.#due.end = start;
  }

  #check(operation: string, offset: number, length: number, multiple: number): void {
    const what = `flash image ${this.path}: ${operation} of ${length} bytes at ${offset}`;
    if (!this.#open) throw new FlashError(`${what}: the image is closed`);
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > this.#bytes)
      throw new FlashError(`${what}: the flash has ${this.#bytes} bytes`);
    if (offset % multiple !== 0 || length % multiple !== 0)
      throw new FlashError(`${what}: both must be multiples of ${multiple}`);
  }

  #readFile(offset: number, target: Uint8Array): void {
    let done = 0;
    while (done < target.length) {
      const n = this.#attempt("read", () => readSync(this.fd, target, done, target.length - done, offset + done));
      if (n === 0) throw new FlashError(`flash image ${this.path}: it was cut to ${offset + done} bytes while in use`);
      done += n;
    }
  }

  #attempt<T>(operation: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw new FlashError(`flash image ${this.path}: ${operation}: ${(error as Error).message}`);
    }
  }
}

/** The first index from `first` on whose bit is `value`; `end` when there is none. */
function find(bits: Uint8Array, first: number, end: number, value: boolean): number {
  const other = value ? 0 : 255;
  for (let index = first; index < end; index++) {
    while ((index & 7) === 0 && index + 8 <= end && bits[index >>> 3] === other) index += 8;
    if (index < end && (((bits[index >>> 3]! >>> (index & 7)) & 1) !== 0) === value) return index;
  }
  return end;
}

function assign(bits: Uint8Array, first: number, end: number, value: boolean): void {
  const [from, to] = [Math.ceil(first / 8), Math.floor(end / 8)];
  const one = (index: number) => {
    if (value) bits[index >>> 3]! |= 1 << (index & 7);
    else bits[index >>> 3]! &= ~(1 << (index & 7));
  };
  for (let index = first; index < Math.min(end, from * 8); index++) one(index);
  if (from < to) bits.fill(value ? 255 : 0, from, to);
  for (let index = Math.max(first, to * 8); index < end; index++) one(index);
}

function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
}

/** A file of the right size is kept; another size is an error, because it was made for another layout. */
function createMissing(path: string, layout: FlashLayout): void {
  const bytes = flashBytes(layout);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    fillNew(path, bytes, layout.erased);
    return;
  }
  if (!stat.isFile()) throw new FlashError(`flash image ${path}: is not a file`);
  if (stat.size !== bytes)
    throw new FlashError(
      `flash image ${path}: has ${stat.size} bytes, the layout asks for ${bytes}: name another file, or restore the layout it was made with`,
    );
}

/** Filled under another name first: a cut in between leaves no image of a wrong size. */
function fillNew(path: string, bytes: number, erased: number): void {
  const partial = `${path}.new`;
  const fd = openSync(partial, "w", 0o600);
  try {
    const block = new Uint8Array(Math.min(FILL, bytes)).fill(erased);
    for (let at = 0; at < bytes; at += block.length)
      writeAll(fd, block.subarray(0, Math.min(block.length, bytes - at)), at);
    fdatasyncSync(fd);
  } catch (error) {
    closeSync(fd);
    rmSync(partial, { force: true });
    throw error;
  }
  closeSync(fd);
  renameSync(partial, path);
}
