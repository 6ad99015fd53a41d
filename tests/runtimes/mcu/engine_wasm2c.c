/* The module as C by wasm2c. */
#include "agent_abi.h"
#include "board.h"
#include "embedder.h"
#include "engine.h"

void engine_start(void) { embedder_start(); }
uint8_t *engine_memory(void) { return linear; }
uint32_t engine_memory_length(void) { return PAGE; }
void engine_report(void) {}

#define CALL_0(name) Z_mZ_##name(&module)
#define CALL_1(name) Z_mZ_##name(&module, a[0])
#define CALL_2(name) Z_mZ_##name(&module, a[0], a[1])
#define CALL_3(name) Z_mZ_##name(&module, a[0], a[1], a[2])
#define CASE(constant, name, count) \
  case ALINK_EXPORT_##constant: return CALL_##count(name);

uint32_t engine_call(uint32_t export, const uint32_t a[3])
{
  switch (export) { ALINK_EXPORTS(CASE) }
  board_print("no such export\n");
  board_exit(4);
}
