/* `alink-wamr`: one device on WAMR until a signal ends it, with the device file and the events of `alink-agent run`. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <limits.h>
#include <mbedtls/sha256.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "posix.h"

/** POOL and STACK are generous here; docs/wamr.md tells what a board needs. EVENT is the Node host's limit. */
enum { POOL = 1024 * 1024, STACK = 8192, CAPSULE = 256 * 1024, EVENT = 2 * 1024 * 1024, DEVICE_FILE = 65536, REPLIES = 16, DOCUMENTS = 8 };

static const char USAGE[] =
    "usage: alink-wamr DEVICE.json [--endpoint URL] [--ca FILE] [--flash FILE] [--allow-plain mqtt,http]\n"
    "                  [--properties JSON] [--event IDENTIFIER=JSON] [--confirm accept|later|never] [--module FILE]\n"
    "                  [--capsule FILE] [--memory] [--json]\n"
    "  --confirm  the answer to each update when the device file has \"updateConfirm\":\"ask\" (default: accept)\n"
    "  --module   the module (default: build/agent.wasm, build/agent-coap.wasm for a coap:// endpoint)\n"
    "  --capsule  keep what a trap leaves here (default: nowhere)\n"
    "  --memory   at the end, print what the runtime took of its pool\n"
    "The other options, the device file and the exit codes are those of `alink-agent run`.\n";

static struct {
  const char *device, *endpoint, *ca, *flash, *allow_plain, *properties, *event, *confirm, *module, *capsule;
  bool memory, json;
} options = {.confirm = "accept"};

static struct alink_agent agent;
static struct alink_document documents[DOCUMENTS];
static char document_texts[DOCUMENTS][ALINK_IN_WINDOW];
static uint32_t document_count;
static uint64_t pool[POOL / sizeof(uint64_t)];
static uint8_t capsule[CAPSULE], module_digest[32];
static char event[EVENT + 1];
static uint32_t event_length;
static int32_t replies[REPLIES];
static uint32_t reply_first, reply_count;
static bool properties_due, event_due;
/** Of --event. */
static char event_identifier[ALINK_IN_WINDOW], event_params[ALINK_IN_WINDOW + 16];
/** What to check when the module does not take the post in the mailbox. */
static const char *hint = "";
/** Post that answers the question about an update; 0 = none is due. */
static int32_t decision;
static char device_text[DEVICE_FILE], device_name[128], secret[128], flash_path[PATH_MAX], failure[512], fault[512];
static volatile sig_atomic_t ended_by;

static int fail(int code, const char *what, const char *why) {
  (void)fprintf(stderr, "alink-wamr: %s%s%s\n", what, why[0] == '\0' ? "" : ": ", why);
  return code;
}

/* ---- Signals. ---- */

static void on_signal(int number) {
  /* A second Ctrl-C does not wait for the orderly end. SIGTERM may come twice by itself, from timeout(1) for one. */
  if (ended_by != 0 && number == SIGINT) _exit(130);
  ended_by = number;
  alink_agent_stop(&agent);
}

static void catch_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  (void)sigaction(SIGTERM, &action, NULL);
  (void)sigaction(SIGINT, &action, NULL);
  action.sa_handler = SIG_IGN;
  (void)sigaction(SIGPIPE, &action, NULL);
}

/* ---- Events. ---- */

static void on_log(const char *text) {
  char quoted[1024];
  uint32_t length = alink_json_quote(quoted, 0, sizeof quoted - 1, text);
  quoted[length] = '\0';
  (void)printf("{\"event\":\"fault\",\"code\":0,\"detail\":0,\"desc\":%s}\n", length == 0 ? "\"\"" : quoted);
  (void)fflush(stdout);
}

static long number(const char *name) {
  uint32_t length;
  const char *value = alink_json_member(event, name, &length);
  return value == NULL ? 0 : strtol(value, NULL, 10);
}

