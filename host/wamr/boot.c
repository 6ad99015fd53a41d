#include "boot.h"

#include <string.h>

enum { RECORD = 32, VERSION = 1, CONFIRMED = 0, TRIAL = 1, FELL_BACK = 2, STARTS_USED_UP = 1 };

struct record {
  uint8_t kind, slot, fall_back, starts;
  uint32_t reason, sequence;
};

/** The newest record, the sector it stands in, and whether the one before says the same (`settled`). */
struct newest {
  struct record record;
  bool found, settled;
  uint32_t sector;
};

static uint32_t get_u32(const uint8_t *at) {
  return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

/** CRC-32 of IEEE 802.3 of the bytes before the record's last four. */
static uint32_t crc32(const uint8_t *bytes) {
  uint32_t crc = 0xffffffff;
  for (int i = 0; i < RECORD - 4; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xedb88320 : crc >> 1;
  }
  return ~crc;
}

static bool decode(const uint8_t *bytes, struct record *record) {
  if (memcmp(bytes, "ALBR", 4) != 0 || bytes[4] != VERSION || get_u32(bytes + 28) != crc32(bytes)) return false;
  *record = (struct record){bytes[5], bytes[6], bytes[7], bytes[8], get_u32(bytes + 12), get_u32(bytes + 16)};
  return record->kind <= TRIAL && record->slot <= 1 && record->fall_back <= 1;
}

/** A board that does not say has two. */
static uint32_t sectors(const struct alink_boot_flash *flash) { return flash->sectors < 2 ? 2 : flash->sectors; }

static bool read_record(const struct alink_boot_flash *flash, uint32_t at, struct record *record) {
  uint8_t bytes[RECORD];
  return flash->read(flash->context, flash->offset + at, bytes, RECORD) && decode(bytes, record);
}

static bool is_copy(const struct record *a, const struct record *newest) {
  return a->sequence == newest->sequence - 1 && a->kind == newest->kind && a->slot == newest->slot &&
         a->fall_back == newest->fall_back && a->starts == newest->starts && a->reason == newest->reason;
}

/** No valid record at all: a fresh part, slot 0 confirmed. */
static struct newest find_newest(const struct alink_boot_flash *flash) {
  struct newest newest = {{CONFIRMED, 0, 0, 0, 0, 0}, false, false, 0};
  const uint32_t end = sectors(flash) * flash->sector;
  struct record record;
  for (uint32_t at = 0; at < end; at += RECORD) {
    if (!read_record(flash, at, &record) || (newest.found && record.sequence <= newest.record.sequence)) continue;
    newest.record = record;
    newest.found = true;
    newest.sector = at / flash->sector;
  }
  for (uint32_t at = 0; at < end && newest.found && !newest.settled; at += RECORD)
    newest.settled = read_record(flash, at, &record) && is_copy(&record, &newest.record);
  return newest;
}

/**
 * Into the sector behind the newest record's, which is erased first: what a power cut left in a sector may look erased
 * and must not be programmed. Twice, because the first copy is known to be whole when the second has begun.
 */
static bool append(const struct alink_boot_flash *flash, const struct newest *newest, struct record next) {
  uint8_t bytes[RECORD] = {'A', 'L', 'B', 'R', VERSION, next.kind, next.slot, next.fall_back, next.starts};
  uint32_t sector = newest->found ? (newest->sector + 1) % sectors(flash) : 0;
  uint32_t place = flash->offset + sector * flash->sector;
  put_u32(bytes + 12, next.reason);
  if (!flash->flush(flash->context) || !flash->erase(flash->context, place, flash->sector)) return false;
  for (uint32_t copy = 0; copy < 2; copy++) {
    put_u32(bytes + 16, newest->record.sequence + 1 + copy);
    put_u32(bytes + 28, crc32(bytes));
    if (!flash->write(flash->context, place + copy * RECORD, bytes, RECORD) || !flash->flush(flash->context))
      return false;
  }
  return true;
}

bool alink_boot_start(const struct alink_boot_flash *flash, struct alink_boot_started *started) {
  struct newest newest = find_newest(flash);
  struct record record = newest.record;
  if (record.kind == CONFIRMED) {
    /* Everything of this run leans on the record: one that may be torn is written again. It starts all the same. */
    if (newest.found && !newest.settled) (void)append(flash, &newest, record);
    *started = (struct alink_boot_started){record.slot, record.reason == 0 ? CONFIRMED : FELL_BACK, record.reason};
    return true;
  }
  if (record.starts > 0) {
    *started = (struct alink_boot_started){record.slot, TRIAL, 0};
    record.starts--;
  } else {
    *started = (struct alink_boot_started){record.fall_back, FELL_BACK, STARTS_USED_UP};
    record = (struct record){CONFIRMED, record.fall_back, record.fall_back, 0, STARTS_USED_UP, 0};
  }
  return append(flash, &newest, record);
}

bool alink_boot_activate(const struct alink_boot_flash *flash, const struct alink_boot_started *started, uint8_t slot,
                         uint8_t trials) {
  if (slot > 1 || slot == started->slot || started->how == TRIAL || trials == 0) return false;
  struct newest newest = find_newest(flash);
  return append(flash, &newest, (struct record){TRIAL, slot, started->slot, trials, 0, 0});
}

bool alink_boot_confirm(const struct alink_boot_flash *flash, struct alink_boot_started *started) {
  struct newest newest = find_newest(flash);
  /* A record about another slot, or about a trial that this start is none of: nothing that this slot could confirm. */
  if (newest.record.slot != started->slot) return false;
  if (newest.record.kind == TRIAL && started->how != TRIAL) return false;
  if (newest.record.kind == TRIAL || newest.record.reason != 0) {
    struct record next = {CONFIRMED, started->slot, started->slot, 0, 0, 0};
    if (!append(flash, &newest, next)) return false;
  }
  *started = (struct alink_boot_started){started->slot, CONFIRMED, 0};
  return true;
}
