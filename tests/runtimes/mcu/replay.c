/*
 * Replays recorded calls into a module of the agent, translated to C by wasm2c, and counts their instructions. The
 * recordings (recording.ts, which describes the format) are linked into the image. One JSON object a recording:
 * {"instructions":…}; a result or a memory other than recorded ends the emulator with 4.
 */
#include <stdio.h>
#include <string.h>

#include "agent_abi.h"
#include "board.h"
#include "embedder.h"

/* The file of recordings, RECORDINGS on the command line. */
__asm__(".section .rodata.recordings, \"a\"\n.balign 4\nrecordings: .incbin \"" RECORDINGS "\"\n.previous\n");
extern const uint32_t recordings[];

static const uint32_t *at = recordings;

static uint32_t next(void) { return *at++; }

/* Copy the next bytes, which fill whole words. */
static void next_bytes(uint8_t *to, uint32_t length)
{
  memcpy(to, at, length);
  at += (length + 3) / 4;
}

#define CALL_0(name) Z_mZ_##name(&module)
#define CALL_1(name) Z_mZ_##name(&module, a[0])
#define CALL_2(name) Z_mZ_##name(&module, a[0], a[1])
#define CALL_3(name) Z_mZ_##name(&module, a[0], a[1], a[2])
#define CASE(constant, name, count) \
  case ALINK_EXPORT_##constant: return CALL_##count(name);

static uint32_t call(uint32_t export, const uint32_t a[3])
{
  switch (export) { ALINK_EXPORTS(CASE) }
  board_print("no such export\n");
  board_exit(4);
}

static void expect(const char *what, uint32_t step, uint32_t found, uint32_t recorded)
{
  char line[128];
  if (found == recorded) return;
  snprintf(line, sizeof line, "step %lu: %s is %08lx, %08lx was recorded\n", (unsigned long)step, what,
           (unsigned long)found, (unsigned long)recorded);
  board_print(line);
  board_exit(4);
}

/* FNV-1a, 32 bit. */
static uint32_t checksum(const uint8_t *bytes, uint32_t length)
{
  uint32_t sum = 2166136261u;
  for (uint32_t i = 0; i < length; i++) sum = (sum ^ bytes[i]) * 16777619u;
  return sum;
}

/* One recorded call, with what the host writes before. Returns its instructions. */
static uint64_t replay_step(uint32_t step)
{
  uint32_t writes, to, length, export, arguments[3], found;
  for (writes = next(); writes > 0; writes--) {
    to = next();
    length = next();
    next_bytes(linear + to, length);
  }
  export = next();
  for (int i = 0; i < 3; i++) arguments[i] = next();
  const uint64_t before = board_count();
  found = call(export, arguments);
  const uint64_t spent = board_count() - before;
  expect("the result", step, found, next());
  return spent;
}

static void replay(void)
{
  char line[64];
  uint64_t instructions = 0;
  const uint32_t length = next();
  next_bytes(linear, length);
  memset(linear + length, 0, PAGE - length);
  const uint32_t steps = next();
  board_count_start();
  for (uint32_t step = 0; step < steps; step++) instructions += replay_step(step);
  expect("the memory's checksum", steps, checksum(linear, length), next());
  snprintf(line, sizeof line, "{\"instructions\":%lu}\n", (unsigned long)instructions);
  board_print(line);
}

int main(void)
{
  embedder_start();
  for (uint32_t left = next(); left > 0; left--) replay();
  return 0;
}