static void keep_fault(void) {
  uint32_t length;
  const char *desc = alink_json_member(event, "desc", &length);
  if (number("code") >= 0 || fault[0] != '\0' || desc == NULL) return;
  if (alink_json_string(desc, length, fault, sizeof fault) < 0) fault[0] = '\0';
}

/** Ends the program when the device cannot get further by itself; an orderly end belongs to a restart. */
static void look_at_disconnect(void) {
  long code = number("code"), detail = number("detail");
  const char *link = alink_link_error(0);
  if (code == ALINK_CODE_UNTRUSTED)
    (void)snprintf(failure, sizeof failure,
                   "the certificate of the platform is not trusted%s%s: name the certificate authority with --ca FILE, "
                   "and use the host name that the certificate names",
                   link[0] == '\0' ? "" : ": ", link);
  else if (code == ALINK_CODE_REFUSED && detail != 3 && detail != 0)
    (void)snprintf(failure, sizeof failure,
                   "the platform refused the identity of %s: %s %ld: check deviceSecret, productKey and "
                   "deviceName",
                   device_name, detail < 400 ? "CONNACK" : "CoAP", detail);
  else if (number("retryMs") >= 0 || code == ALINK_CODE_OK) return;
  else
    (void)snprintf(failure, sizeof failure, "%s was disconnected for good: %ld%s%s", device_name, code,
                   link[0] == '\0' ? "" : ", ", link);
  alink_agent_stop(&agent);
}

/** The mailbox has one place: what does not fit waits for on_taken. */
static void hand_over(void) {
  if (properties_due) {
    uint32_t length = (uint32_t)strlen(options.properties);
    if (alink_agent_post(&agent, ALINK_POST_PROPERTY, options.properties, length) != ALINK_CODE_BUSY)
      properties_due = false;
  }
  if (event_due) {
    int32_t result = alink_agent_post_event(&agent, event_identifier, event_params, (uint32_t)strlen(event_params));
    event_due = result == ALINK_CODE_BUSY;
    if (result == ALINK_CODE_OK) hint = ": an event's identifier has 1 to 50 letters, digits and _, and is not property";
    else if (!event_due) alink_port_log("the event has more bytes than a post takes");
  }
  if (decision != 0 && alink_agent_post(&agent, decision, NULL, 0) != ALINK_CODE_BUSY) decision = 0;
  if (reply_count > 0 && alink_agent_reply(&agent, replies[reply_first], 200, NULL, 0) == ALINK_CODE_OK) {
    reply_first = (reply_first + 1) % REPLIES;
    reply_count--;
  }
}

static void on_taken(void *context, int32_t result) {
  char line[160];
  (void)context;
  (void)snprintf(line, sizeof line, "the module did not take a post: code %ld%s", (long)result,
                 result == ALINK_CODE_BAD_ARGUMENT ? hint : "");
  if (result < 0) alink_port_log(line);
  hint = "";
  hand_over();
}

/** Without an application every property set is answered with 200, as the Node host does. */
static void answer(void) {
  if (reply_count == REPLIES) alink_port_log("a property set was not answered: too many wait");
  else replies[(reply_first + reply_count++) % REPLIES] = (int32_t)number("token");
  hand_over();
}

/** -> the post for a word of --confirm; 0 = it is none of them. */
static int32_t decision_of(const char *word) {
  if (strcmp(word, "accept") == 0) return ALINK_POST_UPDATE_ACCEPT;
  if (strcmp(word, "later") == 0) return ALINK_POST_UPDATE_LATER;
  return strcmp(word, "never") == 0 ? ALINK_POST_UPDATE_NEVER : 0;
}

static void decide(void) {
  uint32_t length;
  const char *confirm = alink_json_member(event, "confirm", &length);
  if (confirm == NULL || length != 4 || memcmp(confirm, "true", 4) != 0) return;
  decision = decision_of(options.confirm);
  hand_over();
}

