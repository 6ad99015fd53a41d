// AES in CBC mode with PKCS#7 padding, each message in one call.

import { memory, reserve, WINDOW, WINDOW_LENGTH, wasm, withSecret } from "./module.js";

/** Key and initialisation vector of a CBC message. */
export interface CbcParameters {
  /** 16 bytes for AES-128, 32 for AES-256. */
  key: Uint8Array;
  /** 16 bytes, never the same twice under one key. */
  iv: Uint8Array;
}

/** AES in CBC mode with PKCS#7 padding. */
export interface Cbc {
  /** @throws RangeError when key or iv have another length */
  encrypt(parameters: CbcParameters, plaintext: Uint8Array): Uint8Array;
  /** @throws RangeError when key or iv have another length; Error when the bytes are no ciphertext under this key */
  decrypt(parameters: CbcParameters, ciphertext: Uint8Array): Uint8Array;
}

const AES_BLOCK = 16;
const ENCRYPT = 0;
const DECRYPT = 1;
/** AES runs to its end in one call, so all calls share one context. */
const AES_CONTEXT = reserve(wasm.aesSize());

function requireBytes(name: string, bytes: Uint8Array): Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${name} is no Uint8Array`);
  return bytes;
}

function checkedLength(name: string, bytes: Uint8Array, length: number): Uint8Array {
  requireBytes(name, bytes);
  if (bytes.length !== length) throw new RangeError(`${name} has ${bytes.length} bytes, it must have ${length}`);
  return bytes;
}

function withCipher<T>(direction: number, keyLength: number, { key, iv }: CbcParameters, use: () => T): T {
  const checkedKey = checkedLength("the key", key, keyLength);
  const checkedIv = checkedLength("the iv", iv, AES_BLOCK);
  withSecret(checkedKey, (ptr) => wasm.aesInit(AES_CONTEXT, direction, ptr, keyLength));
  withSecret(checkedIv, (ptr) => wasm.cbcStart(AES_CONTEXT, ptr));
  try {
    return use();
  } finally {
    wasm.aesWipe(AES_CONTEXT);
    memory.fill(0, WINDOW, WINDOW + WINDOW_LENGTH);
  }
}

/** All slices but the last through the window, in place; returns where the last one begins. Its bytes stand in the window. */
function throughWindow(input: Uint8Array, output: Uint8Array): number {
  let at = 0;
  // Room for a padding in the last slice, which also must not be empty.
  for (; input.length - at >= WINDOW_LENGTH; at += WINDOW_LENGTH - AES_BLOCK) {
    const length = WINDOW_LENGTH - AES_BLOCK;
    memory.set(input.subarray(at, at + length), WINDOW);
    wasm.cbcBlocks(AES_CONTEXT, WINDOW, WINDOW, length);
    output.set(memory.subarray(WINDOW, WINDOW + length), at);
  }
  memory.set(at === 0 ? input : input.subarray(at), WINDOW);
  return at;
}

function cbc(keyLength: number): Cbc {
  return {
    encrypt: (parameters, plaintext) =>
      withCipher(ENCRYPT, keyLength, parameters, () => {
        requireBytes("the plaintext", plaintext);
        const output = new Uint8Array(plaintext.length + AES_BLOCK - (plaintext.length % AES_BLOCK));
        const at = throughWindow(plaintext, output);
        const length = wasm.cbcSeal(AES_CONTEXT, WINDOW, WINDOW, plaintext.length - at);
        output.set(memory.subarray(WINDOW, WINDOW + length), at);
        return output;
      }),
    decrypt: (parameters, ciphertext) =>
      withCipher(DECRYPT, keyLength, parameters, () => {
        requireBytes("the ciphertext", ciphertext);
        if (ciphertext.length === 0 || ciphertext.length % AES_BLOCK !== 0)
          throw new Error(`a CBC ciphertext has a multiple of 16 bytes, not ${ciphertext.length}`);
        const output = new Uint8Array(ciphertext.length);
        const at = throughWindow(ciphertext, output);
        const length = wasm.cbcOpen(AES_CONTEXT, WINDOW, WINDOW, ciphertext.length - at);
        if (length < 0) {
          output.fill(0);
          throw new Error("the padding is wrong: another key or iv, or a damaged ciphertext");
        }
        output.set(memory.subarray(WINDOW, WINDOW + length), at);
        return output.subarray(0, at + length);
      }),
  };
}

/** AES-128-CBC. */
export const aes128cbc: Cbc = cbc(16);

/** AES-256-CBC. */
export const aes256cbc: Cbc = cbc(32);
