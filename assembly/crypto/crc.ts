/** What four bits do to the remainder. */
const NIBBLES = memory.data<u32>([
  0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320,
  0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
]);

/**
 * CRC-32 (ISO 3309, the one of Ethernet and zip: polynomial 0xEDB88320 reflected, initial value and final exclusive-or
 * all ones; "123456789" gives 0xCBF43926). For records of a few hundred bytes: four bits at a time, with a small table.
 */
export function crc32(ptr: usize, len: u32): u32 {
  let crc: u32 = 0xffffffff;
  for (const end = ptr + len; ptr < end; ptr++) {
    crc ^= load<u8>(ptr);
    crc = (crc >>> 4) ^ load<u32>(NIBBLES + ((crc & 15) << 2));
    crc = (crc >>> 4) ^ load<u32>(NIBBLES + ((crc & 15) << 2));
  }
  return ~crc;
}
