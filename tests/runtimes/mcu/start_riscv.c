/* Reset and board.h on an RV32 core under QEMU. The image is loaded where it runs, and its memory is zero before. */
#include "board.h"

int main(void);
void reset(void);
void fault(void);

/* RISC-V Semihosting 1.0: the operations are those of "Semihosting for AArch32 and AArch64". */
enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static void semihost(int operation, const void *argument)
{
  register int a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  /* The three instructions are the call: uncompressed, and within one page. */
  __asm__ volatile(
      ".balign 16\n.option push\n.option norvc\n"
      "slli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\n"
      ".option pop"
      : "+r"(a0)
      : "r"(a1)
      : "memory");
}

void board_print(const char *text) { semihost(SYS_WRITE0, text); }

void board_exit(int code)
{
  const uint32_t block[2] = {APPLICATION_EXIT, (uint32_t)code};
  semihost(SYS_EXIT_EXTENDED, block);
  for (;;) {
  }
}

__attribute__((aligned(4))) void fault(void)
{
  board_print("processor fault\n");
  board_exit(3);
}

/* RV32IMAC as the compiler counts its libraries has no extension Zicsr, the core has. */
#define CSR(instructions) ".option push\n.option arch, +zicsr\n" instructions "\n.option pop\n"

static uint64_t begun;

/* The retired instructions, RISC-V Unprivileged ISA, chapter "Counters". */
static uint64_t retired(void)
{
  uint32_t high, low, again;
  do {
    __asm__ volatile(CSR("rdinstreth %0\nrdinstret %1\nrdinstreth %2") : "=r"(high), "=r"(low), "=r"(again));
  } while (high != again);
  return (uint64_t)high << 32 | low;
}

void board_count_start(void) { begun = retired(); }

uint64_t board_count(void) { return retired() - begun; }

void start(void) { board_exit(main()); }

__attribute__((section(".reset"), naked)) void reset(void)
{
  __asm__ volatile(
      ".option push\n.option norelax\nla gp, __global_pointer$\n.option pop\n"
      "la sp, __stack\nla t0, fault\n" CSR("csrw mtvec, t0") "\nj start");
}
