/*
 * Counts what crypto-mcu.wasm, translated to C by wasm2c, costs on a microcontroller: instructions for 64 KiB in pieces of
 * 4 KiB, one JSON object a line with the result's first bytes, so that the driver can tell that the work was done.
 */
#include <stdio.h>
#include <string.h>

#include "board.h"
#include "embedder.h"

enum { PIECE = 4096, PIECES = 16 };
static uint32_t context, key, out, piece;

static void fill_piece(void)
{
  for (uint32_t i = 0; i < PIECE; i++) linear[piece + i] = (uint8_t)(i * 7 + 3);
}

static void report(const char *name, uint64_t instructions, uint32_t result)
{
  char line[128];
  const uint32_t hundredths = (uint32_t)(instructions * 100 / (PIECES * PIECE));
  const uint8_t *bytes = linear + result;
  snprintf(line, sizeof line, "{\"name\":\"%s\",\"instructionsPerByte\":%lu.%02lu,\"result\":\"%02x%02x%02x%02x\"}\n", name,
           (unsigned long)(hundredths / 100), (unsigned long)(hundredths % 100), bytes[0], bytes[1], bytes[2], bytes[3]);
  board_print(line);
}

static void count_digest(const char *name, uint32_t kind)
{
  fill_piece();
  Z_mZ_digestInit(&module, kind, context);
  board_count_start();
  for (int i = 0; i < PIECES; i++) Z_mZ_digestUpdate(&module, kind, context, piece, PIECE);
  const uint64_t spent = board_count();
  Z_mZ_digestFinal(&module, kind, context, out);
  report(name, spent, out);
}

static void count_cipher(const char *name, uint32_t direction)
{
  fill_piece();
  memset(linear + key, 0x2b, 16);
  Z_mZ_aesInit(&module, context, direction, key, 16);
  Z_mZ_cbcStart(&module, context, key);
  board_count_start();
  for (int i = 0; i < PIECES; i++) Z_mZ_cbcBlocks(&module, context, piece, piece, PIECE);
  const uint64_t spent = board_count();
  report(name, spent, piece);
}

int main(void)
{
  embedder_start();
  context = Z_mZ_windowPtr(&module);
  key = context + 512;
  out = context + 576;
  piece = context + 640;
  count_digest("md5", 0);
  count_digest("sha1", 1);
  count_digest("sha256", 2);
  count_cipher("aes-128-cbc encrypt", 0);
  count_cipher("aes-128-cbc decrypt", 1);
  return 0;
}
