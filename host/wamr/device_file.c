#include "device_file.h"

#include <stdio.h>
#include <string.h>

#include "agent_abi.h"

enum { DEPTH = 16, MIB = 1048576 };

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

uint32_t alink_json_compact(char *text, uint32_t length) {
  uint32_t to = 0, depth = 0;
  bool string = false;
  for (uint32_t at = 0; at < length; at++) {
    char c = text[at];
    if (c == '\0' || (to > 0 && depth == 0 && !is_space(c))) return 0;
    if (!string && is_space(c)) continue;
    text[to++] = c;
    if (string && c == '\\') {
      if (++at == length) return 0;
      text[to++] = text[at];
    } else if (c == '"') string = !string;
    else if (!string && (c == '{' || c == '[') && ++depth > DEPTH) return 0;
    else if (!string && (c == '}' || c == ']') && depth-- == 0) return 0;
  }
  if (to < 2 || depth != 0 || string || text[0] != '{') return 0;
  if (to < length) text[to] = '\0';
  return to;
}

/** -> the first byte behind the value at `at`, which ends at a comma or closing bracket outside of strings. */
static const char *skip_value(const char *at) {
  uint32_t depth = 0;
  for (bool string = false; *at != '\0'; at++) {
    if (string && *at == '\\') {
      if (at[1] != '\0') at++;
    } else if (*at == '"') string = !string;
    else if (string) continue;
    else if (depth == 0 && (*at == ',' || *at == '}' || *at == ']')) break;
    else if (*at == '{' || *at == '[') depth++;
    else if (*at == '}' || *at == ']') depth--;
  }
  return at;
}

static bool is_key(const char *at, const char *name) {
  if (*at++ != '"') return false;
  while (*name != '\0' && lower(*at) == lower(*name)) at++, name++;
  return *name == '\0' && at[0] == '"' && at[1] == ':';
}

const char *alink_json_member(const char *object, const char *name, uint32_t *length) {
  const char *found = NULL;
  const char *at = object;
  while (*at == '{' || *at == ',') {
    const char *key = ++at;
    const char *end = skip_value(at);
    if (is_key(key, name)) {
      found = key + strlen(name) + 3;
      *length = (uint32_t)(end - found);
    }
    at = end;
  }
  return found;
}

void alink_json_remove(char *object, const char *name) {
  char *at = object;
  while (*at == '{' || *at == ',') {
    char *end = object + (skip_value(at + 1) - object);
    if (!is_key(at + 1, name)) {
      at = end;
      continue;
    }
    /* With the comma behind it, or the one before it where there is none behind. */
    char *from = *end == ',' ? at + 1 : *at == ',' ? at : at + 1;
    const char *rest = *end == ',' ? end + 1 : end;
    memmove(from, rest, strlen(rest) + 1);
    if (from == at) break;
  }
}

static int hex(const char *at) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = lower(at[i]);
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return -1;
    value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return value;
}

/** Escapes beyond ASCII are left out: none of the members that are read here may hold such characters. */
int32_t alink_json_string(const char *value, uint32_t length, char *bytes, uint32_t room) {
  static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
  uint32_t to = 0;
  if (length < 2 || value[0] != '"' || value[length - 1] != '"') return -1;
  for (uint32_t at = 1; at < length - 1; at++) {
    char c = value[at];
    if (c == '\\') {
      const char *escape = strchr(FROM, value[++at]);
      int code = value[at] == 'u' && at + 4 < length - 1 ? hex(value + at + 1) : -1;
      if (code > 0 && code < 128) c = (char)code, at += 4;
      else if (escape != NULL && *escape != '\0') c = TO[escape - FROM];
      else return -1;
    }
    if (to + 1 >= room) return -1;
    bytes[to++] = c;
  }
  bytes[to] = '\0';
  return (int32_t)to;
}

uint32_t alink_json_quote(char *to, uint32_t at, uint32_t room, const char *text) {
  if (at + 2 > room) return 0;
  to[at++] = '"';
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text < 0x20 || at + 4 > room) return 0;
    if (*text == '"' || *text == '\\') to[at++] = '\\';
    to[at++] = *text;
  }
  to[at++] = '"';
  return at;
}

/** A whole number up to 2^31 - 1 with nothing behind it but `end`. -> the byte behind it, or NULL. */
static const char *read_number(const char *at, char end, uint32_t *number) {
  uint32_t value = 0;
  const char *first = at;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (value > (INT32_MAX - 9) / 10) return NULL;
    value = value * 10 + (uint32_t)(*at - '0');
  }
  if (at == first || *at != end) return NULL;
  *number = value;
  return at + 1;
}

static const char *read_region(const char *at, struct alink_region *region) {
  if (*at != '[') return NULL;
  at = read_number(at + 1, ',', &region->offset);
  return at == NULL ? NULL : read_number(at, ']', &region->length);
}

/** A member of the layout; `to` is left alone when it is absent. -> false: it is there and wrong. */
static bool read_number_member(const char *flash, const char *name, uint32_t *to) {
  uint32_t length;
  const char *value = flash == NULL ? NULL : alink_json_member(flash, name, &length);
  return value == NULL || read_number(value, value[length], to) != NULL;
}

