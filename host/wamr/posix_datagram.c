/* Datagrams on a connected UDP socket that never blocks: whole, or lost. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "posix.h"

/** Datagrams that are dropped in one call at most, and tries to send one. */
enum { DROPS = 16, TRIES = 2 };

static bool later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int32_t alink_datagram_send(int fd, const uint8_t *bytes, uint32_t length, int *error) {
  for (int i = 0; i < TRIES; i++) {
    if (send(fd, bytes, length, MSG_NOSIGNAL) >= 0) return (int32_t)length;
    if (later(errno)) return 0;
    /* What an earlier datagram met ("port unreachable") is told here, and this one was not sent. */
    *error = errno;
  }
  return (int32_t)length;
}

int32_t alink_datagram_receive(int fd, uint8_t *bytes, uint32_t length, int *error) {
  for (int i = 0; i < DROPS; i++) {
    /* The length of the datagram, also when it is longer than the room for it. */
    ssize_t n = recv(fd, bytes, length, MSG_TRUNC);
    if (n > 0 && (uint32_t)n <= length) return (int32_t)n;
    if (n >= 0) continue;
    if (later(errno)) return 0;
    *error = errno;
  }
  return 0;
}
