/* Peers: the URI that the module gives, and addresses for its name, resolved in a thread of their own. For posix_link.c. */
#ifndef ALINK_POSIX_LOOKUP_H
#define ALINK_POSIX_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

/** Where a link goes. */
struct alink_peer {
  bool tls, datagram;
  char host[256], port[8];
};

/** Split tcp://host:port, tls://[address]:port or udp://…, `length` bytes without a terminator. -> false: it is none. */
bool alink_peer_parse(struct alink_peer *peer, const char *uri, uint32_t length);

/** A name that is being resolved. */
struct alink_lookup;

/**
 * Begin; an address needs no thread, and is there at once (`address`). alink_port_wake is called when a name is.
 * -> NULL: there is no memory, or no thread.
 */
struct alink_lookup *alink_lookup_begin(const struct alink_peer *peer, bool *address);
/** -> whether it is over: `found` has the addresses, which hold until alink_lookup_drop; or `error` is for gai_strerror. */
bool alink_lookup_done(const struct alink_lookup *lookup, const struct addrinfo **found, int *error);
/** Give it up, done or not; its thread, which cannot be stopped, cleans up behind itself. NULL: nothing. */
void alink_lookup_drop(struct alink_lookup *lookup);

#endif
