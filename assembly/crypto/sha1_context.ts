// What every way of computing SHA-1 has in common: the context.

import { Block } from "./block";

/** Bytes in a SHA-1 digest. */
export const SHA1_LENGTH: u32 = 20;

/** A running SHA-1. */
@unmanaged
@final
export class Sha1 extends Block {
  a: u32 = 0;
  b: u32 = 0;
  c: u32 = 0;
  d: u32 = 0;
  e: u32 = 0;
}
