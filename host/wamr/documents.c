#define _XOPEN_SOURCE 700
#include "documents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "posix.h"

enum { DEVICE_FILE = 65536, TEXT = ALINK_IN_WINDOW };

static char device_text[DEVICE_FILE], endpoint_text[TEXT], plain_text[TEXT], layout_text[TEXT];
static char failure[ALINK_PATH + 128];

static const char *fail(const char *what, const char *path, const char *why) {
  (void)snprintf(failure, sizeof failure, "%s %s: %s", what, path, why);
  return failure;
}

static void add(struct alink_device *device, const char *text, uint32_t length) {
  device->documents[device->document_count++] = (struct alink_document){text, length};
}

/** {"name":"value"}. -> its length; 0: it does not fit, or has control characters. */
static uint32_t write_member(char *text, uint32_t room, const char *name, const char *value) {
  uint32_t length = (uint32_t)snprintf(text, room, "{\"%s\":", name);
  length = alink_json_quote(text, length, room - 2, value);
  if (length == 0) return 0;
  text[length++] = '}';
  text[length] = '\0';
  return length;
}

/** An environment variable that is set and not empty takes the member's place. -> false: it does not fit. */
static bool override(const char *name, const char *variable) {
  static char member[TEXT];
  const char *value = getenv(variable);
  if (value == NULL || value[0] == '\0') return true;
  uint32_t length = write_member(member, sizeof member, name, value);
  if (length == 0) return false;
  alink_json_remove(device_text, name);
  size_t end = strlen(device_text) - 1;
  if (end + length >= sizeof device_text) return false;
  /* The member's own brace makes way for the comma, or ends an object that had nothing in it. */
  if (end > 1) device_text[end] = ',';
  (void)memcpy(device_text + end + (end > 1), member + 1, length);
  return true;
}

/** "" when it is missing or no text. */
static void read_text(const char *name, char *bytes, uint32_t room) {
  uint32_t length;
  const char *value = alink_json_member(device_text, name, &length);
  if (value == NULL || alink_json_string(value, length, bytes, room) < 0) bytes[0] = '\0';
}

bool alink_allows_plain(const char *list) {
  return strcmp(list, "mqtt") == 0 || strcmp(list, "http") == 0 || strcmp(list, "mqtt,http") == 0 ||
         strcmp(list, "http,mqtt") == 0;
}

/** mqtt,http → {"allowPlain":["mqtt","http"]}. */
static void add_allow_plain(struct alink_device *device, const char *list) {
  const char *comma = strchr(list, ',');
  int first = comma == NULL ? (int)strlen(list) : (int)(comma - list);
  int length = comma == NULL
                   ? snprintf(plain_text, sizeof plain_text, "{\"allowPlain\":[\"%s\"]}", list)
                   : snprintf(plain_text, sizeof plain_text, "{\"allowPlain\":[\"%.*s\",\"%s\"]}", first, list, comma + 1);
  add(device, plain_text, (uint32_t)length);
}

static const char *read_file(const char *path) {
  long bytes = alink_file_read(path, device_text, sizeof device_text);
  if (bytes < 0) return fail("cannot read the device file", path, strerror(errno));
  uint32_t compact = alink_json_compact(device_text, (uint32_t)bytes);
  device_text[compact] = '\0';
  return compact != 0 ? NULL
                      : fail("device file", path, "is not a JSON object (it ends too early or is not JSON at all)");
}

const char *alink_device_read(struct alink_device *device, const struct alink_source *source) {
  uint32_t length = 0;
  char endpoint[256];
  memset(device, 0, sizeof *device);
  const char *wrong = read_file(source->device);
  if (wrong != NULL) return wrong;
  const char *flash = alink_json_member(device_text, "flash", &length);
  wrong = alink_layout_read(flash, length, &device->layout);
  if (wrong != NULL) return fail("device file", source->device, wrong);
  alink_json_remove(device_text, "flash");
  if (!override("productKey", "ALINK_PRODUCT_KEY") || !override("deviceName", "ALINK_DEVICE_NAME") ||
      !override("deviceSecret", "ALINK_DEVICE_SECRET"))
    return "an ALINK_ variable is too long or has control characters";
  read_text("deviceName", device->name, sizeof device->name);
  read_text("deviceSecret", device->secret, sizeof device->secret);
  read_text("endpoint", endpoint, sizeof endpoint);
  device->coap = strncasecmp(source->endpoint == NULL ? endpoint : source->endpoint, "coap:", 5) == 0;
  add(device, device_text, (uint32_t)strlen(device_text));
  if (source->endpoint != NULL) {
    length = write_member(endpoint_text, sizeof endpoint_text, "endpoint", source->endpoint);
    if (length == 0) return "--endpoint is too long or has control characters";
    add(device, endpoint_text, length);
  }
  if (source->allow_plain != NULL) add_allow_plain(device, source->allow_plain);
  /* Last and complete, so that module and host agree on every region. */
  add(device, layout_text, alink_layout_write(&device->layout, layout_text, sizeof layout_text));
  return NULL;
}
