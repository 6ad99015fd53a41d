/* Links on POSIX: BSD sockets that never block; names by posix_lookup.c, TLS by posix_tls.c, UDP by posix_datagram.c. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix.h"
#include "posix_lookup.h"
#include "posix_tls.h"

/** A link stands within OPEN_MS, one address has ADDRESS_MS, the peer LINGER_MS to close its side. */
enum { OPEN_MS = 15000, ADDRESS_MS = 5000, LINGER_MS = 2000 };

struct link {
  enum { FREE, RESOLVING, CONNECTING, SHAKING, UP, CLOSING, OVER } state;
  bool address, wants_write;
  int32_t ch, reason;
  int fd;
  char error[192];
  uint32_t due_ms, address_due_ms;
  struct alink_peer peer;
  struct alink_lookup *lookup;
  const struct addrinfo *next;
};

static struct link links[ALINK_CHANNELS];

/* ---- The end of a link. ---- */

static void release(struct link *link) {
  alink_lookup_drop(link->lookup);
  link->lookup = NULL;
  link->next = NULL;
  alink_tls_free(link->ch);
  if (link->fd >= 0) (void)close(link->fd);
  link->fd = -1;
}

static void finish(struct link *link, int reason, const char *error) {
  if (error != NULL && link->error[0] == '\0') (void)snprintf(link->error, sizeof link->error, "%s", error);
  release(link);
  link->state = OVER;
  link->reason = reason;
}

/* ---- Opening: each function moves the link on by at most one state. ---- */

static bool has_passed(uint32_t due_ms) { return (int32_t)(alink_port_now_ms() - due_ms) >= 0; }