static void on_event(void *context, int32_t kind, const char *text, uint32_t length, int32_t more) {
  (void)context;
  static bool connected;
  if (event_length + length > EVENT) event_length = EVENT + 1;
  else memcpy(event + event_length, text, length);
  event_length += length;
  if (more == ALINK_PIECE_MORE) return;
  uint32_t whole = event_length;
  event_length = 0;
  if (more == ALINK_PIECE_ABANDONED || whole == 0) return;
  if (whole > EVENT) {
    alink_port_log("an event was dropped: more than 2 MiB");
    return;
  }
  event[whole] = '\0';
  (void)printf("%s\n", event);
  (void)fflush(stdout);
  if (kind == ALINK_EVENT_FAULT) keep_fault();
  else if (kind == ALINK_EVENT_DISCONNECTED) look_at_disconnect();
  else if (kind == ALINK_EVENT_PROPERTY_SET) answer();
  else if (kind == ALINK_EVENT_UPDATE_OFFERED) decide();
  else if (kind == ALINK_EVENT_CONNECTED && !connected) {
    connected = true;
    properties_due = options.properties != NULL;
    event_due = options.event != NULL;
    hand_over();
  }
}

/* ---- Arguments and files. ---- */

static bool parse_arguments(int argc, char **argv) {
  const struct {
    const char *name;
    const char **value;
  } known[] = {{"--endpoint", &options.endpoint},       {"--ca", &options.ca},
               {"--flash", &options.flash},             {"--allow-plain", &options.allow_plain},
               {"--properties", &options.properties},   {"--event", &options.event},
               {"--module", &options.module},
               {"--capsule", &options.capsule},         {"--confirm", &options.confirm}};
  for (int i = 1; i < argc; i++) {
    size_t k = 0;
    while (k < sizeof known / sizeof known[0] && strcmp(argv[i], known[k].name) != 0) k++;
    if (k < sizeof known / sizeof known[0]) {
      if (++i == argc) return false;
      *known[k].value = argv[i];
    } else if (strcmp(argv[i], "--json") == 0) options.json = true;
    else if (strcmp(argv[i], "--memory") == 0) options.memory = true;
    else if (argv[i][0] == '-' || options.device != NULL) return false;
    else options.device = argv[i];
  }
  return options.device != NULL && decision_of(options.confirm) != 0;
}

/** -> its length; -1 with errno: it cannot be read, or has `room` bytes or more. */
static long read_file(const char *path, char *bytes, size_t room) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return -1;
  size_t length = fread(bytes, 1, room, file);
  int error = ferror(file) != 0 ? errno : length < room ? 0 : EFBIG;
  (void)fclose(file);
  errno = error;
  return error == 0 ? (long)length : -1;
}

static void add_document(const char *text, uint32_t length) {
  documents[document_count++] = (struct alink_document){text, length};
}

/** {"name":"value"}; an environment variable that is not set, or empty, is none. -> false: it does not fit. */
static bool add_member(const char *name, const char *value) {
  char *text = document_texts[document_count];
  if (value == NULL || value[0] == '\0') return true;
  uint32_t length = (uint32_t)snprintf(text, ALINK_IN_WINDOW, "{\"%s\":", name);
  length = alink_json_quote(text, length, ALINK_IN_WINDOW - 1, value);
  if (length == 0) return false;
  text[length++] = '}';
  add_document(text, length);
  return true;
}

/** mqtt,http → {"allowPlain":["mqtt","http"]}. */
static bool add_allow_plain(const char *list) {
  char *text = document_texts[document_count];
  bool mqtt = strcmp(list, "mqtt") == 0, http = strcmp(list, "http") == 0;
  if (!mqtt && !http && strcmp(list, "mqtt,http") != 0 && strcmp(list, "http,mqtt") != 0) return false;
  int length = snprintf(text, ALINK_IN_WINDOW, "{\"allowPlain\":[%s]}",
                        mqtt ? "\"mqtt\"" : http ? "\"http\"" : "\"mqtt\",\"http\"");
  add_document(text, (uint32_t)length);
  return true;
}

