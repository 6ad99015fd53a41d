/*
 * The functions for a sleep, on a port without a network and with a clock of its own: `sleep AGENT_COAP AGENT AGENT_LITE`.
 * The first thing that is not as agent.h says ends the program with its line. `sleep digest` writes SHA-256 of messages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "sha256.h"

#define EXPECT(condition) \
  do { \
    if (!(condition)) { \
      (void)fprintf(stderr, "line %d: not so: %s; %s\n", __LINE__, #condition, alink_agent_error(&agent)); \
      exit(1); \
    } \
  } while (0)

enum { MODULE = 256 * 1024, SNAPSHOT = 65536, HEADING = 112, NOTHING = -1000 };

#define NAMES "{\"productKey\":\"a1X2bEnP82z\",\"deviceName\":\"lamp-1\",\"deviceSecret\":\"secret\","
#define FLASH \
  "\"flash\":{\"sector\":4096,\"write\":16,\"slots\":[[0,65536],[65536,65536]],\"state\":[131072,8192]," \
  "\"queue\":[139264,8192]}}"

static const char OVER_COAP[] = NAMES "\"endpoint\":\"coap://192.0.2.1:5682\"," FLASH;
static const char OVER_MQTT[] = NAMES "\"endpoint\":\"mqtts://192.0.2.1:8883\"," FLASH;
static const char OTHER[] = "{\"version\":\"2\"}";

static struct alink_agent agent;
static uint64_t pool[1024 * 1024 / 8];
static uint8_t files[3][MODULE], module[MODULE], digests[3][ALINK_SHA256_BYTES], asleep[SNAPSHOT], changed[SNAPSHOT];
static uint32_t sizes[3], now_ms = 4000000000U;
static int32_t taken = NOTHING;
static bool started = true;

uint32_t alink_port_now_ms(void) { return now_ms; }
uint32_t alink_port_wall_seconds(void) { return 0; }
bool alink_port_entropy(uint8_t *bytes, uint32_t length) { return memset(bytes, 7, length), true; }
void alink_port_open(int32_t ch, const char *uri, uint32_t length) { (void)ch, (void)uri, (void)length; }
int32_t alink_port_link(int32_t ch) { return (void)ch, ALINK_LINK_OPENING; }
int32_t alink_port_send(int32_t ch, const uint8_t *bytes, uint32_t length) { return (void)ch, (void)bytes, (void)length, 0; }
int32_t alink_port_receive(int32_t ch, uint8_t *bytes, uint32_t length) { return (void)ch, (void)bytes, (void)length, 0; }
void alink_port_close(int32_t ch, bool at_once) { (void)ch, (void)at_once; }
int32_t alink_port_boot(int32_t op, int32_t slot) { return (void)op, (void)slot, ALINK_DONE_OK; }
bool alink_port_started(struct alink_started *what) { return memset(what, 0, sizeof *what), started; }
void alink_port_restart(void) {}
void alink_port_wait(int32_t ms, const uint8_t interest[ALINK_CHANNELS]) { (void)interest, now_ms += (uint32_t)ms; }
void alink_port_wake(void) {}
void alink_port_lock(bool take) { (void)take; }
void alink_port_log(const char *text) { (void)text; }
int32_t alink_port_flash(int32_t op, uint32_t offset, uint8_t *bytes, uint32_t length) {
  (void)offset;
  if (op == ALINK_FLASH_OP_READ) memset(bytes, 255, length);
  return ALINK_DONE_OK;
}

static void on_taken(void *context, int32_t result) { (void)context, taken = result; }

/** For one of the modules, fresh: the runtime has written into what was loaded before. */
static struct alink_agent_options *options_of(int which) {
  static struct alink_document documents[] = {{NULL, 0}, {OTHER, sizeof OTHER - 1}};
  static struct alink_agent_options options;
  const char *text = which == 0 ? OVER_COAP : OVER_MQTT;
  documents[0] = (struct alink_document){text, (uint32_t)strlen(text)};
  memcpy(module, files[which], sizes[which]);
  options = (struct alink_agent_options){.module = module, .module_size = sizes[which], .pool = pool,
                                         .pool_size = sizeof pool, .stack_size = 8192, .documents = documents,
                                         .document_count = 1, .module_digest = digests[which], .on_taken = on_taken};
  return &options;
}

