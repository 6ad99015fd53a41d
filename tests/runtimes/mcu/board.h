/* What the bare board offers: output and an end through semihosting, and a count of executed instructions. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Write a NUL-terminated text to the emulator's console. */
void board_print(const char *text);

/* End the emulator with this exit code. */
void board_exit(int code) __attribute__((noreturn));

/* Begin to count at 0. */
void board_count_start(void);

/*
 * Instructions since board_count_start. RV32 counts them itself. On the Cortex-M4 the emulator runs one instruction a
 * nanosecond (-icount shift=0) and SysTick counts at 25 MHz: the resolution is 40 instructions.
 */
uint64_t board_count(void);

#endif