/** Leave --properties compact. -> NULL, or what is wrong with it. */
static const char *check_properties(void) {
  static char text[ALINK_IN_WINDOW + 1];
  if (options.properties == NULL) return NULL;
  size_t length = strlen(options.properties);
  if (length >= sizeof text) return "has more bytes than the 1024 that a post takes";
  memcpy(text, options.properties, length + 1);
  if (alink_json_compact(text, (uint32_t)length) == 0) return "takes a JSON object, e.g. {\"temperature\":21.5}";
  options.properties = text;
  return NULL;
}

/** IDENTIFIER=JSON → identifier and params. -> NULL, or what is wrong with it. */
static const char *read_event(void) {
  char value[ALINK_IN_WINDOW + 1];
  if (options.event == NULL) return NULL;
  const char *json = strchr(options.event, '=');
  size_t length = json == NULL ? 0 : strlen(++json);
  if (strlen(options.event) >= sizeof value) return "has more bytes than the 1024 that a post takes";
  memcpy(value, json == NULL ? "" : json, length + 1);
  uint32_t compact = alink_json_compact(value, (uint32_t)length);
  if (compact == 0) return "takes an identifier, \"=\" and a JSON object, e.g. alarm={\"errorCode\":\"E1\"}";
  (void)snprintf(event_identifier, sizeof event_identifier, "%.*s", (int)(json - options.event) - 1, options.event);
  (void)snprintf(event_params, sizeof event_params, "{\"value\":%.*s}", (int)compact, value);
  return NULL;
}

/** The identity from the environment, else from the file; both are needed by the host itself. */
static void read_identity(const char *member, const char *variable, char *bytes, uint32_t room) {
  uint32_t length;
  const char *override = getenv(variable);
  const char *value = alink_json_member(device_text, member, &length);
  if (override != NULL && override[0] != '\0') (void)snprintf(bytes, room, "%s", override);
  else if (value == NULL || alink_json_string(value, length, bytes, room) < 0) bytes[0] = '\0';
}

/** DEVICENAME.flash beside the device file; ":" is legal in a name but not in every file system. */
static void default_flash(void) {
  const char *slash = strrchr(options.device, '/');
  int folder = slash == NULL ? 0 : (int)(slash - options.device) + 1;
  (void)snprintf(flash_path, sizeof flash_path, "%.*s%s.flash", folder, options.device,
                 device_name[0] == '\0' ? "device" : device_name);
  for (char *at = flash_path + folder; *at != '\0'; at++)
    if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-", *at) == NULL) *at = '_';
  options.flash = flash_path;
}

/** CoAP has a module of its own. */
static void choose_module(void) {
  uint32_t length;
  const char *member = alink_json_member(device_text, "endpoint", &length);
  /* A string stands in the file with its quote. */
  const char *endpoint = options.endpoint != NULL ? options.endpoint : member == NULL ? "" : member + 1;
  if (options.module != NULL) return;
  options.module = strncmp(endpoint, "coap://", 7) == 0 ? "build/agent-coap.wasm" : "build/agent.wasm";
}

static int read_device(struct alink_layout *layout) {
  uint32_t length = 0;
  long bytes = read_file(options.device, device_text, sizeof device_text);
  if (bytes < 0) {
    (void)snprintf(failure, sizeof failure, "cannot read the device file %s", options.device);
    return fail(1, failure, strerror(errno));
  }
  (void)snprintf(failure, sizeof failure, "device file %s", options.device);
  uint32_t compact = alink_json_compact(device_text, (uint32_t)bytes);
  if (compact == 0) return fail(1, failure, "is not a JSON object (it ends too early or is not JSON at all)");
  device_text[compact] = '\0';
  const char *flash = alink_json_member(device_text, "flash", &length);
  const char *wrong = alink_layout_read(flash, length, layout);
  if (wrong != NULL) return fail(1, failure, wrong);
  read_identity("deviceName", "ALINK_DEVICE_NAME", device_name, sizeof device_name);
  read_identity("deviceSecret", "ALINK_DEVICE_SECRET", secret, sizeof secret);
  add_document(device_text, compact);
  choose_module();
  if (!add_member("productKey", getenv("ALINK_PRODUCT_KEY")) ||
      !add_member("deviceName", getenv("ALINK_DEVICE_NAME")) ||
      !add_member("deviceSecret", getenv("ALINK_DEVICE_SECRET")) || !add_member("endpoint", options.endpoint))
    return fail(1, "an override", "--endpoint or an ALINK_ variable is too long or has control characters");
  if (options.allow_plain != NULL && !add_allow_plain(options.allow_plain))
    return fail(2, "--allow-plain", "takes a list of mqtt and http, e.g. mqtt,http");
  /* Last and complete, so that module and host agree on every region. */
  char *text = document_texts[document_count];
  add_document(text, alink_layout_write(layout, text, ALINK_IN_WINDOW));
  failure[0] = '\0';
  return 0;
}

