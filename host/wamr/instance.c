#include "instance.h"

#include "capsule.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  uint32_t parameters;
} EXPORTS[ALINK_EXPORT_COUNT] = {
#define EXPORT(constant, name, parameters) {#name, parameters},
    ALINK_EXPORTS(EXPORT)
#undef EXPORT
};

/* ---- Calls. ---- */

void alink_trap(struct alink_agent *agent, const char *why) {
  if (agent->trapped) return;
  agent->trapped = true;
  (void)snprintf(agent->error, sizeof agent->error, "the module stopped: %s", why == NULL ? "unknown" : why);
}

int32_t alink_call(struct alink_agent *agent, enum alink_export which, int32_t a, int32_t b, int32_t c) {
  if (agent->trapped) return 0;
  uint32_t cells[3] = {(uint32_t)a, (uint32_t)b, (uint32_t)c};
  struct alink_call *kept = &agent->calls[agent->call_count++ % ALINK_LAST_CALLS];
  *kept = (struct alink_call){alink_port_now_ms(), (uint32_t)which, {a, b, c}, 0};
  alink_capsule_call(agent, kept);
  if (!wasm_runtime_call_wasm(agent->environment, agent->exports[which], EXPORTS[which].parameters, cells)) {
    alink_trap(agent, wasm_runtime_get_exception(agent->instance));
    agent->call_trapped = true;
    return 0;
  }
  kept->result = (int32_t)cells[0];
  alink_capsule_result(agent, kept);
  return kept->result;
}

uint8_t *alink_window(struct alink_agent *agent, int32_t at, int32_t length) {
  if (agent->trapped || length <= 0) return NULL;
  if (at < 0 || !wasm_runtime_validate_app_addr(agent->instance, (uint64_t)at, (uint64_t)length)) {
    char why[96];
    (void)snprintf(why, sizeof why, "it gave a window of %ld bytes at %ld, outside its memory", (long)length, (long)at);
    alink_trap(agent, why);
    return NULL;
  }
  return wasm_runtime_addr_app_to_native(agent->instance, (uint64_t)at);
}

int32_t alink_refuse(struct alink_agent *agent, int32_t failure, const char *what, const char *why) {
  (void)snprintf(agent->error, sizeof agent->error, "%s: %s", what, why);
  return failure;
}

/* ---- Instances. ---- */

/** Every call passes cells of its own without looking, so a function of another shape must not get through here. */
static bool is_i32_function(wasm_module_inst_t instance, wasm_function_inst_t function, uint32_t parameters) {
  wasm_valkind_t kinds[3], result;
  if (function == NULL || wasm_func_get_param_count(function, instance) != parameters ||
      wasm_func_get_result_count(function, instance) != 1)
    return false;
  wasm_func_get_param_types(function, instance, kinds);
  wasm_func_get_result_types(function, instance, &result);
  for (uint32_t i = 0; i < parameters; i++)
    if (kinds[i] != WASM_I32) return false;
  return result == WASM_I32;
}

static int32_t look_up(struct alink_agent *agent) {
  wasm_global_inst_t global;
  for (int i = 0; i < ALINK_EXPORT_COUNT; i++) {
    agent->exports[i] = wasm_runtime_lookup_function(agent->instance, EXPORTS[i].name);
    if (!is_i32_function(agent->instance, agent->exports[i], EXPORTS[i].parameters))
      return alink_refuse(agent, ALINK_BAD_MODULE, "the module has no such function of i32", EXPORTS[i].name);
  }
  if (!wasm_runtime_get_export_global_inst(agent->instance, "__heap_base", &global) || global.kind != WASM_I32)
    return alink_refuse(agent, ALINK_BAD_MODULE, "the module has no such global", "__heap_base");
  agent->heap_base = *(const uint32_t *)global.global_data;
  if (agent->heap_base == 0 || !wasm_runtime_validate_app_addr(agent->instance, 0, agent->heap_base))
    return alink_refuse(agent, ALINK_BAD_MODULE, "the module's global is outside its memory", "__heap_base");
  int32_t version = CALL0(agent, ABI_VERSION);
  if (!agent->trapped && version != ALINK_ABI_VERSION) {
    (void)snprintf(agent->error, sizeof agent->error,
                   "the module has ABI version %ld, this host speaks %d: use module and host of one release",
                   (long)version, ALINK_ABI_VERSION);
    return ALINK_BAD_MODULE;
  }
  return 0;
}

int32_t alink_instance_make(struct alink_agent *agent) {
  char why[96] = "";
  const uint32_t stack = agent->options->stack_size;
  agent->call_count = 0;
  alink_capsule_begin(agent);
  agent->since_ms = alink_port_now_ms();
  agent->instance = wasm_runtime_instantiate(agent->module, stack, 0, why, sizeof why);
  if (agent->instance == NULL) return alink_refuse(agent, ALINK_BAD_MODULE, "the module cannot be instantiated", why);
  agent->environment = wasm_runtime_create_exec_env(agent->instance, stack);
  if (agent->environment == NULL) return alink_refuse(agent, ALINK_BAD_MODULE, "the pool", "is too small");
  return look_up(agent);
}

void alink_instance_drop(struct alink_agent *agent) {
  if (agent->environment != NULL) wasm_runtime_destroy_exec_env(agent->environment);
  if (agent->instance != NULL) wasm_runtime_deinstantiate(agent->instance);
  agent->environment = NULL;
  agent->instance = NULL;
  agent->trapped = false;
  agent->call_trapped = false;
}
