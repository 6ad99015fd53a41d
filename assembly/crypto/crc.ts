/**
 * CRC-32 (ISO 3309, the one of Ethernet and zip: polynomial 0xEDB88320 reflected, initial value and final exclusive-or
 * all ones; "123456789" gives 0xCBF43926). For records of a few hundred bytes, so it has no table.
 */
export function crc32(ptr: usize, len: u32): u32 {
  let crc: u32 = 0xffffffff;
  for (let i: u32 = 0; i < len; i++) {
    crc ^= load<u8>(ptr + i);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}
