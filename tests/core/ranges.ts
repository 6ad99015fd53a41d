// Byte ranges as strings, for specs only: these strings are managed objects, which the core itself never uses.

/** The range, read as UTF-8. */
export function text(ptr: usize, len: usize): string {
  return String.UTF8.decodeUnsafe(ptr, len);
}

/** The range as lower-case hexadecimal, made by other means than those under test. */
export function hex(ptr: usize, len: usize): string {
  let digits = "";
  for (let i: usize = 0; i < len; i++) {
    const byte = <u32>load<u8>(ptr + i);
    digits += (byte >> 4).toString(16) + (byte & 15).toString(16);
  }
  return digits;
}

/** Write the string as UTF-8, without a terminator. Returns its bytes. */
export function put(ptr: usize, string: string): u32 {
  return <u32>String.UTF8.encodeUnsafe(changetype<usize>(string), string.length, ptr);
}