/** Steps until nothing is to be done at once. */
static void settle(void) {
  for (int i = 0; i < 1000; i++)
    if (alink_agent_step(&agent) != 0) return;
  EXPECT(!"settled");
}

static void start(int which) {
  EXPECT(alink_agent_start(&agent, options_of(which)) == 0);
  settle();
}

static void check_taking(void) {
  start(0);
  const uint32_t size = alink_snapshot_size(&agent);
  EXPECT(size > HEADING && size == HEADING + agent.heap_base);
  EXPECT(alink_agent_snapshot(&agent, 5, asleep, size - 1) == ALINK_CODE_TOO_LARGE);
  EXPECT(alink_agent_post(&agent, ALINK_POST_PROPERTY, "{\"n\":1}", 7) == ALINK_CODE_OK);
  EXPECT((alink_agent_underway(&agent) & ALINK_UNDERWAY_POST) != 0);
  EXPECT(alink_agent_snapshot(&agent, 5, asleep, size) == ALINK_CODE_BUSY);
  settle();
  EXPECT(taken > 0 && alink_agent_underway(&agent) == ALINK_UNDERWAY_REQUEST);
  EXPECT(alink_agent_snapshot(&agent, 5, asleep, size) == (int32_t)size);
  EXPECT(alink_is_snapshot(asleep, size) && !alink_is_snapshot(asleep, 7));
  alink_agent_end(&agent);
  EXPECT(alink_agent_snapshot(&agent, 5, asleep, size) == ALINK_CODE_BAD_STATE);
}

/** A request without an answer holds a sleep up for 5 s, also where the clock wraps; a post that waits is given up. */
static void check_falling_asleep(void) {
  start(0);
  EXPECT(alink_agent_post(&agent, ALINK_POST_PROPERTY, "{\"n\":1}", 7) == ALINK_CODE_OK);
  settle();
  EXPECT(alink_agent_post(&agent, ALINK_POST_PROPERTY, "{\"n\":2}", 7) == ALINK_CODE_OK);
  settle();
  EXPECT(alink_agent_underway(&agent) == (ALINK_UNDERWAY_POST | ALINK_UNDERWAY_REQUEST));
  now_ms = UINT32_MAX - 1000;
  const uint32_t before = now_ms;
  taken = NOTHING;
  alink_agent_sleep(&agent);
  EXPECT(alink_agent_run(&agent) == 0);
  EXPECT(now_ms - before >= 5000 && now_ms - before < 5100);
  EXPECT(taken == ALINK_CODE_BAD_STATE);
  EXPECT(alink_agent_post(&agent, ALINK_POST_PROPERTY, "{}", 2) == ALINK_CODE_BAD_STATE);
  EXPECT(alink_agent_snapshot(&agent, 1000, asleep, sizeof asleep) > 0);
  alink_agent_end(&agent);
}

/** -> the argument of `resumed`; -1: it was not called. */
static int32_t resumed(void) {
  for (uint32_t i = 0; i < agent.call_count && i < ALINK_LAST_CALLS; i++)
    if (agent.calls[i].which == ALINK_EXPORT_RESUMED) return agent.calls[i].arguments[0];
  return -1;
}

static void wake(const uint8_t *bytes, uint32_t length, uint64_t clock_ms, int32_t woken, int32_t elapsed_ms) {
  int32_t result = alink_agent_wake(&agent, options_of(0), bytes, length, clock_ms);
  EXPECT(result == woken);
  EXPECT(agent.instance != NULL && resumed() == elapsed_ms);
  EXPECT((alink_snapshot_fault(woken)[0] == '\0') == (woken == ALINK_WOKEN));
  settle();
  alink_agent_end(&agent);
}

