#include "capsule.h"

#include <stdio.h>
#include <string.h>

/** Of the format: docs/record.md. */
enum { VERSION = 1, KIND_CAPSULE = 2, FLAG_AFTER_TRAP = 2, FLAG_DERIVED = 4 };
enum { FRAME_END = 0, FRAME_SNAPSHOT = 3, FRAME_NOTE = 4, FRAME_CALL = 16, CALL_PAYLOAD = 1, CALL_TRAPPED = 4 };
enum { DIGEST = 32 };

/** Most bytes of a call's frame without its payload: two bytes, five numbers, an export, a length; then a result. */
enum { CALL_BYTES = 2 + 5 * 4 + 1 + 5 + 5 };
/** Room for calls behind the snapshot without which there is none: more than any payload. */
enum { LEAST_ROOM = 8192 };

static const struct {
  const char *name;
  uint8_t parameters;
} EXPORTS[ALINK_EXPORT_COUNT] = {
#define EXPORT(constant, name, parameters) {#name, parameters},
    ALINK_EXPORTS(EXPORT)
#undef EXPORT
};

/* ---- Calls, kept as frames behind a snapshot in the room that the application gave. ---- */

static bool has_room(const struct alink_agent *agent) {
  const struct alink_agent_options *options = agent->options;
  return options->capsule != NULL && agent->heap_base != 0 && options->capsule_size >= LEAST_ROOM &&
         options->capsule_size - LEAST_ROOM >= agent->heap_base;
}

static uint8_t *put_varint(uint8_t *at, uint32_t value) {
  for (; value > 0x7f; value >>= 7) *at++ = (uint8_t)(value | 0x80);
  *at++ = (uint8_t)value;
  return at;
}

static uint8_t *put_signed(uint8_t *at, int32_t value) {
  return put_varint(at, (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0));
}

/** How many bytes go with a call, and the export that told where they stand. The host asked that one just before. */
static int32_t input(const struct alink_agent *agent, const struct alink_call *call, enum alink_export *address) {
  const int32_t *last = agent->results;
  *address = ALINK_EXPORT_IN_PTR;
  switch (call->which) {
  case ALINK_EXPORT_CONFIGURE: return call->arguments[0];
  case ALINK_EXPORT_POST: return call->arguments[1];
  case ALINK_EXPORT_REPLY: return call->arguments[2];
  case ALINK_EXPORT_RECEIVED: *address = ALINK_EXPORT_RX_PTR; return call->arguments[1];
  case ALINK_EXPORT_ENTROPY_DONE: *address = ALINK_EXPORT_ENTROPY_PTR; return last[ALINK_EXPORT_ENTROPY_LEN];
  case ALINK_EXPORT_FLASH_DONE:
    *address = ALINK_EXPORT_FLASH_PTR;
    if (call->arguments[0] != ALINK_DONE_OK || last[ALINK_EXPORT_FLASH_OP] != ALINK_FLASH_OP_READ) return 0;
    return last[ALINK_EXPORT_FLASH_LEN];
  default: return 0;
  }
}

/** `flags` and the call up to its result. */
static uint8_t *put_call(uint8_t *at, const struct alink_call *call, uint32_t after, uint8_t flags) {
  *at++ = (uint8_t)(FRAME_CALL | flags);
  *at++ = (uint8_t)call->which;
  at = put_varint(at, after);
  for (int i = 0; i < EXPORTS[call->which].parameters; i++) at = put_signed(at, call->arguments[i]);
  return at;
}

void alink_capsule_begin(struct alink_agent *agent) {
  memset(&agent->kept, 0, sizeof agent->kept);
  memset(agent->results, 0, sizeof agent->results);
}

void alink_capsule_call(struct alink_agent *agent, const struct alink_call *call) {
  struct alink_kept *kept = &agent->kept;
  if (!has_room(agent)) return;
  const uint8_t *memory = wasm_runtime_addr_app_to_native(agent->instance, 0);
  uint32_t room = agent->options->capsule_size - agent->heap_base;
  uint8_t *frames = agent->options->capsule + agent->heap_base;
  enum alink_export address;
  int32_t length = input(agent, call, &address);
  int32_t from = agent->results[address];
  if (length < 0 || from < 0 || (uint32_t)from > agent->heap_base || (uint32_t)length > agent->heap_base - (uint32_t)from)
    length = 0;
  if (!kept->snapshot || kept->used + CALL_BYTES + (uint32_t)length > room) {
    memcpy(agent->options->capsule, memory, agent->heap_base);
    *kept = (struct alink_kept){.snapshot = true, .ms = call->now_ms};
  }
  /* The snapshot has the bytes already: the host put them there before it called. */
  if (CALL_BYTES + (uint32_t)length > room) length = 0;
  kept->frame = kept->used;
  uint8_t *at = put_call(frames + kept->used, call, call->now_ms - kept->ms, length > 0 ? CALL_PAYLOAD : 0);
  kept->ms = call->now_ms;
  if (length > 0) {
    *at++ = (uint8_t)address;
    at = put_varint(at, (uint32_t)length);
    memcpy(at, memory + from, (uint32_t)length);
    at += length;
  }
  kept->used = (uint32_t)(at - frames);
}

