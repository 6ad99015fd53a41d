/* TLS for the links of the POSIX port. Nothing here blocks; `ch` is a channel, 0 … ALINK_CHANNELS - 1. */
#ifndef ALINK_POSIX_TLS_H
#define ALINK_POSIX_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port.h"

/** Read the certificate authorities: `file`, or the system's when NULL. -> NULL, or one line on what is wrong. */
const char *alink_tls_trust(const char *file);
/** Begin a handshake on the connected `fd`, to verify `host` (`address`: it is no name). -> false: no memory. */
bool alink_tls_begin(int32_t ch, int fd, const char *host, const char *port, bool address);
/** Go on with it. -> ALINK_LINK_OPENING, ALINK_LINK_UP, or the end with the reason in words. */
int32_t alink_tls_shake(int32_t ch, bool *wants_write, char *why, size_t room);
/** As alink_port_send and alink_port_receive; at the end `reason` is one of `enum alink_closed`. */
int32_t alink_tls_send(int32_t ch, const uint8_t *bytes, uint32_t length);
int32_t alink_tls_receive(int32_t ch, uint8_t *bytes, uint32_t length, int32_t *reason, char *why, size_t room);
/** Send close_notify. -> false: it did not fit, try again. */
bool alink_tls_say_goodbye(int32_t ch);
/** Free what the channel's link took; its session is kept for the next one. */
void alink_tls_free(int32_t ch);
void alink_tls_end(void);

#endif
