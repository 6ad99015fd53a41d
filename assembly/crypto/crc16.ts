// CRC-16/ARC: of the frames of a file download over MQTT.

/** By four bits: what they contribute once they have left the register. A table by bytes would be 512 bytes. */
// biome-ignore format: a table
const TABLE = memory.data<u16>([
  0x0000, 0xcc01, 0xd801, 0x1400, 0xf001, 0x3c00, 0x2800, 0xe401,
  0xa001, 0x6c00, 0x7800, 0xb401, 0x5000, 0x9c01, 0x8801, 0x4400,
]);
/**
 * CRC-16/ARC of the bytes whose CRC is `crc` (none: 0), followed by `len` more. Polynomial 0xA001 reflected, initial value
 * and final exclusive-or 0; "123456789" gives 0xBB3D.
 */
export function crc16(crc: u32, ptr: usize, len: usize): u32 {
  for (const end = ptr + len; ptr < end; ptr++) {
    crc ^= load<u8>(ptr);
    crc = (crc >> 4) ^ load<u16>((crc & 15) << 1, TABLE);
    crc = (crc >> 4) ^ load<u16>((crc & 15) << 1, TABLE);
  }
  return crc;
}
