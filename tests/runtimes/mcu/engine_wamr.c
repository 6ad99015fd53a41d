/* The module in WAMR, as host/wamr/agent.c runs it: all memory from one pool, which is reported. */
#include <stdio.h>
#include <string.h>
#include <wasm_export.h>

#include "agent_abi.h"
#include "board.h"
#include "engine.h"

/* The module's file, MODULE on the command line. */
__asm__(".section .rodata.file, \"a\"\n.balign 16\nfile: .incbin \"" MODULE "\"\nfile_end:\n.previous\n");
extern const uint8_t file[], file_end[];

/* STACK: bytes of operand stack, on the command line. */
static uint64_t pool[512 * 1024 / 8];
static wasm_module_inst_t instance;
static wasm_exec_env_t environment;
static wasm_function_inst_t functions[ALINK_EXPORT_COUNT];

/* Of WAMR's C API (wasm_c_api.c), which is left out; nothing here makes a trap of that kind. */
void wasm_trap_delete(void *trap) { (void)trap; }

#define NAME(constant, name, count) #name,
#define COUNT(constant, name, count) count,
static const char *const names[] = {ALINK_EXPORTS(NAME)};
static const uint8_t counts[] = {ALINK_EXPORTS(COUNT)};

static void require(bool good, const char *what)
{
  if (good) return;
  board_print(what);
  board_exit(5);
}

/* Bytes that the pool has given so far, and the most at any time. */
static mem_alloc_info_t pool_info(void)
{
  mem_alloc_info_t info;
  require(wasm_runtime_get_mem_alloc_info(&info), "the pool tells nothing\n");
  return info;
}

static unsigned long used(void)
{
  const mem_alloc_info_t info = pool_info();
  return info.total_size - info.total_free_size;
}

static unsigned long after_init, after_load, after_instance, after_environment;

void engine_start(void)
{
  char why[128] = "";
  RuntimeInitArgs init;
  memset(&init, 0, sizeof init);
  init.mem_alloc_type = Alloc_With_Pool;
  init.mem_alloc_option.pool.heap_buf = pool;
  init.mem_alloc_option.pool.heap_size = sizeof pool;
  require(wasm_runtime_full_init(&init), "the runtime does not start\n");
  wasm_runtime_set_log_level(WASM_LOG_LEVEL_FATAL);
  after_init = used();
  LoadArgs load;
  memset(&load, 0, sizeof load);
  load.name = "";
  load.wasm_binary_freeable = true;
  wasm_module_t module =
      wasm_runtime_load_ex((uint8_t *)(uintptr_t)file, (uint32_t)(file_end - file), &load, why, sizeof why);
  require(module != NULL, why);
  after_load = used();
  instance = wasm_runtime_instantiate(module, STACK, 0, why, sizeof why);
  require(instance != NULL, why);
  after_instance = used();
  environment = wasm_runtime_create_exec_env(instance, STACK);
  require(environment != NULL, "no execution environment\n");
  after_environment = used();
  for (int i = 0; i < ALINK_EXPORT_COUNT; i++) {
    functions[i] = wasm_runtime_lookup_function(instance, names[i]);
    require(functions[i] != NULL, names[i]);
  }
}

uint8_t *engine_memory(void) { return wasm_runtime_addr_app_to_native(instance, 0); }

uint32_t engine_memory_length(void)
{
  uint64_t begin, end;
  require(wasm_runtime_get_app_addr_range(instance, 0, &begin, &end), "no memory\n");
  return (uint32_t)end;
}

uint32_t engine_call(uint32_t export, const uint32_t arguments[3])
{
  uint32_t cells[3] = {arguments[0], arguments[1], arguments[2]};
  if (!wasm_runtime_call_wasm(environment, functions[export], counts[export], cells))
    require(false, wasm_runtime_get_exception(instance));
  return cells[0];
}

void engine_report(void)
{
  char line[256];
  snprintf(line, sizeof line,
           "{\"file\":%lu,\"runtime\":%lu,\"module\":%lu,\"instance\":%lu,\"linear\":%lu,\"environment\":%lu,\"peak\":%lu}\n",
           (unsigned long)(file_end - file), after_init, after_load - after_init, after_instance - after_load,
           (unsigned long)engine_memory_length(), after_environment - after_instance,
           (unsigned long)pool_info().highmark_size);
  board_print(line);
}