static void print_memory(void) {
  mem_alloc_info_t info;
  if (!options.memory || !wasm_runtime_get_mem_alloc_info(&info)) return;
  (void)printf("{\"event\":\"memory\",\"pool\":%lu,\"used\":%lu,\"peak\":%lu,\"linear\":%lu}\n",
               (unsigned long)info.total_size, (unsigned long)(info.total_size - info.total_free_size),
               (unsigned long)info.highmark_size, (unsigned long)agent.heap_base);
}

static int run(const uint8_t *module, uint32_t size) {
  const struct alink_agent_options settings = {.module = module,
                                               .module_size = size,
                                               .pool = pool,
                                               .pool_size = sizeof pool,
                                               .stack_size = STACK,
                                               .documents = documents,
                                               .document_count = document_count,
                                               .secret = {secret, (uint32_t)strlen(secret)},
                                               .module_digest = module_digest,
                                               .capsule = options.capsule == NULL ? NULL : capsule,
                                               .capsule_size = sizeof capsule,
                                               .on_event = on_event,
                                               .on_taken = on_taken,
                                               .on_capsule = alink_posix_capsule};
  int32_t result = alink_agent_start(&agent, &settings);
  if (ended_by != 0) alink_agent_stop(&agent);
  if (result == 0) result = alink_agent_run(&agent);
  print_memory();
  int code = 0;
  if (result == ALINK_BAD_CONFIGURATION && fault[0] != '\0') code = fail(1, options.device, fault);
  else if (result < 0) code = fail(1, alink_agent_error(&agent), "");
  else if (failure[0] != '\0') code = fail(1, failure, "");
  else if (ended_by == SIGINT) code = 130;
  alink_agent_end(&agent);
  return code;
}

int main(int argc, char **argv) {
  struct alink_layout layout;
  static char module[512 * 1024];
  if (argc == 2 && strcmp(argv[1], "--help") == 0) {
    (void)fputs(USAGE, stdout);
    return 0;
  }
  if (!parse_arguments(argc, argv)) {
    (void)fputs(USAGE, stderr);
    return 2;
  }
  const char *improper = check_properties();
  if (improper != NULL) return fail(2, "--properties", improper);
  improper = read_event();
  if (improper != NULL) return fail(2, "--event", improper);
  int code = read_device(&layout);
  if (code != 0) return code;
  long size = read_file(options.module, module, sizeof module);
  if (size < 0) {
    (void)snprintf(failure, sizeof failure, "cannot read the module %s (npm run build makes it)", options.module);
    return fail(1, failure, strerror(errno));
  }
  /* Before the runtime writes into the module's bytes. */
  if (mbedtls_sha256_ret((const uint8_t *)module, (size_t)size, module_digest, 0) != 0)
    return fail(1, "the module", "its SHA-256 cannot be computed");
  if (options.flash == NULL) default_flash();
  if (options.json) alink_posix_log_to(on_log);
  const char *wrong = alink_posix_open(options.flash, &layout, options.ca, options.capsule);
  catch_signals();
  code = wrong != NULL ? fail(1, wrong, "") : run((const uint8_t *)module, (uint32_t)size);
  alink_posix_close();
  return code;
}
