/** A flash that is forgotten with the process, for a device that keeps nothing in one: only written sectors take memory. */
import type { Flash } from "./flash.js";
import type { FlashLayout } from "./flash_layout.js";

const ERASED = 0xff;

export class RamFlash implements Flash {
  readonly #sectors = new Map<number, Uint8Array>();

  constructor(readonly layout: FlashLayout) {}

  read(offset: number, length: number): Uint8Array {
    const { sector } = this.layout;
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) {
      const place = offset + at;
      bytes[at] = this.#sectors.get(Math.floor(place / sector))?.[place % sector] ?? ERASED;
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    const { sector } = this.layout;
    for (const [at, byte] of bytes.entries()) {
      const number = Math.floor((offset + at) / sector);
      const kept = this.#sectors.get(number) ?? new Uint8Array(sector).fill(ERASED);
      kept[(offset + at) % sector] = byte;
      this.#sectors.set(number, kept);
    }
  }

  erase(offset: number, length: number): void {
    const { sector } = this.layout;
    for (let at = offset; at < offset + length; at += sector) this.#sectors.delete(at / sector);
  }

  flush(): void {}
}
