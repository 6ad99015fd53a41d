/* TLS 1.2 for posix_link.c by mbedTLS 2.28: the server's chain and name verified, sessions resumed by ticket. */
#define _XOPEN_SOURCE 700
#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "posix_tls.h"

struct tls {
  bool made, kept;
  int fd;
  char host[256], peer[272];
  /** Bytes that mbedTLS has begun to send and wants to see again. */
  size_t begun;
  mbedtls_ssl_context ssl;
  /** Of the last handshake, resumed when the same peer is connected to again. */
  mbedtls_ssl_session session;
};

static struct tls contexts[ALINK_CHANNELS];
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_bytes;
static mbedtls_x509_crt authorities;
static mbedtls_ssl_config config;
static bool configured;

const char *alink_tls_trust(const char *file) {
  static const char *const SYSTEM[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                       "/etc/ssl/cert.pem"};
  static char why[320];
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&random_bytes);
  mbedtls_x509_crt_init(&authorities);
  mbedtls_ssl_config_init(&config);
  configured = true;
  if (mbedtls_ctr_drbg_seed(&random_bytes, mbedtls_entropy_func, &entropy, NULL, 0) != 0 ||
      mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                  MBEDTLS_SSL_PRESET_DEFAULT) != 0)
    return "TLS: no entropy or no memory";
  if (file != NULL && mbedtls_x509_crt_parse_file(&authorities, file) != 0) {
    (void)snprintf(why, sizeof why, "CA file %s: cannot be read, or holds no certificate in PEM form", file);
    return why;
  }
  for (size_t i = 0; file == NULL && i < sizeof SYSTEM / sizeof SYSTEM[0]; i++)
    if (mbedtls_x509_crt_parse_file(&authorities, SYSTEM[i]) >= 0) break;
  mbedtls_ssl_conf_ca_chain(&config, &authorities, NULL);
  mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_session_tickets(&config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
  mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_bytes);
  return NULL;
}

/** mbedTLS 2.28 compares dNSName only: an address is compared with iPAddress here (RFC 6125, RFC 5280 §4.2.1.6). */
static int verify_address(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
  const struct tls *tls = context;
  uint8_t address[16];
  if (depth != 0) return 0;
  size_t length = strchr(tls->host, ':') != NULL ? 16 : 4;
  if (inet_pton(length == 16 ? AF_INET6 : AF_INET, tls->host, address) == 1)
    for (const mbedtls_x509_sequence *name = &certificate->subject_alt_names; name != NULL; name = name->next)
      if (name->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7) && name->buf.len == length &&
          memcmp(name->buf.p, address, length) == 0)
        return 0;
  *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
  return 0;
}

static int tls_send(void *context, const unsigned char *bytes, size_t length) {
  ssize_t n = send(((struct tls *)context)->fd, bytes, length, MSG_NOSIGNAL);
  if (n >= 0) return (int)n;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : -1;
}

static int tls_receive(void *context, unsigned char *bytes, size_t length) {
  ssize_t n = recv(((struct tls *)context)->fd, bytes, length, 0);
  if (n >= 0) return (int)n;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : -1;
}

bool alink_tls_begin(int32_t ch, int fd, const char *host, const char *port, bool address) {
  struct tls *tls = &contexts[ch];
  char peer[sizeof tls->peer];
  (void)snprintf(peer, sizeof peer, "%.255s %.8s", host, port);
  (void)snprintf(tls->host, sizeof tls->host, "%.255s", host);
  tls->fd = fd;
  tls->begun = 0;
  mbedtls_ssl_init(&tls->ssl);
  tls->made = true;
  if (mbedtls_ssl_setup(&tls->ssl, &config) != 0) return false;
  /* Addresses are not sent as server name (RFC 6066 §3). */
  if (address) mbedtls_ssl_set_verify(&tls->ssl, verify_address, tls);
  else if (mbedtls_ssl_set_hostname(&tls->ssl, host) != 0) return false;
  mbedtls_ssl_set_bio(&tls->ssl, tls, tls_send, tls_receive, NULL);
  if (tls->kept && strcmp(peer, tls->peer) == 0) (void)mbedtls_ssl_set_session(&tls->ssl, &tls->session);
  memcpy(tls->peer, peer, sizeof peer);
  return true;
}

static void keep_session(struct tls *tls) {
  if (tls->kept) mbedtls_ssl_session_free(&tls->session);
  mbedtls_ssl_session_init(&tls->session);
  tls->kept = mbedtls_ssl_get_session(&tls->ssl, &tls->session) == 0;
}

int32_t alink_tls_shake(int32_t ch, bool *wants_write, char *why, size_t room) {
  struct tls *tls = &contexts[ch];
  int result = mbedtls_ssl_handshake(&tls->ssl);
  *wants_write = result == MBEDTLS_ERR_SSL_WANT_WRITE;
  if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) return ALINK_LINK_OPENING;
  if (result == 0) {
    keep_session(tls);
    return ALINK_LINK_UP;
  }
  why[0] = '\0';
  if (result != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
    mbedtls_strerror(result, why, room);
    return ALINK_CLOSED_UNREACHABLE;
  }
  (void)mbedtls_x509_crt_verify_info(why, room, "", mbedtls_ssl_get_verify_result(&tls->ssl));
  why[strcspn(why, "\n")] = '\0';
  return ALINK_CLOSED_UNTRUSTED;
}

int32_t alink_tls_send(int32_t ch, const uint8_t *bytes, uint32_t length) {
  struct tls *tls = &contexts[ch];
  size_t part = tls->begun > 0 ? tls->begun : length;
  if (part > length) return 0;
  int n = mbedtls_ssl_write(&tls->ssl, bytes, part);
  tls->begun = n == MBEDTLS_ERR_SSL_WANT_WRITE || n == MBEDTLS_ERR_SSL_WANT_READ ? part : 0;
  if (tls->begun > 0) return 0;
  return n < 0 ? -1 : n;
}

int32_t alink_tls_receive(int32_t ch, uint8_t *bytes, uint32_t length, int32_t *reason, char *why, size_t room) {
  int n = mbedtls_ssl_read(&contexts[ch].ssl, bytes, length);
  if (n > 0) return n;
  if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE) return 0;
  bool orderly = n == 0 || n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
  *reason = orderly ? ALINK_CLOSED_PEER : ALINK_CLOSED_BROKEN;
  if (orderly) (void)snprintf(why, room, "the peer closed the link");
  else mbedtls_strerror(n, why, room);
  return -1;
}

bool alink_tls_say_goodbye(int32_t ch) {
  return mbedtls_ssl_close_notify(&contexts[ch].ssl) != MBEDTLS_ERR_SSL_WANT_WRITE;
}

void alink_tls_free(int32_t ch) {
  if (contexts[ch].made) mbedtls_ssl_free(&contexts[ch].ssl);
  contexts[ch].made = false;
}

void alink_tls_end(void) {
  for (int ch = 0; ch < ALINK_CHANNELS; ch++) {
    if (contexts[ch].kept) mbedtls_ssl_session_free(&contexts[ch].session);
    contexts[ch].kept = false;
  }
  if (!configured) return;
  mbedtls_ssl_config_free(&config);
  mbedtls_x509_crt_free(&authorities);
  mbedtls_ctr_drbg_free(&random_bytes);
  mbedtls_entropy_free(&entropy);
  configured = false;
}
