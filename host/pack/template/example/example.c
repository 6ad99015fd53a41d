/*
 * The least that a firmware has to say: who it is, which flash it has, what it does with events. Copy it, and put your
 * own board's port, flash and provisioning in the places marked BOARD. On the reference port it is `alink-example`:
 *   ALINK_DEVICE_SECRET=… alink-example PRODUCT_KEY DEVICE_NAME ENDPOINT [CA_FILE FLASH_FILE]
 * Over CoAP there is neither CA nor flash.
 */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "agent_module.h"

/* BOARD: the flash, in bytes; docs/configuration.md tells the rules. Without this document there are no updates. */
#define FLASH \
  "{\"flash\":{\"sector\":4096,\"write\":16,\"slots\":[[0,1048576],[1048576,1048576]],\"state\":[2097152,8192]," \
  "\"queue\":[2105344,8192],\"boot\":[2113536,8192]}}"

static struct alink_agent agent;
static char identity[512];
static bool has_flash = true;

/** Events come as JSON, long ones in pieces. A property set is answered; the properties go up once connected. */
static void on_event(void *context, int32_t kind, const char *text, uint32_t length, int32_t more) {
  static const char properties[] = "{\"example\":1}";
  (void)context, (void)more;
  char line[420];
  (void)snprintf(line, sizeof line, "%.*s", (int)length, text);
  alink_port_log(line);
  if (kind == ALINK_EVENT_CONNECTED)
    (void)alink_agent_post(&agent, ALINK_POST_PROPERTY, properties, sizeof properties - 1);
}

static int32_t run(const char *secret) {
  static const char flash[] = FLASH;
  const struct alink_document documents[] = {{identity, (uint32_t)strlen(identity)}, {flash, sizeof flash - 1}};
  const struct alink_agent_options options = {
      .module = agent_wasm, .module_size = agent_wasm_size, .module_in_flash = ALINK_MODULE_IN_FLASH,
      .pool = alink_pool, .pool_size = alink_pool_size, .stack_size = ALINK_STACK_BYTES,
      .documents = documents, .document_count = has_flash ? 2 : 1,
      .secret = {secret, (uint32_t)strlen(secret)}, .module_digest = agent_wasm_digest,
      .on_event = on_event,
  };
  int32_t result = alink_agent_start(&agent, &options);
  if (result == 0) result = alink_agent_run(&agent);
  if (result < 0) alink_port_log(alink_agent_error(&agent));
  alink_agent_end(&agent);
  return result;
}

static bool identify(const char *product_key, const char *device_name, const char *secret, const char *endpoint) {
  int length = snprintf(identity, sizeof identity,
                        "{\"productKey\":\"%s\",\"deviceName\":\"%s\",\"deviceSecret\":\"%s\",\"endpoint\":\"%s\","
                        "\"version\":\"1.0.0\"}",
                        product_key, device_name, secret, endpoint);
  return length > 0 && (size_t)length < sizeof identity;
}

#ifdef ALINK_EXAMPLE_POSIX
#include <stdlib.h>

#include "posix.h"

static void on_signal(int number) {
  (void)number;
  alink_agent_stop(&agent);
}

int main(int argc, char **argv) {
  const struct alink_layout layout = {4096, 16, 255, {{0, 1048576}, {1048576, 1048576}}, {2097152, 8192},
                                      {2105344, 8192}, {2113536, 8192}};
  const char *secret = getenv("ALINK_DEVICE_SECRET");
  if ((argc != 4 && argc != 6) || secret == NULL || !identify(argv[1], argv[2], secret, argv[3])) {
    (void)fputs("usage: ALINK_DEVICE_SECRET=… alink-example PRODUCT_KEY DEVICE_NAME ENDPOINT [CA_FILE FLASH_FILE]\n",
                stderr);
    return 2;
  }
  has_flash = argc == 6;
  const char *wrong = alink_posix_open(has_flash ? argv[5] : NULL, &layout, has_flash ? argv[4] : NULL, NULL);
  if (wrong != NULL) {
    (void)fprintf(stderr, "alink-example: %s\n", wrong);
    return 1;
  }
  (void)signal(SIGTERM, on_signal);
  (void)signal(SIGPIPE, SIG_IGN);
  int32_t result = run(secret);
  alink_posix_close();
  return result < 0;
}
#else
/* BOARD: call this from the thread that is to own the agent (on ESP-IDF one made by pthread_create: WAMR asks for the
 * thread it runs in by pthread_self), with the secret from your provisioning storage. */
int32_t alink_example_run(const char *product_key, const char *device_name, const char *secret, const char *endpoint) {
  return identify(product_key, device_name, secret, endpoint) ? run(secret) : ALINK_BAD_CONFIGURATION;
}
#endif
