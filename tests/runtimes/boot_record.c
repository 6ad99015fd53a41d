/*
 * boot.c on a file, for the checks: boot_record FILE OFFSET SECTOR WRITE UNITS CALL…
 * UNITS: the power goes in the middle of the write unit or sector after so many (-1: never), exit code 9.
 * CALL: start, confirm, activate=SLOT, trials=N (of the next activations). Each answer is one line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"

static struct {
  FILE *file;
  long unit, left;
} part;

/** Half of the bytes of the unit in hand are programmed when the power goes. */
static void spend(uint32_t offset, const uint8_t *bytes, uint32_t length) {
  if (part.left < 0 || part.left-- > 0) return;
  if (fseek(part.file, (long)offset, SEEK_SET) == 0) (void)fwrite(bytes, 1, length / 2, part.file);
  (void)fclose(part.file);
  exit(9);
}

static bool read_file(void *context, uint32_t offset, uint8_t *bytes, uint32_t length) {
  (void)context;
  return fseek(part.file, (long)offset, SEEK_SET) == 0 && fread(bytes, 1, length, part.file) == length;
}

static bool write_file(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length) {
  uint8_t before[32];
  if (length % (uint32_t)part.unit != 0 || length > sizeof before || !read_file(context, offset, before, length))
    return false;
  for (uint32_t i = 0; i < length; i++)
    if (before[i] != 0xff) {
      (void)fprintf(stderr, "byte %lu is programmed twice\n", (unsigned long)(offset + i));
      exit(3);
    }
  for (uint32_t at = 0; at < length; at += (uint32_t)part.unit) {
    spend(offset + at, bytes + at, (uint32_t)part.unit);
    if (fseek(part.file, (long)(offset + at), SEEK_SET) != 0) return false;
    if (fwrite(bytes + at, 1, (size_t)part.unit, part.file) != (size_t)part.unit) return false;
  }
  return true;
}

static bool erase_file(void *context, uint32_t offset, uint32_t length) {
  static uint8_t erased[65536];
  (void)context;
  if (length > sizeof erased) return false;
  memset(erased, 0xff, sizeof erased);
  spend(offset, erased, length);
  return fseek(part.file, (long)offset, SEEK_SET) == 0 && fwrite(erased, 1, length, part.file) == length;
}

static bool flush_file(void *context) {
  (void)context;
  return fflush(part.file) == 0;
}

int main(int argc, char **argv) {
  struct alink_boot_started started = {0, 0, 0};
  uint8_t trials = 3;
  if (argc < 7 || (part.file = fopen(argv[1], "r+b")) == NULL) return 2;
  struct alink_boot_flash flash = {.offset = (uint32_t)strtoul(argv[2], NULL, 10),
                                   .sector = (uint32_t)strtoul(argv[3], NULL, 10),
                                   .sectors = 3,
                                   .read = read_file,
                                   .write = write_file,
                                   .erase = erase_file,
                                   .flush = flush_file};
  part.unit = strtol(argv[4], NULL, 10);
  part.left = strtol(argv[5], NULL, 10);
  for (int i = 6; i < argc; i++) {
    bool good = true;
    if (strcmp(argv[i], "start") == 0) good = alink_boot_start(&flash, &started);
    else if (strcmp(argv[i], "confirm") == 0) good = alink_boot_confirm(&flash, &started);
    else if (strncmp(argv[i], "trials=", 7) == 0) trials = (uint8_t)strtoul(argv[i] + 7, NULL, 10);
    else good = alink_boot_activate(&flash, &started, (uint8_t)strtoul(strchr(argv[i], '=') + 1, NULL, 10), trials);
    (void)printf("{\"good\":%s,\"slot\":%u,\"how\":%u,\"reason\":%lu}\n", good ? "true" : "false", started.slot,
                 started.how, (unsigned long)started.reason);
  }
  (void)fclose(part.file);
  return 0;
}
