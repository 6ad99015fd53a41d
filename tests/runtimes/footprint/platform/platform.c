/* One thread, no heap of its own: WAMR takes its memory from the agent's pool. */
#include "platform_api_vmcore.h"

int bh_platform_init(void) { return 0; }
void bh_platform_destroy(void) {}

/* Never called: the pool serves. */
void *os_malloc(unsigned size) { return (void)size, NULL; }
void *os_realloc(void *bytes, unsigned size) { return (void)bytes, (void)size, NULL; }
void os_free(void *bytes) { (void)bytes; }

int os_printf(const char *format, ...) { return (void)format, 0; }
int os_vprintf(const char *format, va_list arguments) { return (void)format, (void)arguments, 0; }

uint64 os_time_get_boot_us(void) { return 0; }
uint64 os_time_thread_cputime_us(void) { return 0; }
korp_tid os_self_thread(void) { return 1; }
uint8 *os_thread_get_stack_boundary(void) { return NULL; }
void os_thread_jit_write_protect_np(bool enabled) { (void)enabled; }

int os_mutex_init(korp_mutex *mutex) { return (void)mutex, 0; }
int os_mutex_destroy(korp_mutex *mutex) { return (void)mutex, 0; }
int os_mutex_lock(korp_mutex *mutex) { return (void)mutex, 0; }
int os_mutex_unlock(korp_mutex *mutex) { return (void)mutex, 0; }
int os_cond_init(korp_cond *condition) { return (void)condition, 0; }
int os_cond_destroy(korp_cond *condition) { return (void)condition, 0; }
int os_cond_wait(korp_cond *condition, korp_mutex *mutex) { return (void)condition, (void)mutex, 0; }
int os_cond_signal(korp_cond *condition) { return (void)condition, 0; }
int os_cond_broadcast(korp_cond *condition) { return (void)condition, 0; }

void *os_mmap(void *hint, size_t size, int prot, int flags, os_file_handle file) {
  (void)hint, (void)prot, (void)flags, (void)file;
  void *bytes = BH_MALLOC((unsigned)size);
  if (bytes != NULL) memset(bytes, 0, size);
  return bytes;
}

void os_munmap(void *bytes, size_t size) {
  (void)size;
  BH_FREE(bytes);
}

int os_mprotect(void *bytes, size_t size, int prot) { return (void)bytes, (void)size, (void)prot, 0; }

void *os_mremap(void *bytes, size_t old_size, size_t new_size) { return os_mremap_slow(bytes, old_size, new_size); }

void os_dcache_flush(void) {}
void os_icache_flush(void *start, size_t length) { (void)start, (void)length; }