static bool read_region_member(const char *flash, const char *name, struct alink_region *to, uint32_t *end,
                               uint32_t length) {
  uint32_t ignored;
  const char *value = flash == NULL ? NULL : alink_json_member(flash, name, &ignored);
  *to = (struct alink_region){*end, length};
  if (value != NULL && read_region(value, to) == NULL) return false;
  if (to->offset + to->length > *end) *end = to->offset + to->length;
  return true;
}

static bool read_slots(const char *flash, struct alink_region slots[2]) {
  uint32_t ignored;
  const char *value = flash == NULL ? NULL : alink_json_member(flash, "slots", &ignored);
  slots[0] = (struct alink_region){0, 16 * MIB};
  slots[1] = (struct alink_region){16 * MIB, 16 * MIB};
  if (value == NULL) return true;
  if (*value != '[') return false;
  const char *at = read_region(value + 1, &slots[0]);
  if (at == NULL || *at != ',') return false;
  at = read_region(at + 1, &slots[1]);
  return at != NULL && *at == ']';
}

/** Members in any letter case; anything else is a mistake that would go unnoticed. */
static bool all_known(const char *flash) {
  static const char *const KNOWN[] = {"sector", "write", "erased", "slots", "state", "queue", "boot"};
  const char *at = flash;
  while ((*at == '{' || *at == ',') && at[1] != '}') {
    bool known = false;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) known = known || is_key(at + 1, KNOWN[i]);
    if (!known) return false;
    at = skip_value(at + 1);
  }
  return true;
}

static const char *check(const struct alink_layout *layout) {
  const struct alink_region regions[] = {layout->slots[0], layout->slots[1], layout->state, layout->queue,
                                         layout->boot};
  const uint32_t sector = layout->sector, write = layout->write;
  if (sector < 64 || sector > 16 * MIB || sector % ALINK_WRITE_UNIT != 0)
    return "flash.sector: must be a multiple of 32 from 64 to 16777216";
  if (write == 0 || write > ALINK_WRITE_UNIT || (write & (write - 1)) != 0)
    return "flash.write: must be 1, 2, 4, 8, 16 or 32";
  if (layout->erased != 0 && layout->erased != 255) return "flash.erased: must be 255 or 0";
  for (int i = 0; i < 5; i++) {
    const struct alink_region a = regions[i];
    if (a.offset % sector != 0 || a.length % sector != 0 || a.length < (i < 2 ? sector : 2 * sector))
      return "flash: regions must be whole sectors, state, queue and boot at least two of them";
    if (a.length > (uint32_t)INT32_MAX - a.offset) return "flash: ends above 2147483647 bytes";
    for (int k = 0; k < i; k++)
      if (a.offset < regions[k].offset + regions[k].length && regions[k].offset < a.offset + a.length)
        return "flash: slots, state, queue and boot must not overlap";
  }
  return NULL;
}

const char *alink_layout_read(const char *value, uint32_t length, struct alink_layout *layout) {
  *layout = (struct alink_layout){.sector = 4096, .write = 16, .erased = 255};
  if (value != NULL && (length < 2 || value[0] != '{')) return "flash: must be an object";
  if (value != NULL && !all_known(value))
    return "flash: has an unknown member; there are sector, write, erased, slots, state, queue, boot";
  if (!read_number_member(value, "sector", &layout->sector)) return "flash.sector: must be a whole number";
  if (!read_number_member(value, "write", &layout->write)) return "flash.write: must be a whole number";
  if (!read_number_member(value, "erased", &layout->erased)) return "flash.erased: must be a whole number";
  if (!read_slots(value, layout->slots)) return "flash.slots: must be [[offset,length],[offset,length]]";
  if (layout->sector > 16 * MIB) return check(layout);
  uint32_t end = 0;
  for (int i = 0; i < 2; i++) {
    const uint32_t behind = layout->slots[i].offset + layout->slots[i].length;
    if (behind > end) end = behind;
  }
  if (!read_region_member(value, "state", &layout->state, &end, 4 * layout->sector) ||
      !read_region_member(value, "queue", &layout->queue, &end, 16 * layout->sector) ||
      !read_region_member(value, "boot", &layout->boot, &end, 3 * layout->sector))
    return "flash.state, flash.queue, flash.boot: must be [offset,length] in bytes";
  return check(layout);
}

uint32_t alink_layout_write(const struct alink_layout *l, char *text, uint32_t room) {
  int n = snprintf(text, room,
                   "{\"flash\":{\"sector\":%u,\"write\":%u,\"erased\":%u,\"slots\":[[%u,%u],[%u,%u]],\"state\":[%u,%u],"
                   "\"queue\":[%u,%u],\"boot\":[%u,%u]}}",
                   l->sector, l->write, l->erased, l->slots[0].offset, l->slots[0].length, l->slots[1].offset,
                   l->slots[1].length, l->state.offset, l->state.length, l->queue.offset, l->queue.length,
                   l->boot.offset, l->boot.length);
  return n < 0 || (uint32_t)n >= room ? 0 : (uint32_t)n;
}

uint32_t alink_layout_bytes(const struct alink_layout *layout) {
  const struct alink_region regions[] = {layout->slots[0], layout->slots[1], layout->state, layout->queue,
                                         layout->boot};
  uint32_t end = 0;
  for (int i = 0; i < 5; i++)
    if (regions[i].offset + regions[i].length > end) end = regions[i].offset + regions[i].length;
  return end;
}
