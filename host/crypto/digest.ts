// Running digests and HMACs over slots of the module's memory.

import {
  type Algorithm,
  algorithmOf,
  CONTEXT,
  type Digest,
  giveBack,
  memory,
  OUT,
  SLOT,
  type Slot,
  STAGING,
  takeSlot,
  WINDOW,
  WINDOW_LENGTH,
  wasm,
  withSecret,
} from "./module.js";

const encoder = new TextEncoder();

function bytesOf(data: Uint8Array | string, what: string): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data === "string") return encoder.encode(data);
  throw new TypeError(`${what} is neither a Uint8Array nor a string`);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i]!];
  return text;
}

/** A running digest or HMAC. `digest` ends it; then every call is an error. */
abstract class Running {
  protected slot: Slot | undefined;
  /** Bytes that wait in the staging. */
  protected staged = 0;

  protected constructor(
    protected readonly algorithm: Algorithm,
    slot: Slot,
  ) {
    this.slot = slot;
  }

  /** Pass `len` bytes of the module's memory on to the context. */
  protected abstract absorb(context: number, ptr: number, len: number): void;

  /** Write the digest of the context and of the staged bytes to OUT. */
  protected abstract end(context: number, staging: number): void;

  protected open(): Slot {
    if (this.slot === undefined) throw new Error("digest() has ended this object: create another one");
    return this.slot;
  }

  /**
   * Absorb bytes, or text as UTF-8. Pieces of any size give the same digest; what is passed may be changed afterwards.
   * @throws TypeError for anything else, Error after digest()
   */
  update(data: Uint8Array | string): this {
    const { context } = this.open();
    const bytes = bytesOf(data, "what update() was given");
    const length = bytes.length;
    if (this.staged + length <= STAGING) {
      memory.set(bytes, context + CONTEXT + this.staged);
      this.staged += length;
      return this;
    }
    if (this.staged > 0) {
      this.absorb(context, context + CONTEXT, this.staged);
      this.staged = 0;
    }
    for (let at = 0; at < length; at += WINDOW_LENGTH) {
      const piece = length <= WINDOW_LENGTH ? bytes : bytes.subarray(at, at + WINDOW_LENGTH);
      memory.set(piece, WINDOW);
      this.absorb(context, WINDOW, piece.length);
    }
    return this;
  }

  /** The digest as bytes, or as lower-case hexadecimal. Once only. */
  digest(): Uint8Array;
  digest(encoding: "hex"): string;
  digest(encoding?: "hex"): Uint8Array | string {
    if (encoding !== undefined && encoding !== "hex")
      throw new TypeError('digest() knows "hex", or bytes without argument');
    const slot = this.open();
    const staging = slot.context + CONTEXT;
    this.end(slot.context, staging);
    const bytes = new Uint8Array(this.algorithm.result);
    this.slot = undefined;
    giveBack(slot);
    return encoding === undefined ? bytes : hexOf(bytes);
  }

  /** A slot with this one's context and staged bytes. */
  protected copySlot(): Slot {
    const { context } = this.open();
    const slot = takeSlot();
    memory.copyWithin(slot.context, context, context + SLOT);
    return slot;
  }
}

/** A running MD5, SHA-1 or SHA-256. */
export class Hash extends Running {
  /** Nothing has gone to the context yet, so it is not even prepared. */
  #fresh = true;

  /** @internal createHash makes one */
  constructor(algorithm: Algorithm, slot: Slot) {
    super(algorithm, slot);
  }

  protected override absorb(context: number, ptr: number, len: number): void {
    if (this.#fresh) {
      wasm.digestInit(this.algorithm.kind, context);
      this.#fresh = false;
    }
    wasm.digestUpdate(this.algorithm.kind, context, ptr, len);
  }

  protected override end(context: number, staging: number): void {
    if (this.#fresh) {
      wasm.digestShort(this.algorithm.kind, context, staging, this.staged, OUT);
      return;
    }
    wasm.digestUpdate(this.algorithm.kind, context, staging, this.staged);
    memory.fill(0, staging, staging + this.staged);
    wasm.digestFinal(this.algorithm.kind, context, OUT);
  }

  /** Another digest of the same bytes so far; the two go on independently. */
  copy(): Hash {
    const copy = new Hash(this.algorithm, this.copySlot());
    copy.staged = this.staged;
    copy.#fresh = this.#fresh;
    return copy;
  }
}

/** A running HMAC (RFC 2104). */
export class Hmac extends Running {
  /** @internal createHmac makes one, its context prepared */
  constructor(algorithm: Algorithm, slot: Slot) {
    super(algorithm, slot);
  }

  protected override absorb(context: number, ptr: number, len: number): void {
    wasm.hmacUpdate(context, ptr, len);
  }

  protected override end(context: number, staging: number): void {
    wasm.hmacUpdate(context, staging, this.staged);
    memory.fill(0, staging, staging + this.staged);
    wasm.hmacFinal(context, OUT);
  }

  /** Another HMAC under the same key, of the same bytes so far; the two go on independently. */
  copy(): Hmac {
    const copy = new Hmac(this.algorithm, this.copySlot());
    copy.staged = this.staged;
    return copy;
  }
}

/**
 * Begin a digest.
 * @throws TypeError for another name
 */
export function createHash(name: Digest): Hash {
  return new Hash(algorithmOf(name), takeSlot());
}

/**
 * Begin an HMAC. A key longer than a block of 64 bytes counts as its digest; text counts as UTF-8.
 * @throws TypeError for another name, or a key that is neither bytes nor text
 */
export function createHmac(name: Digest, key: Uint8Array | string): Hmac {
  const algorithm = algorithmOf(name);
  const given = bytesOf(key, "the key");
  const bytes = given.length > 64 ? createHash(name).update(given).digest() : given;
  const slot = takeSlot();
  withSecret(bytes, (ptr) => wasm.hmacInit(slot.context, algorithm.kind, ptr, bytes.length));
  return new Hmac(algorithm, slot);
}
