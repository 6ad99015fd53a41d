/*
 * A device on a bare Cortex-M4 without a network: the module is loaded, configured and polled until it waits for a link.
 * It tells, as JSON on the console: what the runtime took of an ample pool at its peak, the smallest pool that is enough, how
 * deep the thread's stack became, and the size of struct alink_agent.
 */
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "agent_module.h"
#include "board.h"

/* The last bytes of the stack are painted; pools are tried in steps of STEP bytes. The image has 4 MiB of RAM for both. */
enum { PAINTED = 64 * 1024, PAINT = 0xA5, STEPS = 200, STEP = 1024, AGENT_WASM_LARGEST = 128 * 1024 };

#if ALINK_MODULE_IN_FLASH
static const uint8_t *module(void) { return agent_wasm; }
#else
/* The runtime writes into the module, and here it is loaded more than once. */
static const uint8_t *module(void) {
  static uint8_t copy[AGENT_WASM_LARGEST] __attribute__((aligned(8)));
  return memcpy(copy, agent_wasm, agent_wasm_size);
}
#endif

static const char IDENTITY[] =
    "{\"productKey\":\"a1X2bEnP82z\",\"deviceName\":\"lamp-1\",\"deviceSecret\":\"ga7XA6KdlEeiPXQPpRbAjOZXwG8ydgSe\"}";
static const char FLASH[] =
    "{\"flash\":{\"sector\":4096,\"write\":16,\"slots\":[[0,1048576],[1048576,1048576]],\"state\":[2097152,8192],"
    "\"queue\":[2105344,8192],\"boot\":[2113536,8192]}}";

static struct alink_agent agent;
static uint32_t now;
static bool dialled;
static mem_alloc_info_t memory;

uint32_t alink_port_now_ms(void) { return ++now; }
bool alink_port_entropy(uint8_t *bytes, uint32_t length) { return memset(bytes, 0x5a, length), true; }
void alink_port_open(int32_t ch, const char *uri, uint32_t length) { (void)ch, (void)uri, (void)length, dialled = true; }
uint32_t alink_port_wall_seconds(void) { return 0; }
int32_t alink_port_link(int32_t ch) { return (void)ch, ALINK_LINK_OPENING; }
int32_t alink_port_send(int32_t ch, const uint8_t *bytes, uint32_t length) { return (void)ch, (void)bytes, (void)length, 0; }
int32_t alink_port_receive(int32_t ch, uint8_t *bytes, uint32_t length) { return (void)ch, (void)bytes, (void)length, 0; }
void alink_port_close(int32_t ch, bool at_once) { (void)ch, (void)at_once; }
int32_t alink_port_boot(int32_t op, int32_t slot) { return (void)op, (void)slot, ALINK_DONE_OK; }
bool alink_port_started(struct alink_started *started) { return memset(started, 0, sizeof *started), true; }
void alink_port_restart(void) {}
void alink_port_wait(int32_t ms, const uint8_t interest[ALINK_CHANNELS]) { (void)ms, (void)interest; }
void alink_port_wake(void) {}
void alink_port_lock(bool take) { (void)take; }
void alink_port_log(const char *text) { (void)text; }

/** An erased flash, which takes everything. */
int32_t alink_port_flash(int32_t op, uint32_t offset, uint8_t *bytes, uint32_t length) {
  (void)offset;
  if (op == ALINK_FLASH_OP_READ) memset(bytes, 255, length);
  return ALINK_DONE_OK;
}

static volatile uint8_t *paint(void) {
  volatile uint8_t here;
  volatile uint8_t *low = &here - PAINTED - 64;
  for (uint32_t i = 0; i < PAINTED; i++) low[i] = PAINT;
  return low;
}

/** A whole start, up to the wish for a link, with the first `pool_size` bytes of the pool. -> whether they were enough. */
static bool start(uint32_t pool_size) {
  static const struct alink_document documents[] = {{IDENTITY, sizeof IDENTITY - 1}, {FLASH, sizeof FLASH - 1}};
  const struct alink_agent_options options = {.module = module(),
                                              .module_size = agent_wasm_size,
                                              .module_in_flash = ALINK_MODULE_IN_FLASH,
                                              .pool = alink_pool,
                                              .pool_size = pool_size,
                                              .stack_size = ALINK_STACK_BYTES,
                                              .documents = documents,
                                              .document_count = 2};
  dialled = false;
  int32_t result = alink_agent_start(&agent, &options);
  for (int i = 0; result >= 0 && !dialled && i < STEPS; i++) result = alink_agent_step(&agent);
  bool enough = result >= 0 && dialled && wasm_runtime_get_mem_alloc_info(&memory);
  alink_agent_end(&agent);
  return enough;
}

/** FNV-1a of the module's bytes. */
static uint32_t module_hash(void) {
  uint32_t hash = 2166136261u;
  for (uint32_t i = 0; i < agent_wasm_size; i++) hash = (hash ^ *(const volatile uint8_t *)&agent_wasm[i]) * 16777619u;
  return hash;
}

int main(void) {
  char line[256];
  const uint32_t hash = module_hash();
  volatile uint8_t *low = paint();
  if (agent_wasm_size > AGENT_WASM_LARGEST || !start(alink_pool_size)) {
    board_print(alink_agent_error(&agent));
    return 1;
  }
  uint32_t untouched = 0;
  while (untouched < PAINTED && low[untouched] == PAINT) untouched++;
  uint32_t peak = memory.highmark_size, too_small = 0, enough = alink_pool_size / STEP;
  while (enough - too_small > 1) {
    uint32_t middle = (too_small + enough) / 2;
    if (start(middle * STEP)) enough = middle;
    else too_small = middle;
  }
  if (module_hash() != hash) {
    board_print("the runtime wrote into the module, which is in flash\n");
    return 1;
  }
  (void)snprintf(line, sizeof line, "{\"peak\":%lu,\"smallest\":%lu,\"stack\":%lu,\"agent\":%lu}\n",
                 (unsigned long)peak, (unsigned long)enough * STEP, (unsigned long)(PAINTED - untouched),
                 (unsigned long)sizeof agent);
  board_print(line);
  return 0;
}
