/* What wasm2c leaves to its embedder; a trap ends the emulator with 10 and more. */
#include "embedder.h"

#include "board.h"

uint8_t linear[PAGE] __attribute__((aligned(16)));
Z_m_instance_t module;

uint32_t wasm_rt_call_stack_depth;

void wasm_rt_trap(wasm_rt_trap_t code)
{
  board_print("trap\n");
  board_exit(10 + (int)code);
}
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t pages, uint32_t max_pages)
{
  memory->data = linear;
  memory->pages = pages;
  memory->max_pages = max_pages;
  memory->size = PAGE;
}
void wasm_rt_free_memory(wasm_rt_memory_t *memory) { (void)memory; }
uint32_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint32_t pages)
{
  (void)memory;
  (void)pages;
  return 0xffffffffu;
}
bool wasm_rt_is_initialized(void) { return true; }
uint32_t wasm_rt_register_func_type(uint32_t parameters, uint32_t results, ...)
{
  (void)parameters;
  (void)results;
  return 0;
}

void embedder_start(void)
{
  Z_m_init_module();
  Z_m_instantiate(&module);
}
