// Four 32-bit words at a time, for the host grade: WebAssembly's 128-bit vectors.

/** Operations on four words. A class because the compiler inlines methods on request. */
@final
export class Words {
  /** The sixteen bytes at `ptr` as four big-endian words. */
  @inline static swapped(ptr: usize): v128 {
    const bytes = v128.load(ptr);
    return v128.shuffle<u8>(bytes, bytes, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
  }
}