static void established(struct link *link) {
  int on = 1;
  if (link->peer.datagram) {
    link->state = UP;
    return;
  }
  (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  link->state = link->peer.tls ? SHAKING : UP;
  link->wants_write = link->peer.tls;
  if (link->peer.tls && !alink_tls_begin(link->ch, link->fd, link->peer.host, link->peer.port, link->address))
    finish(link, ALINK_CLOSED_UNREACHABLE, "TLS: no memory");
}

/** Try addresses until one is under way or none is left. */
static void connect_next(struct link *link) {
  while (link->next != NULL) {
    const struct addrinfo *address = link->next;
    link->next = address->ai_next;
    if (link->fd >= 0) (void)close(link->fd);
    link->fd = socket(address->ai_family, address->ai_socktype, 0);
    if (link->fd < 0) continue;
    (void)fcntl(link->fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(link->fd, F_SETFL, O_NONBLOCK);
    link->state = CONNECTING;
    link->address_due_ms = alink_port_now_ms() + ADDRESS_MS;
    if (connect(link->fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS) return;
    (void)snprintf(link->error, sizeof link->error, "%s", strerror(errno));
  }
  finish(link, ALINK_CLOSED_UNREACHABLE, "no address");
}

static void begin_lookup(struct link *link) {
  link->lookup = alink_lookup_begin(&link->peer, &link->address);
  if (link->lookup == NULL) finish(link, ALINK_CLOSED_UNREACHABLE, "no memory, or no thread to resolve the name");
  else link->state = RESOLVING;
}

static void look_up_step(struct link *link) {
  int error;
  if (!alink_lookup_done(link->lookup, &link->next, &error)) return;
  if (error != 0) finish(link, ALINK_CLOSED_UNREACHABLE, gai_strerror(error));
  else connect_next(link);
}

static void connect_step(struct link *link) {
  struct pollfd fd = {link->fd, POLLOUT, 0};
  int error = 0;
  socklen_t length = sizeof error;
  if (poll(&fd, 1, 0) <= 0) {
    if (has_passed(link->address_due_ms) && link->next != NULL) connect_next(link);
    return;
  }
  if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error == 0) {
    established(link);
    return;
  }
  (void)snprintf(link->error, sizeof link->error, "%s", strerror(error));
  connect_next(link);
}

static void handshake_step(struct link *link) {
  char why[160];
  int32_t result = alink_tls_shake(link->ch, &link->wants_write, why, sizeof why);
  if (result == ALINK_LINK_UP) link->state = UP;
  else if (result >= 0) finish(link, result, why);
}

/** After our last bytes: read on and drop, so that the kernel does not reset the link under the peer. */
static void close_step(struct link *link) {
  uint8_t dropped[512];
  ssize_t n;
  if (link->wants_write) {
    link->wants_write = !alink_tls_say_goodbye(link->ch);
    if (!link->wants_write) (void)shutdown(link->fd, SHUT_WR);
  }
  for (int i = 0; i < 64; i++) {
    n = recv(link->fd, dropped, sizeof dropped, 0);
    if (n > 0) continue;
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) finish(link, ALINK_CLOSED_LOCAL, NULL);
    break;
  }
}

/* ---- port.h ---- */

void alink_port_open(int32_t ch, const char *uri, uint32_t length) {
  struct link *link = &links[ch];
  link->ch = ch;
  link->fd = -1;
  link->error[0] = '\0';
  link->wants_write = false;
  link->due_ms = alink_port_now_ms() + OPEN_MS;
  if (alink_peer_parse(&link->peer, uri, length)) begin_lookup(link);
  else finish(link, ALINK_CLOSED_UNREACHABLE, "the peer is not a URI like tcp://host:port, tls://host:port or udp://host:port");
}

int32_t alink_port_link(int32_t ch) {
  struct link *link = &links[ch];
  if (link->state == RESOLVING) look_up_step(link);
  if (link->state == CONNECTING) connect_step(link);
  if (link->state == SHAKING) handshake_step(link);
  if (link->state == CLOSING) close_step(link);
  if (link->state > FREE && link->state < UP && has_passed(link->due_ms))
    finish(link, ALINK_CLOSED_UNREACHABLE, "no connection within 15 s");
  if (link->state == CLOSING && has_passed(link->due_ms)) finish(link, ALINK_CLOSED_LOCAL, NULL);
  if (link->state == UP || link->state == CLOSING) return ALINK_LINK_UP;
  if (link->state != OVER) return ALINK_LINK_OPENING;
  link->state = FREE;
  return link->reason;
}

/** The link goes on: whether a datagram was lost is for the module to find out. */
static void note(struct link *link, int error) {
  if (error != 0) (void)snprintf(link->error, sizeof link->error, "%s", strerror(error));
}

int32_t alink_port_send(int32_t ch, const uint8_t *bytes, uint32_t length) {
  struct link *link = &links[ch];
  if (link->state != UP) return link->state == OVER ? -1 : 0;
  ssize_t n;
  int error = 0;
  if (link->peer.datagram) {
    n = alink_datagram_send(link->fd, bytes, length, &error);
    note(link, error);
  } else if (link->peer.tls) n = alink_tls_send(ch, bytes, length);
  else {
    n = send(link->fd, bytes, length, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
  }
  if (n >= 0) return (int32_t)n;
  finish(link, ALINK_CLOSED_BROKEN, link->peer.tls ? "TLS: the link broke" : strerror(errno));
  return -1;
}

static int32_t receive_tls(struct link *link, uint8_t *bytes, uint32_t length) {
  char why[160];
  int32_t reason;
  int32_t n = alink_tls_receive(link->ch, bytes, length, &reason, why, sizeof why);
  if (n < 0) finish(link, reason, why);
  return n;
}

int32_t alink_port_receive(int32_t ch, uint8_t *bytes, uint32_t length) {
  struct link *link = &links[ch];
  if (link->state != UP) return link->state == OVER ? -1 : 0;
  if (link->peer.tls) return receive_tls(link, bytes, length);
  int error = 0;
  if (link->peer.datagram) {
    int32_t got = alink_datagram_receive(link->fd, bytes, length, &error);
    note(link, error);
    return got;
  }
  ssize_t n = recv(link->fd, bytes, length, 0);
  if (n > 0) return (int32_t)n;
  if (n == 0) finish(link, ALINK_CLOSED_PEER, "the peer closed the link");
  else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
  else finish(link, ALINK_CLOSED_BROKEN, strerror(errno));
  return -1;
}

void alink_port_close(int32_t ch, bool at_once) {
  struct link *link = &links[ch];
  if (at_once) {
    release(link);
    link->state = FREE;
  } else if (link->state == UP && !link->peer.datagram) {
    link->state = CLOSING;
    link->due_ms = alink_port_now_ms() + LINGER_MS;
    link->wants_write = link->peer.tls;
    if (!link->peer.tls) (void)shutdown(link->fd, SHUT_WR);
    close_step(link);
  } else if (link->state != FREE && link->state != OVER) finish(link, ALINK_CLOSED_LOCAL, NULL);
}

/* ---- For port_posix.c. ---- */

nfds_t alink_links_watch(struct pollfd *fds, const uint8_t interest[ALINK_CHANNELS]) {
  nfds_t count = 0;
  for (int ch = 0; ch < ALINK_CHANNELS; ch++) {
    const struct link *link = &links[ch];
    int events = 0;
    if (link->state == CONNECTING) events = POLLOUT;
    else if (link->state == SHAKING) events = link->wants_write ? POLLOUT : POLLIN;
    else if (link->state == CLOSING) events = POLLIN | (link->wants_write ? POLLOUT : 0);
    else if (link->state == UP)
      events = ((interest[ch] & ALINK_INTEREST_RECEIVE) != 0 ? POLLIN : 0) |
               ((interest[ch] & ALINK_INTEREST_SEND) != 0 ? POLLOUT : 0);
    if (events != 0) fds[count++] = (struct pollfd){link->fd, (short)events, 0};
  }
  return count;
}

int alink_links_due(void) {
  int due = -1;
  for (int ch = 0; ch < ALINK_CHANNELS; ch++) {
    const struct link *link = &links[ch];
    if (link->state == FREE || link->state == UP) continue;
    bool address = link->state == CONNECTING && link->next != NULL;
    int32_t left = (int32_t)((address ? link->address_due_ms : link->due_ms) - alink_port_now_ms());
    if (link->state == OVER || left < 0) left = 0;
    if (due < 0 || left < due) due = left;
  }
  return due;
}

const char *alink_link_error(int32_t ch) { return links[ch].error; }

void alink_links_end(void) {
  for (int ch = 0; ch < ALINK_CHANNELS; ch++) {
    if (links[ch].state != FREE) release(&links[ch]);
    links[ch].state = FREE;
  }
  alink_tls_end();
}
