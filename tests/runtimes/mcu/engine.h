/* What runs a module of the agent for replay.c: C by wasm2c, or WAMR. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdint.h>

/* Make an instance; ends the emulator when that fails. */
void engine_start(void);

/* Its memory, and the bytes of it: __heap_base or more. */
uint8_t *engine_memory(void);
uint32_t engine_memory_length(void);

/* Call an export (a place in ALINK_EXPORTS) with as many arguments as it takes. A trap ends the emulator. */
uint32_t engine_call(uint32_t export, const uint32_t arguments[3]);

/* Print, as JSON objects, what else is to be known after the calls. */
void engine_report(void);

#endif
