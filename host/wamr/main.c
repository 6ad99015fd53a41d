/* `alink-wamr`: one device on WAMR until a signal ends it, with the device file and the events of `alink-agent run`. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "documents.h"
#include "posix.h"
#include "program.h"
#include "sha256.h"
#include "snapshot_file.h"

/** POOL and STACK are generous here; docs/wamr.md tells what a board needs. */
enum { POOL = 1024 * 1024, STACK = 8192, CAPSULE = 256 * 1024, MODULE = 512 * 1024, EVENTS = 8 };

static const char USAGE[] =
    "usage: alink-wamr DEVICE.json [--endpoint URL] [--ca FILE] [--flash FILE] [--allow-plain mqtt,http]\n"
    "                  [--properties JSON] [--event IDENTIFIER=JSON] [--confirm accept|later|never] [--module FILE]\n"
    "                  [--capsule FILE] [--snapshot FILE] [--memory] [--json]\n"
    "  --event    an event to post once connected; may be given 8 times at most\n"
    "  --confirm  the answer to each update when the device file has \"updateConfirm\":\"ask\" (default: accept)\n"
    "  --module   the module (default: build/agent.wasm, build/agent-coap.wasm for a coap:// endpoint)\n"
    "  --capsule  keep what a trap leaves here (default: nowhere)\n"
    "  --memory   at the end, print what the runtime took of its pool\n"
    "The other options, the device file and the exit codes are those of `alink-agent run`.\n";

static struct {
  const char *device, *endpoint, *ca, *flash, *allow_plain, *properties, *confirm, *module, *capsule, *snapshot,
      *events[EVENTS];
  /** What is beyond EVENTS is counted, but not kept. */
  uint32_t event_count;
  bool memory, json;
} options = {.confirm = "accept"};

static struct alink_agent agent;
static struct alink_device device;
static uint64_t pool[POOL / sizeof(uint64_t)];
static uint8_t capsule[CAPSULE], module_digest[ALINK_SHA256_BYTES];
static char flash_path[ALINK_PATH], failure[ALINK_PATH + 128];
/** Of --event: `{"value":` before what was given, `}` after it, and the identifier. */
static char event_texts[EVENTS][2][ALINK_IN_WINDOW + 16];
static struct alink_thing_event events[EVENTS];
static volatile sig_atomic_t ended_by;

static int fail(int code, const char *what, const char *why) {
  (void)fprintf(stderr, "alink-wamr: %s%s%s\n", what, why[0] == '\0' ? "" : ": ", why);
  return code;
}

/* ---- Signals. ---- */

/** A device that sleeps says nothing to the platform. */
static void end_agent(void) {
  if (options.snapshot != NULL) alink_agent_sleep(&agent);
  else alink_agent_stop(&agent);
}

static void on_signal(int number) {
  /* A second Ctrl-C does not wait for the orderly end. SIGTERM may come twice by itself, from timeout(1) for one. */
  if (ended_by != 0 && number == SIGINT) _exit(130);
  ended_by = number;
  end_agent();
}

static void catch_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  (void)sigaction(SIGTERM, &action, NULL);
  (void)sigaction(SIGINT, &action, NULL);
  action.sa_handler = SIG_IGN;
  (void)sigaction(SIGPIPE, &action, NULL);
  /* A limit on the size of files is an error of the write that meets it. */
  (void)sigaction(SIGXFSZ, &action, NULL);
}

/* ---- Arguments and files. ---- */

/** -> the post for a word of --confirm; 0 = it is none of them. */
static int32_t decision_of(const char *word) {
  if (strcmp(word, "accept") == 0) return ALINK_POST_UPDATE_ACCEPT;
  if (strcmp(word, "later") == 0) return ALINK_POST_UPDATE_LATER;
  return strcmp(word, "never") == 0 ? ALINK_POST_UPDATE_NEVER : 0;
}

