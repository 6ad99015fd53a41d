// CRC-64/XZ: of files that are uploaded.

/** By four bits: what they contribute once they have left the register. A table by bytes would be 2048 bytes. */
// biome-ignore format: a table
const TABLE = memory.data<u64>([
  0x0000000000000000, 0x7d9ba13851336649, 0xfb374270a266cc92, 0x86ace348f355aadb,
  0x64b62bcaebc387a1, 0x192d8af2baf0e1e8, 0x9f8169ba49a54b33, 0xe21ac88218962d7a,
  0xc96c5795d7870f42, 0xb4f7f6ad86b4690b, 0x325b15e575e1c3d0, 0x4fc0b4dd24d2a599,
  0xadda7c5f3c4488e3, 0xd041dd676d77eeaa, 0x56ed3e2f9e224471, 0x2b769f17cf112238,
]);

/**
 * CRC-64/XZ of the bytes whose CRC is `crc` (none: 0), followed by `len` more. Polynomial 0xC96C5795D7870F42 reflected,
 * initial value and final exclusive-or all ones (ECMA-182's polynomial); "123456789" gives 0x995DC9BBDF1939FA.
 */
export function crc64(crc: u64, ptr: usize, len: usize): u64 {
  crc = ~crc;
  for (const end = ptr + len; ptr < end; ptr++) {
    crc ^= load<u8>(ptr);
    crc = (crc >> 4) ^ load<u64>((<usize>crc & 15) << 3, TABLE);
    crc = (crc >> 4) ^ load<u64>((<usize>crc & 15) << 3, TABLE);
  }
  return ~crc;
}
