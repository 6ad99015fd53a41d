// What every way of computing MD5 has in common: the context.

import { Block } from "./block";

/** Bytes in an MD5 digest. */
export const MD5_LENGTH: u32 = 16;

/** A running MD5. */
@unmanaged
@final
export class Md5 extends Block {
  a: u32 = 0;
  b: u32 = 0;
  c: u32 = 0;
  d: u32 = 0;
}
