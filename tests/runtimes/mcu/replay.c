/*
 * Replays recorded calls into a module of the agent and counts their instructions. The recordings are linked into the
 * image (tests/agent/recording.ts describes the format). One JSON object a recording: {"instructions":…}; a result or a
 * memory other than recorded ends the emulator with 4.
 */
#include <stdio.h>
#include <string.h>

#include "board.h"
#include "engine.h"

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
    next_bytes(engine_memory() + to, length);
  }
  export = next();
  for (int i = 0; i < 3; i++) arguments[i] = next();
  const uint64_t before = board_count();
  found = engine_call(export, arguments);
  const uint64_t spent = board_count() - before;
  expect("the result", step, found, next());
  return spent;
}

static void replay(void)
{
  char line[64];
  uint64_t instructions = 0;
  const uint32_t length = next();
  next_bytes(engine_memory(), length);
  memset(engine_memory() + length, 0, engine_memory_length() - length);
  const uint32_t steps = next();
  board_count_start();
  for (uint32_t step = 0; step < steps; step++) instructions += replay_step(step);
  expect("the memory's checksum", steps, checksum(engine_memory(), length), next());
  snprintf(line, sizeof line, "{\"instructions\":%lu}\n", (unsigned long)instructions);
  board_print(line);
}

int main(void)
{
  engine_start();
  for (uint32_t left = next(); left > 0; left--) replay();
  engine_report();
  return 0;
}
