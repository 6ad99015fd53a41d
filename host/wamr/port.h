/*
 * What a board supplies to agent.c: sixteen functions. They are called by the one thread that owns the agent, except
 * alink_port_wake and alink_port_lock. None of them may block: what takes longer than a few milliseconds (name
 * resolution, connect, TLS handshake, erasing a sector) is begun, and asked about again by the next call. Only
 * alink_port_wait sleeps.
 * port_posix.c is the reference for POSIX systems. Times are milliseconds, lengths and offsets bytes.
 */
#ifndef ALINK_PORT_H
#define ALINK_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_abi.h"

/** Not ready: the call is made again, with the same arguments, after the next alink_port_wait. */
#define ALINK_PORT_PENDING 1

/** How a link stands; values from 0 on are its end, one of `enum alink_closed`. */
enum alink_link {
  /** Resolving, connecting or shaking hands. */
  ALINK_LINK_OPENING = -2,
  /** Bytes may go both ways; also while it closes in an orderly way. */
  ALINK_LINK_UP = -1,
};

/** What alink_port_wait is to watch a link for. A link that opens or closes is watched for whatever that takes. */
enum alink_interest { ALINK_INTEREST_RECEIVE = 1, ALINK_INTEREST_SEND = 2 };

/** What runs: the arguments of the module's `booted`. */
struct alink_started {
  /** 0 or 1. */
  int32_t slot;
  /** `enum alink_boot`. */
  int32_t how;
  /** After a fall-back: the boot loader's number, else 0. */
  int32_t reason;
};

/** -> a count of milliseconds that never goes back and wraps at 2^32; it counts on while the device sleeps. */
uint32_t alink_port_now_ms(void);

/** Seconds since 1970-01-01 00:00 UTC; 0 = not known, then the configuration's quiet hours do not count. */
uint32_t alink_port_wall_seconds(void);

/** Fill `bytes` with `length` random bytes from a cryptographic source. -> false: there are none now, ask again. */
bool alink_port_entropy(uint8_t *bytes, uint32_t length);

/**
 * Begin to connect channel `ch` (0 … ALINK_CHANNELS - 1) to `uri`, `length` bytes without a terminator, which hold
 * during the call only: tcp://host:port, tls://host:port with the server's chain and name verified (RFC 5280,
 * RFC 6125; an address against iPAddress), or udp://host:port, a socket that receives from there only and stands at
 * once. An IPv6 host stands in brackets. Success and failure are told by
 * alink_port_link; within 15 s it is one of them. The channel has no link when this is called.
 */
void alink_port_open(int32_t ch, const char *uri, uint32_t length);

/** -> how the link of `ch` stands. Moves it on: this is where a port finishes a connect or a handshake step. */
int32_t alink_port_link(int32_t ch);

/**
 * Send the first bytes of `bytes`. -> how many were taken, 0 … length, 0 = none now; < 0: the link is over, and
 * alink_port_link tells why. After 0 the next call has the same bytes at its beginning. On UDP they are one datagram:
 * all are taken, or none now; one that cannot be carried is taken and lost.
 */
int32_t alink_port_send(int32_t ch, const uint8_t *bytes, uint32_t length);

/**
 * Receive at most `length` bytes. -> how many, 0 = none now; < 0: the link is over, all its bytes have been read. On UDP
 * one whole datagram: a longer one is lost, never cut, and two are never joined.
 */
int32_t alink_port_receive(int32_t ch, uint8_t *bytes, uint32_t length);

/**
 * Take the link down: `at_once` without a word (nothing is reported, the channel is free), else in an orderly way after
 * the bytes taken so far; then alink_port_link tells ALINK_CLOSED_LOCAL, within 2 s.
 */
void alink_port_close(int32_t ch, bool at_once);

/**
 * A flash operation, `enum alink_flash_op`, on `length` bytes at `offset` of the flash that the configuration tells of.
 * A write unit is programmed once between erases. `bytes` stays as it is until the answer. A request into the boot
 * region fails. -> ALINK_DONE_OK, ALINK_DONE_FAILED, ALINK_DONE_UNREADABLE (a read with bits beyond correction) or
 * ALINK_PORT_PENDING.
 */
int32_t alink_port_flash(int32_t op, uint32_t offset, uint8_t *bytes, uint32_t length);

/**
 * A request to the boot loader, `enum alink_boot_op`, for `slot`. Before an activation everything written to the flash
 * is durable. -> ALINK_DONE_OK, ALINK_DONE_FAILED or ALINK_PORT_PENDING.
 */
int32_t alink_port_boot(int32_t op, int32_t slot);

/**
 * Tell what runs and how it came to run. Called before each start of the module: a port that restarts in the process
 * (alink_port_restart returns) takes a trial's start off here. -> false: it cannot be told, the agent stops.
 */
bool alink_port_started(struct alink_started *started);

/** Restart the device. On a board this does not return; where it does, a fresh instance of the module is started. */
void alink_port_restart(void);

/**
 * Sleep until `ms` have passed (< 0: no limit), alink_port_wake is called, a pending flash or boot operation is done, a
 * link that opens or closes has news, or one that stands has what interest[ch] (`enum alink_interest` bits) asks for.
 * May return early at any time.
 */
void alink_port_wait(int32_t ms, const uint8_t interest[ALINK_CHANNELS]);

/** End the present or the next alink_port_wait. Any thread, and signal or interrupt handlers. */
void alink_port_wake(void);

/** Take (true) or give back the lock of the mailbox. Held for one copy of at most ALINK_IN_WINDOW bytes. Any thread. */
void alink_port_lock(bool take);

/** One line for people, without a line end and without secrets. */
void alink_port_log(const char *text);

#endif