/** `asleep` is of 1,000 ms. */
static void check_waking(void) {
  const uint32_t size = HEADING + agent.heap_base;
  wake(asleep, size, 1000, ALINK_WOKEN, 0);
  wake(asleep, size, 61000, ALINK_WOKEN, 60000);
  wake(asleep, size, 999, ALINK_WOKEN, 0);
  wake(asleep, size, 0, ALINK_WOKEN, 0);
  wake(asleep, size, UINT64_MAX, ALINK_WOKEN, INT32_MAX);
  wake(asleep, size, 1000 + (uint64_t)INT32_MAX, ALINK_WOKEN, INT32_MAX);
  for (uint32_t at = 0; at < size; at += at < 120 ? 1 : 997) {
    memcpy(changed, asleep, size);
    changed[at] ^= 0x10;
    wake(changed, size, 1000, at < 8 ? ALINK_NO_SNAPSHOT : ALINK_DAMAGED, -1);
  }
  for (uint32_t length = 0; length < size; length += length < 120 ? 1 : 997)
    wake(asleep, length, 1000, length <= HEADING ? ALINK_NO_SNAPSHOT : ALINK_DAMAGED, -1);
}

static void check_others(void) {
  const uint32_t size = HEADING + agent.heap_base;
  struct alink_agent_options *options = options_of(0);
  options->document_count = 2;
  EXPECT(alink_agent_wake(&agent, options, asleep, size, 0) == ALINK_OTHER_CONFIGURATION);
  alink_agent_end(&agent);
  options = options_of(0);
  options->module_digest = digests[1];
  EXPECT(alink_agent_wake(&agent, options, asleep, size, 0) == ALINK_OTHER_MODULE);
  alink_agent_end(&agent);
  options = options_of(0);
  started = false;
  EXPECT(alink_agent_wake(&agent, options, asleep, size, 0) == ALINK_NOT_STARTED);
  alink_agent_end(&agent);
  started = true;
  /* Where no digest tells them apart the size of the state does. */
  options = options_of(1);
  options->module_digest = NULL;
  EXPECT(alink_agent_start(&agent, options) == 0);
  const int32_t taken_size = alink_agent_snapshot(&agent, 0, asleep, sizeof asleep);
  alink_agent_end(&agent);
  options = options_of(2);
  options->module_digest = NULL;
  EXPECT(alink_agent_wake(&agent, options, asleep, (uint32_t)taken_size, 0) == ALINK_OTHER_MODULE);
  EXPECT(agent.instance != NULL && alink_agent_step(&agent) >= 0);
  alink_agent_end(&agent);
}

static void write_digests(void) {
  static uint8_t message[600], digest[ALINK_SHA256_BYTES];
  for (uint32_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)(i * 7 + 3);
  for (uint32_t length = 0; length <= sizeof message; length++) {
    struct alink_sha256 hash;
    const uint32_t cut = length * 5 / 7;
    alink_sha256_begin(&hash);
    alink_sha256_add(&hash, message, cut);
    alink_sha256_add(&hash, message + cut, length - cut);
    alink_sha256_end(&hash, digest);
    for (int i = 0; i < ALINK_SHA256_BYTES; i++) (void)printf("%02x", digest[i]);
    (void)printf("\n");
  }
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "digest") == 0) return write_digests(), 0;
  if (argc != 4) return 2;
  for (int i = 0; i < 3; i++) {
    struct alink_sha256 hash;
    FILE *file = fopen(argv[1 + i], "rb");
    if (file == NULL) return 2;
    sizes[i] = (uint32_t)fread(files[i], 1, MODULE, file);
    (void)fclose(file);
    alink_sha256_begin(&hash);
    alink_sha256_add(&hash, files[i], sizes[i]);
    alink_sha256_end(&hash, digests[i]);
  }
  check_taking();
  check_falling_asleep();
  check_waking();
  check_others();
  (void)printf("as agent.h says\n");
  return 0;
}
