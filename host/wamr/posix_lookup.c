#define _XOPEN_SOURCE 700
#include "posix_lookup.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "port.h"

/** Link and thread hold it; whoever comes last frees it. */
struct alink_lookup {
  struct alink_peer peer;
  struct addrinfo *found;
  int error;
  bool done, abandoned;
};

static pthread_mutex_t lookups = PTHREAD_MUTEX_INITIALIZER;

bool alink_peer_parse(struct alink_peer *peer, const char *uri, uint32_t length) {
  char text[ALINK_MQTT_RX];
  if (length >= sizeof text || length < 6) return false;
  memcpy(text, uri, length);
  text[length] = '\0';
  peer->tls = strncmp(text, "tls://", 6) == 0;
  peer->datagram = strncmp(text, "udp://", 6) == 0;
  if (!peer->tls && !peer->datagram && strncmp(text, "tcp://", 6) != 0) return false;
  char *host = text + 6, *colon = strrchr(text, ':'), *end;
  if (colon < host) return false;
  *colon = '\0';
  size_t n = strlen(host);
  if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
    host[n - 1] = '\0';
    host++;
  }
  long port = strtol(colon + 1, &end, 10);
  if (host[0] == '\0' || strlen(host) >= sizeof peer->host || *end != '\0' || port < 1 || port > 65535) return false;
  memcpy(peer->host, host, strlen(host) + 1);
  (void)snprintf(peer->port, sizeof peer->port, "%u", (unsigned)port & 0xffffU);
  return true;
}

/** -> as getaddrinfo. */
static int ask(const struct alink_peer *peer, int flags, struct addrinfo **found) {
  struct addrinfo hints;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = peer->datagram ? SOCK_DGRAM : SOCK_STREAM;
  hints.ai_flags = flags;
  return getaddrinfo(peer->host, peer->port, &hints, found);
}

static void discard(struct alink_lookup *lookup) {
  if (lookup->found != NULL) freeaddrinfo(lookup->found);
  free(lookup);
}

static void *resolve(void *argument) {
  struct alink_lookup *lookup = argument;
  struct addrinfo *found = NULL;
  int error = ask(&lookup->peer, AI_ADDRCONFIG, &found);
  pthread_mutex_lock(&lookups);
  lookup->found = error == 0 ? found : NULL;
  lookup->error = error;
  lookup->done = true;
  bool abandoned = lookup->abandoned;
  pthread_mutex_unlock(&lookups);
  if (abandoned) discard(lookup);
  else alink_port_wake();
  return NULL;
}

struct alink_lookup *alink_lookup_begin(const struct alink_peer *peer, bool *address) {
  pthread_t thread;
  struct alink_lookup *lookup = calloc(1, sizeof *lookup);
  if (lookup == NULL) return NULL;
  lookup->peer = *peer;
  *address = lookup->done = ask(peer, AI_NUMERICHOST | AI_NUMERICSERV, &lookup->found) == 0;
  if (lookup->done) return lookup;
  lookup->found = NULL;
  if (pthread_create(&thread, NULL, resolve, lookup) == 0) {
    pthread_detach(thread);
    return lookup;
  }
  free(lookup);
  return NULL;
}

bool alink_lookup_done(const struct alink_lookup *lookup, const struct addrinfo **found, int *error) {
  pthread_mutex_lock(&lookups);
  bool done = lookup->done;
  pthread_mutex_unlock(&lookups);
  if (!done) return false;
  *found = lookup->found;
  *error = lookup->error;
  return true;
}

void alink_lookup_drop(struct alink_lookup *lookup) {
  if (lookup == NULL) return;
  pthread_mutex_lock(&lookups);
  bool done = lookup->done;
  lookup->abandoned = true;
  pthread_mutex_unlock(&lookups);
  if (done) discard(lookup);
}
