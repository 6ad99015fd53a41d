// What every way of computing AES has in common: the context, its size, and the key's expansion (FIPS 197 §5.2).

/** Bytes in a block and in an initialisation vector. */
export const AES_BLOCK: u32 = 16;

/** What a context does with its key. */
export const enum Direction {
  Encrypt = 0,
  Decrypt = 1,
}

/** A key made ready and the state of a chain. As secret as the key: end with aesWipe. */
@unmanaged
@final
export class Aes {
  /** The chaining value: the initialisation vector, then the last block of ciphertext. */
  chain: u64 = 0;
  chain1: u64 = 0;
  /** 10 or 14. */
  rounds: u32 = 0;
  direction: Direction = 0;
  /** Round keys in the order of use, 16 bytes each, 11 or 15 of them; only the first eight bytes are named in the code. */
  key: u64 = 0;
}

/** First round key in a context. */
export const KEYS: usize = offsetof<Aes>("key");

/** Bytes in a context. */
export const AES_SIZE: usize = KEYS + 15 * AES_BLOCK;
