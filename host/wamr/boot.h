/*
 * A reference boot record: which of two slots starts, with counted trials and fall-back, safe against a power cut at
 * any write unit. The format is docs/boot-record.md, the same as the Node host's. It depends on nothing but the four
 * functions below, so that a boot loader can use it as it is.
 */
#ifndef ALINK_BOOT_H
#define ALINK_BOOT_H

#include <stdbool.h>
#include <stdint.h>

/** The flash with the boot region. Offsets are bytes from the flash's start; the functions answer false on failure. */
struct alink_boot_flash {
  void *context;
  /** The region's first byte, a sector's size (a multiple of 64), and their number: 2 … 4; 3 or more survive two power
   * cuts in a row whatever they leave. */
  uint32_t offset, sector, sectors;
  bool (*read)(void *context, uint32_t offset, uint8_t *bytes, uint32_t length);
  /** Program 32 bytes, a multiple of the write unit. */
  bool (*write)(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length);
  bool (*erase)(void *context, uint32_t offset, uint32_t length);
  /** What was written so far survives a power cut after this. */
  bool (*flush)(void *context);
};

/** What runs; `how`: 0 confirmed, 1 on trial, 2 fallen back to; `reason` of a fall-back: 1 every start was used up. */
struct alink_boot_started {
  uint8_t slot, how;
  uint32_t reason;
};

/** Decide which slot starts, and take a start off its trial before it runs. -> false: the flash failed. */
bool alink_boot_start(const struct alink_boot_flash *flash, struct alink_boot_started *started);
/** Start `slot` (0 or 1, not the running one) next time, on trial for 1 … 255 starts. -> false: refused, or failed. */
bool alink_boot_activate(const struct alink_boot_flash *flash, const struct alink_boot_started *started, uint8_t slot,
                         uint8_t trials);
/**
 * Keep the running slot: ends its trial, or clears the reason of a fall-back; nothing is written when it is confirmed
 * already. -> false: refused because the newest record is not about the running slot, or the flash failed.
 */
bool alink_boot_confirm(const struct alink_boot_flash *flash, struct alink_boot_started *started);

#endif
