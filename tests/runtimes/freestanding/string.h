/* What boot.c needs of the C library, for targets that have none. */
#ifndef ALINK_FREESTANDING_STRING_H
#define ALINK_FREESTANDING_STRING_H

#include <stddef.h>

int memcmp(const void *a, const void *b, size_t length);

#endif
