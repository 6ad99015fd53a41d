/* The module and the memory it needs, as static data: members of struct alink_agent_options. */
#ifndef ALINK_AGENT_MODULE_H
#define ALINK_AGENT_MODULE_H

#include <stdint.h>

/** RAM for the runtime, bytes; README.md tells how much which way of running takes. */
#ifndef ALINK_POOL_BYTES
#ifdef CONFIG_ALINK_POOL_BYTES
#define ALINK_POOL_BYTES CONFIG_ALINK_POOL_BYTES
#else
#define ALINK_POOL_BYTES @POOL_BYTES@
#endif
#endif

/** Operand stack of the module, bytes. */
#ifndef ALINK_STACK_BYTES
#ifdef CONFIG_ALINK_STACK_BYTES
#define ALINK_STACK_BYTES CONFIG_ALINK_STACK_BYTES
#else
#define ALINK_STACK_BYTES 4096
#endif
#endif

/**
 * 1: the module stays in flash, which saves as much RAM as it is long. The fast interpreter can do that. The classic one
 * rewrites the bytes that it runs, so for it they are in RAM.
 */
#ifndef ALINK_MODULE_IN_FLASH
#ifdef CONFIG_ALINK_MODULE_IN_FLASH
#define ALINK_MODULE_IN_FLASH 1
#else
#define ALINK_MODULE_IN_FLASH 0
#endif
#endif
#if ALINK_MODULE_IN_FLASH
#define ALINK_MODULE_CONST const
#else
#define ALINK_MODULE_CONST
#endif

/** The module. */
extern ALINK_MODULE_CONST uint8_t agent_wasm[];
extern const uint32_t agent_wasm_size;
/** SHA-256 of the module. */
extern const uint8_t agent_wasm_digest[32];

/** ALINK_POOL_BYTES for the runtime. */
extern uint64_t alink_pool[];
extern const uint32_t alink_pool_size;

#endif