static bool parse_arguments(int argc, char **argv) {
  const struct {
    const char *name;
    const char **value;
  } known[] = {{"--endpoint", &options.endpoint},       {"--ca", &options.ca},
               {"--flash", &options.flash},             {"--allow-plain", &options.allow_plain},
               {"--properties", &options.properties},   {"--module", &options.module},
               {"--capsule", &options.capsule},         {"--confirm", &options.confirm},
               {"--snapshot", &options.snapshot}};
  for (int i = 1; i < argc; i++) {
    size_t k = 0;
    while (k < sizeof known / sizeof known[0] && strcmp(argv[i], known[k].name) != 0) k++;
    if (k < sizeof known / sizeof known[0]) {
      if (++i == argc) return false;
      *known[k].value = argv[i];
    } else if (strcmp(argv[i], "--event") == 0) {
      if (++i == argc) return false;
      if (options.event_count < EVENTS) options.events[options.event_count] = argv[i];
      options.event_count++;
    } else if (strcmp(argv[i], "--json") == 0) options.json = true;
    else if (strcmp(argv[i], "--memory") == 0) options.memory = true;
    else if (argv[i][0] == '-' || options.device != NULL) return false;
    else options.device = argv[i];
  }
  return options.device != NULL && decision_of(options.confirm) != 0;
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
static const char *read_event(const char *given, uint32_t number) {
  char value[ALINK_IN_WINDOW + 1];
  char *identifier = event_texts[number][0], *params = event_texts[number][1];
  const char *json = strchr(given, '=');
  size_t length = json == NULL ? 0 : strlen(++json);
  if (strlen(given) >= sizeof value) return "has more bytes than the 1024 that a post takes";
  memcpy(value, json == NULL ? "" : json, length + 1);
  uint32_t compact = alink_json_compact(value, (uint32_t)length);
  if (compact == 0) return "takes an identifier, \"=\" and a JSON object, e.g. alarm={\"errorCode\":\"E1\"}";
  (void)snprintf(identifier, sizeof event_texts[0][0], "%.*s", (int)(json - given) - 1, given);
  (void)snprintf(params, sizeof event_texts[0][0], "{\"value\":%.*s}", (int)compact, value);
  events[number] = (struct alink_thing_event){identifier, params};
  return NULL;
}

/** -> NULL, or what is wrong with --event. */
static const char *read_events(void) {
  const char *wrong = NULL;
  if (options.event_count > EVENTS) return "may be given 8 times at most: post the others the next time";
  for (uint32_t i = 0; i < options.event_count && wrong == NULL; i++) wrong = read_event(options.events[i], i);
  return wrong;
}

/** DEVICENAME.flash beside the device file; ":" is legal in a name but not in every file system. */
static void default_flash(void) {
  const char *slash = strrchr(options.device, '/');
  int folder = slash == NULL ? 0 : (int)(slash - options.device) + 1;
  (void)snprintf(flash_path, sizeof flash_path, "%.*s%s.flash", folder, options.device,
                 device.name[0] == '\0' ? "device" : device.name);
  for (char *at = flash_path + folder; *at != '\0'; at++)
    if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-", *at) == NULL) *at = '_';
  options.flash = flash_path;
}

/** Before the runtime writes into the module's bytes its SHA-256 is taken. -> its length, or -1 after a line on stderr. */
static long read_module(uint8_t *bytes) {
  struct alink_sha256 hash;
  const char *path = options.module;
  /* CoAP has a module of its own. */
  if (path == NULL) path = device.coap ? "build/agent-coap.wasm" : "build/agent.wasm";
  long length = alink_file_read(path, bytes, MODULE);
  if (length < 0) {
    (void)snprintf(failure, sizeof failure, "cannot read the module %s (npm run build makes it)", path);
    (void)fail(1, failure, strerror(errno));
    return -1;
  }
  alink_sha256_begin(&hash);
  alink_sha256_add(&hash, bytes, (uint32_t)length);
  alink_sha256_end(&hash, module_digest);
  return length;
}

static void print_memory(void) {
  mem_alloc_info_t info;
  if (!options.memory || !wasm_runtime_get_mem_alloc_info(&info)) return;
  (void)printf("{\"event\":\"memory\",\"pool\":%lu,\"used\":%lu,\"peak\":%lu,\"linear\":%lu}\n",
               (unsigned long)info.total_size, (unsigned long)(info.total_size - info.total_free_size),
               (unsigned long)info.highmark_size, (unsigned long)agent.heap_base);
}

/** Start, from the snapshot where there is one. -> 0 or `enum alink_failure`. */
static int32_t start(const struct alink_agent_options *settings) {
  if (options.snapshot == NULL) return alink_agent_start(&agent, settings);
  int32_t result = alink_snapshot_file_start(&agent, settings);
  /* A device that woke has a session already. */
  if (result == ALINK_WOKEN) alink_program_report();
  return result < 0 ? result : 0;
}

static int run(const uint8_t *module, uint32_t size) {
  const struct alink_agent_options settings = {.module = module,
                                               .module_size = size,
                                               .pool = pool,
                                               .pool_size = sizeof pool,
                                               .stack_size = STACK,
                                               .documents = device.documents,
                                               .document_count = device.document_count,
                                               .secret = {device.secret, (uint32_t)strlen(device.secret)},
                                               .module_digest = module_digest,
                                               .capsule = options.capsule == NULL ? NULL : capsule,
                                               .capsule_size = sizeof capsule,
                                               .on_event = alink_program_event,
                                               .on_taken = alink_program_taken,
                                               .on_capsule = alink_posix_capsule};
  const struct alink_program program = {.agent = &agent,
                                        .device_name = device.name,
                                        .properties = options.properties,
                                        .events = events,
                                        .event_count = options.event_count,
                                        .decision = decision_of(options.confirm)};
  alink_program_begin(&program);
  int32_t result = start(&settings);
  if (ended_by != 0) end_agent();
  if (result == 0) result = alink_agent_run(&agent);
  print_memory();
  int code = ended_by == SIGINT ? 130 : 0;
  const char *failed = alink_program_failure(), *fault = alink_program_fault();
  if (result == ALINK_BAD_CONFIGURATION && fault[0] != '\0') code = fail(1, options.device, fault);
  else if (result < 0) code = fail(1, alink_agent_error(&agent), "");
  else if (failed[0] != '\0') code = fail(1, failed, "");
  else if (options.snapshot != NULL && (failed = alink_snapshot_file_keep(&agent)) != NULL) code = fail(1, failed, "");
  alink_agent_end(&agent);
  return code;
}

int main(int argc, char **argv) {
  static uint8_t module[MODULE];
  if (argc == 2 && strcmp(argv[1], "--help") == 0) {
    (void)fputs(USAGE, stdout);
    return 0;
  }
  if (!parse_arguments(argc, argv)) {
    (void)fputs(USAGE, stderr);
    return 2;
  }
  const char *wrong = check_properties();
  if (wrong != NULL) return fail(2, "--properties", wrong);
  wrong = read_events();
  if (wrong != NULL) return fail(2, "--event", wrong);
  if (options.allow_plain != NULL && !alink_allows_plain(options.allow_plain))
    return fail(2, "--allow-plain", "takes a list of mqtt and http, e.g. mqtt,http");
  const struct alink_source source = {options.device, options.endpoint, options.allow_plain};
  wrong = alink_device_read(&device, &source);
  if (wrong != NULL) return fail(1, wrong, "");
  long size = read_module(module);
  if (size < 0) return 1;
  if (options.flash == NULL && !device.coap) default_flash();
  if (options.json) alink_posix_log_to(alink_program_log);
  catch_signals();
  if (options.snapshot != NULL) wrong = alink_snapshot_file_look(options.snapshot);
  if (wrong == NULL) wrong = alink_posix_open(options.flash, &device.layout, options.ca, options.capsule);
  int code = wrong != NULL ? fail(1, wrong, "") : run(module, (uint32_t)size);
  wrong = alink_posix_close();
  return wrong == NULL ? code : fail(1, wrong, "");
}
