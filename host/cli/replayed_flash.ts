// The flash as the operations in a record make it: what the module read and wrote, and what its boot loader wrote then.

import { writeFileSync } from "node:fs";
import { BootOp, Done, FlashOp } from "../abi.js";
import { BootError, BootLoader, RECORD_BYTES } from "../node/boot.js";
import type { Flash } from "../node/flash.js";
import type { Region } from "../node/flash_layout.js";
import type { Layout } from "../record/format.js";
import { RecordError } from "../record/reader.js";
import type { Follower } from "../record/replay.js";

/** Larger images are not made in memory. */
const LIMIT = 1024 * 1024 * 1024;
const NONE: Region = [0, 0];

export class ReplayedFlash {
  #bytes: Uint8Array | undefined;
  #loader: BootLoader | undefined;

  /** Follows a replay. */
  readonly follower: Follower = {
    layout: (layout) => this.#make(layout),
    booted: () => this.#loader?.boot(),
    boot: (op, slot, result) => {
      if (result === Done.Ok) this.#boot(op, slot);
    },
    flash: (op, offset, length, bytes) => {
      const size = this.#bytes?.length ?? Number.POSITIVE_INFINITY;
      if (offset < 0 || length < 0 || offset + length > size)
        throw new RecordError(`has a flash operation on ${length} bytes at ${offset}, the flash has ${size}`);
      if (op === FlashOp.Erase) this.#flash?.erase(offset, length);
      else this.#flash?.write(offset, bytes);
    },
  };

  /** Write the image. @throws Error, one line */
  save(file: string): void {
    if (this.#bytes === undefined) throw new Error("the record tells of no flash, so there is no image to write");
    writeFileSync(file, this.#bytes, { mode: 0o600 });
  }

  /** Of a flash that was not new the records from before are not known, so that a request may be refused here. */
  #boot(op: number, slot: number): void {
    try {
      if (op === BootOp.Activate) this.#loader?.activate(slot);
      else if (op === BootOp.Confirm) this.#loader?.confirm();
    } catch (error) {
      if (!(error instanceof BootError)) throw error;
    }
  }

  get #flash(): Flash | undefined {
    return this.#loader?.flash;
  }

  /** Each instance has the same flash. */
  #make(layout: Layout): void {
    if (this.#bytes !== undefined) return;
    const [boot, length] = layout.boot;
    const { sector, write, erased, bytes } = layout;
    if (bytes > LIMIT || boot + length > bytes || length < 2 * sector || sector < RECORD_BYTES)
      throw new RecordError(`has a flash of ${bytes} bytes whose boot region is [${boot},${length}]: no image`);
    const image = new Uint8Array(bytes).fill(erased);
    this.#bytes = image;
    this.#loader = new BootLoader({
      // The boot loader knows its own region alone.
      layout: { sector, write, erased, slots: [NONE, NONE], state: NONE, queue: NONE, boot: [boot, length] },
      read: (offset, length) => image.slice(offset, offset + length),
      write: (offset, bytes) => image.set(bytes, offset),
      erase: (offset, length) => image.fill(erased, offset, offset + length),
      flush: () => {},
    });
  }
}
