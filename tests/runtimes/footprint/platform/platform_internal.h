/* What WAMR asks of a platform, for one thread on a bare core. The names are WAMR's. */
#ifndef PLATFORM_INTERNAL_H
#define PLATFORM_INTERNAL_H

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BH_APPLET_PRESERVED_STACK_SIZE (2 * 1024)
#define BH_THREAD_DEFAULT_PRIORITY 0

typedef int korp_tid;
typedef int korp_mutex;
typedef int korp_cond;
typedef int korp_thread;
typedef int korp_sem;
typedef int korp_rwlock;
typedef int os_file_handle;
typedef int os_raw_file_handle;
typedef int os_poll_file_handle;
typedef int os_timespec;
typedef unsigned os_nfds_t;
typedef void *os_dir_stream;

static inline os_file_handle os_get_invalid_handle(void) { return -1; }
/*
 * WAMR 2.4.3 takes as much linear memory from the pool as the module has, but checks accesses against that size rounded up
 * to a page: only with pages of 8 bytes, to which it aligns the memory, is the check exact.
 */
static inline int os_getpagesize(void) { return 8; }

#endif