void alink_capsule_result(struct alink_agent *agent, const struct alink_call *call) {
  struct alink_kept *kept = &agent->kept;
  agent->results[call->which] = call->result;
  if (!kept->snapshot) return;
  uint8_t *frames = agent->options->capsule + agent->heap_base;
  kept->used = (uint32_t)(put_signed(frames + kept->used, call->result) - frames);
  kept->calls++;
}

/* ---- Stand-ins for the device secret. ---- */

/** How many bytes of a JSON text, 1, 2 or 6, stand for `byte`; 0: other bytes do. */
static uint32_t spells(const uint8_t *text, uint32_t room, uint8_t byte) {
  static const char ESCAPES[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
  char hex[7];
  if (room >= 1 && text[0] == byte && byte != '\\') return 1;
  if (room < 2 || text[0] != '\\') return 0;
  for (const char *escape = ESCAPES; *escape != '\0'; escape += 2)
    if (text[1] == (uint8_t)escape[0] && byte == (uint8_t)escape[1]) return 2;
  (void)snprintf(hex, sizeof hex, "\\u%04x", byte);
  for (uint32_t i = 0; i < 6; i++)
    if (room < 6 || (text[i] | 0x20) != (hex[i] | 0x20)) return 0;
  return 6;
}

/** Overwrite the secret where it stands in JSON at `at`, as many characters as it has. -> whether it did. */
static bool blank_text(uint8_t *at, uint32_t room, const struct alink_document *secret) {
  uint32_t length = 0;
  for (uint32_t i = 0; i < secret->length; i++) {
    uint32_t spelt = spells(at + length, room - length, (uint8_t)secret->text[i]);
    if (spelt == 0) return false;
    length += spelt;
  }
  for (uint32_t done = 0, i = 0; i < secret->length; i++) {
    uint32_t spelt = spells(at + done, room - done, (uint8_t)secret->text[i]);
    memcpy(at + done, spelt == 1 ? "x" : spelt == 2 ? "\\\\" : "\\u0078", spelt);
    done += spelt;
  }
  return true;
}

/** As it is, and as HMAC (RFC 2104) mixes it with its two pads. */
static bool blank_bytes(uint8_t *at, uint32_t room, const struct alink_document *secret, uint8_t pad) {
  if (room < secret->length) return false;
  for (uint32_t i = 0; i < secret->length; i++)
    if (at[i] != ((uint8_t)secret->text[i] ^ pad)) return false;
  memset(at, 'x' ^ pad, secret->length);
  return true;
}

static void blank_secret(uint8_t *memory, uint32_t length, const struct alink_document *secret) {
  if (secret->length == 0) return;
  for (uint32_t at = 0; at < length; at++) {
    uint32_t room = length - at;
    (void)(blank_bytes(memory + at, room, secret, 0) || blank_bytes(memory + at, room, secret, 0x36) ||
           blank_bytes(memory + at, room, secret, 0x5c) || blank_text(memory + at, room, secret));
  }
}

/* ---- The file. ---- */

struct stream {
  const struct alink_agent_options *options;
  bool failed;
  uint32_t used;
  uint8_t bytes[256];
};

static uint32_t crc32(const uint8_t *bytes, uint32_t length) {
  uint32_t crc = 0xffffffff;
  for (uint32_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  return ~crc;
}

static void hand(struct stream *stream, const void *part, uint32_t length, bool last) {
  if (stream->failed) return;
  stream->failed = !stream->options->on_capsule(stream->options->context, part, length, last);
  if (stream->failed) alink_port_log("the capsule of this trap could not be kept");
}

static void put_block(struct stream *stream, bool last) {
  uint32_t crc = crc32(stream->bytes, stream->used), length = stream->used;
  uint8_t head[4] = {(uint8_t)length, (uint8_t)(length >> 8), (uint8_t)~length, (uint8_t)(~length >> 8)};
  uint8_t tail[4] = {(uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16), (uint8_t)(crc >> 24)};
  hand(stream, head, sizeof head, false);
  hand(stream, stream->bytes, length, false);
  hand(stream, tail, sizeof tail, last);
  stream->used = 0;
}

static void put(struct stream *stream, const void *bytes, uint32_t length) {
  for (uint32_t done = 0; done < length;) {
    if (stream->used == sizeof stream->bytes) put_block(stream, false);
    uint32_t n = length - done, room = (uint32_t)sizeof stream->bytes - stream->used;
    if (n > room) n = room;
    memcpy(stream->bytes + stream->used, (const uint8_t *)bytes + done, n);
    stream->used += n;
    done += n;
  }
}

static void put_byte(struct stream *stream, uint8_t byte) { put(stream, &byte, 1); }

static void put_number(struct stream *stream, uint32_t value) {
  uint8_t bytes[5];
  put(stream, bytes, (uint32_t)(put_varint(bytes, value) - bytes));
}

static void put_counted(struct stream *stream, const void *bytes, uint32_t length) {
  put_number(stream, length);
  put(stream, bytes, length);
}

static void put_header(struct stream *stream, const struct alink_agent *agent, uint8_t flags) {
  static const uint8_t UNKNOWN[DIGEST];
  const uint8_t *digest = agent->options->module_digest;
  put_byte(stream, KIND_CAPSULE);
  put_byte(stream, flags);
  put_number(stream, ALINK_ABI_VERSION);
  put_number(stream, agent->heap_base);
  put(stream, digest == NULL ? UNKNOWN : digest, DIGEST);
  put_byte(stream, ALINK_EXPORT_COUNT);
  for (int i = 0; i < ALINK_EXPORT_COUNT; i++) {
    put_byte(stream, EXPORTS[i].parameters);
    put_counted(stream, EXPORTS[i].name, (uint32_t)strlen(EXPORTS[i].name));
  }
}

static void put_note(struct stream *stream, const struct alink_agent *agent) {
  char text[sizeof agent->error + 80];
  int length = snprintf(text, sizeof text, "%s; %lu in a row, after %lu calls", agent->error,
                        (unsigned long)agent->traps, (unsigned long)agent->call_count);
  put_byte(stream, FRAME_NOTE);
  put_counted(stream, text, (uint32_t)length);
}

static void put_snapshot(struct stream *stream, const struct alink_agent *agent, uint8_t *memory) {
  blank_secret(memory, agent->heap_base, &agent->options->secret);
  put_byte(stream, FRAME_SNAPSHOT);
  put_counted(stream, memory, agent->heap_base);
}

/** Without a snapshot from before the trap: what led there can only be told, and the last call be made again. */
static uint32_t put_last_calls(struct stream *stream, struct alink_agent *agent, bool trapped) {
  uint32_t count = agent->call_count < ALINK_LAST_CALLS ? agent->call_count : ALINK_LAST_CALLS;
  const struct alink_call *before = NULL;
  for (uint32_t i = agent->call_count - count; i != agent->call_count; i++) {
    const struct alink_call *call = &agent->calls[i % ALINK_LAST_CALLS];
    bool is_last = trapped && i + 1 == agent->call_count;
    uint8_t bytes[CALL_BYTES], *at = bytes;
    if (is_last) put_snapshot(stream, agent, wasm_runtime_addr_app_to_native(agent->instance, 0));
    at = put_call(at, call, before == NULL ? 0 : call->now_ms - before->now_ms, is_last ? CALL_TRAPPED : 0);
    if (!is_last) at = put_signed(at, call->result);
    put(stream, bytes, (uint32_t)(at - bytes));
    if (is_last) put_counted(stream, agent->error, (uint32_t)strlen(agent->error));
    before = call;
  }
  if (!trapped) put_snapshot(stream, agent, wasm_runtime_addr_app_to_native(agent->instance, 0));
  return count;
}

static uint32_t put_kept_calls(struct stream *stream, struct alink_agent *agent, bool trapped) {
  const struct alink_kept *kept = &agent->kept;
  uint8_t *frames = agent->options->capsule + agent->heap_base;
  blank_secret(frames, kept->used, &agent->options->secret);
  if (trapped) frames[kept->frame] |= CALL_TRAPPED;
  put_snapshot(stream, agent, agent->options->capsule);
  put(stream, frames, kept->used);
  if (trapped) put_counted(stream, agent->error, (uint32_t)strlen(agent->error));
  return kept->calls + trapped;
}

void alink_capsule_write(struct alink_agent *agent, bool trapped) {
  static const uint8_t HEAD[] = {'A', 'L', 'R', 'C', VERSION}, UNKNOWN[DIGEST];
  struct stream stream = {.options = agent->options};
  if (agent->heap_base == 0 || agent->options->on_capsule == NULL) return;
  hand(&stream, HEAD, sizeof HEAD, false);
  put_header(&stream, agent, agent->kept.snapshot ? FLAG_DERIVED : FLAG_DERIVED | FLAG_AFTER_TRAP);
  put_note(&stream, agent);
  uint32_t calls = agent->kept.snapshot ? put_kept_calls(&stream, agent, trapped) : put_last_calls(&stream, agent, trapped);
  put_byte(&stream, FRAME_END);
  put_number(&stream, calls);
  put(&stream, UNKNOWN, DIGEST);
  put_block(&stream, true);
}
