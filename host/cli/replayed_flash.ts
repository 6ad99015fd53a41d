// The flash as the operations in a record make it: what the module read and wrote, and what its boot loader wrote then.

import { writeFileSync } from "node:fs";
import { BootOp, Done, FlashOp } from "../abi.js";
import { BootLoader } from "../node/boot.js";
import type { Flash } from "../node/flash.js";
import type { FlashLayout } from "../node/flash_layout.js";
import type { Layout } from "../record/format.js";
import type { Follower } from "../record/replay.js";

/** Larger images are not made in memory. */
const LIMIT = 1024 * 1024 * 1024;

export class ReplayedFlash {
  #bytes: Uint8Array | undefined;
  #loader: BootLoader | undefined;

  /** Follows a replay. */
  readonly follower: Follower = {
    layout: (layout) => this.#make(layout),
    booted: () => this.#loader?.boot(),
    boot: (op, slot, result) => {
      if (result !== Done.Ok) return;
      if (op === BootOp.Activate) this.#loader?.activate(slot);
      else if (op === BootOp.Confirm) this.#loader?.confirm();
    },
    flash: (op, offset, length, bytes) => {
      if (op === FlashOp.Erase) this.#flash?.erase(offset, length);
      else this.#flash?.write(offset, bytes);
    },
  };

  /** Write the image. @throws Error, one line */
  save(file: string): void {
    if (this.#bytes === undefined) throw new Error("the record tells of no flash, so there is no image to write");
    writeFileSync(file, this.#bytes, { mode: 0o600 });
  }

  get #flash(): Flash | undefined {
    return this.#loader?.flash;
  }

  /** Each instance has the same flash. */
  #make(layout: Layout): void {
    if (this.#bytes !== undefined) return;
    if (layout.bytes > LIMIT) throw new Error(`the flash has ${layout.bytes} bytes, too many for an image`);
    const image = new Uint8Array(layout.bytes).fill(layout.erased);
    this.#bytes = image;
    this.#loader = new BootLoader({
      // The boot loader knows its own region alone.
      layout: layout as unknown as FlashLayout,
      read: (offset, length) => image.slice(offset, offset + length),
      write: (offset, bytes) => image.set(bytes.subarray(0, Math.max(0, image.length - offset)), offset),
      erase: (offset, length) => image.fill(layout.erased, offset, offset + length),
      flush: () => {},
    });
  }
}
