/* SHA-256 (FIPS 180-4), for snapshots: the module's own is not among its exports. */
#ifndef ALINK_SHA256_H
#define ALINK_SHA256_H

#include <stdint.h>

#define ALINK_SHA256_BYTES 32

/** A digest under way. Members are sha256.c's. */
struct alink_sha256 {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
};

void alink_sha256_begin(struct alink_sha256 *hash);
void alink_sha256_add(struct alink_sha256 *hash, const void *bytes, uint32_t length);
/** The digest of what was added; `hash` is used up, and blanked: what was hashed may be secret. */
void alink_sha256_end(struct alink_sha256 *hash, uint8_t digest[ALINK_SHA256_BYTES]);

#endif
