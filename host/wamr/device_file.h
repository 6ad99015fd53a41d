/* The device file: just enough JSON to find a member and to read a flash layout. The module reads the rest. */
#ifndef ALINK_DEVICE_FILE_H
#define ALINK_DEVICE_FILE_H

#include <stdbool.h>
#include <stdint.h>

/** [offset, length] in bytes from the start of the flash. */
struct alink_region {
  uint32_t offset, length;
};

/** The regions of a flash; see host/node/flash_layout.ts, whose defaults and rules hold here too. */
struct alink_layout {
  /** Smallest erasable and smallest programmable piece, bytes, and what an erased byte reads as. */
  uint32_t sector, write, erased;
  struct alink_region slots[2], state, queue, boot;
};

/**
 * Take the white space between tokens out of `text` (`length` bytes, ended with a zero afterwards).
 * -> the new length, or 0 when it is no JSON object as far as its brackets and strings go.
 */
uint32_t alink_json_compact(char *text, uint32_t length);

/**
 * The value of a member of a compact JSON object, its name in any letter case; of two the last.
 * -> its first byte, with its length in `length`; NULL = there is none.
 */
const char *alink_json_member(const char *object, const char *name, uint32_t *length);

/** Take every member of that name, in any letter case, out of a compact JSON object. */
void alink_json_remove(char *object, const char *name);

/**
 * A string value as bytes, escapes undone, ended with a zero.
 * -> its length, or -1: not a string, or it does not fit in `room`.
 */
int32_t alink_json_string(const char *value, uint32_t length, char *bytes, uint32_t room);

/** Append `text` as a JSON string. -> the new length of `to`; 0: it does not fit in `room`, or is no plain text. */
uint32_t alink_json_quote(char *to, uint32_t at, uint32_t room, const char *text);

/**
 * The layout that `value` (the member "flash", or NULL) describes, completed with the defaults and checked.
 * -> NULL, or one line on the member that is wrong.
 */
const char *alink_layout_read(const char *value, uint32_t length, struct alink_layout *layout);

/** The layout as a configuration document {"flash":…}. -> its length, 0 when `room` is too small. */
uint32_t alink_layout_write(const struct alink_layout *layout, char *text, uint32_t room);

/** -> bytes from the start of the flash to the end of its last region. */
uint32_t alink_layout_bytes(const struct alink_layout *layout);

#endif
