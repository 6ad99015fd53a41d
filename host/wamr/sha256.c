#include "sha256.h"

#include <string.h>

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

/** The next word of the message schedule, in a ring of 16 (FIPS 180-4, 6.2.2 step 1). */
static uint32_t extend(uint32_t w[16], int t) {
  uint32_t a = w[(t + 1) & 15], b = w[(t + 14) & 15];
  return w[t & 15] += (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[(t + 9) & 15] +
                      (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
}

static void compress(struct alink_sha256 *hash) {
  uint32_t w[16], v[8];
  memcpy(v, hash->state, sizeof v);
  for (int t = 0; t < 64; t++) {
    const uint8_t *at = hash->block + 4 * (t & 15);
    uint32_t word = t < 16 ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
    if (t < 16) w[t] = word;
    else word = extend(w, t);
    uint32_t one = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
                   K[t] + word;
    uint32_t two = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
                   ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += one;
    v[0] = one + two;
  }
  for (int i = 0; i < 8; i++) hash->state[i] += v[i];
}

void alink_sha256_begin(struct alink_sha256 *hash) {
  static const uint32_t FIRST[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, FIRST, sizeof FIRST);
  hash->length = 0;
}

void alink_sha256_add(struct alink_sha256 *hash, const void *bytes, uint32_t length) {
  const uint8_t *from = bytes;
  for (uint32_t i = 0; i < length; i++) {
    hash->block[hash->length++ & 63] = from[i];
    if ((hash->length & 63) == 0) compress(hash);
  }
}

void alink_sha256_end(struct alink_sha256 *hash, uint8_t digest[ALINK_SHA256_BYTES]) {
  static const uint8_t ONE = 0x80, ZERO = 0;
  const uint64_t bits = hash->length * 8;
  uint8_t tail[8];
  for (int i = 0; i < 8; i++) tail[i] = (uint8_t)(bits >> (56 - 8 * i));
  alink_sha256_add(hash, &ONE, 1);
  while ((hash->length & 63) != 56) alink_sha256_add(hash, &ZERO, 1);
  alink_sha256_add(hash, tail, sizeof tail);
  for (int i = 0; i < ALINK_SHA256_BYTES; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
  memset(hash, 0, sizeof *hash);
}
