#include "agent_module.h"

#include "agent_abi.h"

/* Another module can be named instead of the packed one, e.g. what wamrc made of it. */
#ifndef ALINK_MODULE_HEADER
#define ALINK_MODULE_HEADER "agent_wasm.h"
#endif
#include ALINK_MODULE_HEADER

#if AGENT_WASM_ABI_VERSION != ALINK_ABI_VERSION
#error "agent_wasm.h and agent_abi.h speak different versions of the contract: pack both anew"
#endif

const uint32_t agent_wasm_size = AGENT_WASM_SIZE;

#ifndef AGENT_WASM_SHA256
#error "the module's header lacks AGENT_WASM_SHA256, its 32 bytes: a snapshot of another build would not be noticed"
#endif
const uint8_t agent_wasm_digest[32] = {AGENT_WASM_SHA256};

uint64_t alink_pool[(ALINK_POOL_BYTES + 7) / 8];
const uint32_t alink_pool_size = sizeof alink_pool;
