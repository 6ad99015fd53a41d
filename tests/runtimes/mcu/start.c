/* Vectors, reset, and board.h on an ARMv7-M core under QEMU. The image is loaded where it runs, so nothing is copied. */
#include "board.h"

extern uint32_t __stack;
int main(void);
void reset(void);

/* Semihosting calls, "Semihosting for AArch32 and AArch64" chapter 6. */
enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static void semihost(int operation, const void *argument)
{
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory", "r2", "r3", "ip", "lr");
}

void board_print(const char *text) { semihost(SYS_WRITE0, text); }

void board_exit(int code)
{
  const uint32_t block[2] = {APPLICATION_EXIT, (uint32_t)code};
  semihost(SYS_EXIT_EXTENDED, block);
  for (;;) {
  }
}

static void fault(void)
{
  board_print("processor fault\n");
  board_exit(3);
}

/* SysTick, ARMv7-M Architecture Reference Manual B3.3: control, reload, current. */
#define SYSTICK ((volatile uint32_t *)0xE000E010)
#define SYSTICK_RANGE 0x1000000u
#define INSTRUCTIONS_PER_TICK 40u

static volatile uint32_t wraps;

static void systick(void) { wraps++; }

void board_count_start(void)
{
  SYSTICK[0] = 0;
  wraps = 0;
  SYSTICK[1] = SYSTICK_RANGE - 1;
  SYSTICK[2] = 0;
  SYSTICK[0] = 7;
  while (SYSTICK[2] == 0) {
  }
}

uint64_t board_count(void)
{
  uint32_t before, left;
  do {
    before = wraps;
    left = SYSTICK[2];
  } while (before != wraps);
  return ((uint64_t)before * SYSTICK_RANGE + (SYSTICK_RANGE - 1 - left)) * INSTRUCTIONS_PER_TICK;
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    &__stack, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, 0, 0, fault, systick};

void reset(void) { board_exit(main()); }
