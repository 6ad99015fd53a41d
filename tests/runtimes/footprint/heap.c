/* Preloaded into a program: tells at its end how much of the C library's heap it had taken at most, as JSON on stderr. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static size_t live, peak;

static void *taken(void *bytes) {
  (void)pthread_mutex_lock(&guard);
  live += malloc_usable_size(bytes);
  if (live > peak) peak = live;
  (void)pthread_mutex_unlock(&guard);
  return bytes;
}

static void given(void *bytes) {
  (void)pthread_mutex_lock(&guard);
  live -= malloc_usable_size(bytes);
  (void)pthread_mutex_unlock(&guard);
}

void *malloc(size_t size) { return taken(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return taken(__libc_calloc(count, size)); }

void *realloc(void *bytes, size_t size) {
  given(bytes);
  void *moved = __libc_realloc(bytes, size);
  return taken(moved != NULL || size == 0 ? moved : bytes);
}

void free(void *bytes) {
  given(bytes);
  __libc_free(bytes);
}

__attribute__((destructor)) static void tell(void) { (void)fprintf(stderr, "{\"heap\":%zu}\n", peak); }
