/*
 * boot.c as a WebAssembly module over a flash outside, so that the flash model of the tests can cut its power in the same
 * process. The imports throw when the power goes; nothing in here survives that, as on a board.
 */
#include <string.h>

#include "boot.h"

#define FLASH(name) __attribute__((import_module("flash"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

FLASH(read) int flash_read(uint32_t offset, uint8_t *bytes, uint32_t length);
FLASH(write) int flash_write(uint32_t offset, const uint8_t *bytes, uint32_t length);
FLASH(erase) int flash_erase(uint32_t offset, uint32_t length);

int memcmp(const void *a, const void *b, size_t length) {
  const unsigned char *left = a, *right = b;
  for (size_t i = 0; i < length; i++)
    if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
  return 0;
}

static bool read(void *context, uint32_t offset, uint8_t *bytes, uint32_t length) {
  (void)context;
  return flash_read(offset, bytes, length) != 0;
}

static bool write(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length) {
  (void)context;
  return flash_write(offset, bytes, length) != 0;
}

static bool erase(void *context, uint32_t offset, uint32_t length) {
  (void)context;
  return flash_erase(offset, length) != 0;
}

static bool flush(void *context) {
  (void)context;
  return true;
}

static struct alink_boot_flash flash = {.read = read, .write = write, .erase = erase, .flush = flush};
static struct alink_boot_started started;

EXPORT(configure) void configure(uint32_t offset, uint32_t sector, uint32_t sectors) {
  flash.offset = offset;
  flash.sector = sector;
  flash.sectors = sectors;
}

EXPORT(start) int start(void) { return alink_boot_start(&flash, &started); }
EXPORT(activate) int activate(uint32_t slot) { return alink_boot_activate(&flash, &started, (uint8_t)slot, 3); }
EXPORT(confirm) int confirm(void) { return alink_boot_confirm(&flash, &started); }
EXPORT(slot) uint32_t slot(void) { return started.slot; }
EXPORT(how) uint32_t how(void) { return started.how; }
EXPORT(reason) uint32_t reason(void) { return started.reason; }
