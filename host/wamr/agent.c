#include "agent.h"

#include "capsule.h"
#include "instance.h"

#include <stdio.h>
#include <string.h>

/** Traps in a row after which the agent stops; an instance that ran GOOD_MS was good. */
enum { TRAPS = 3, GOOD_MS = 600000, STOP_MS = 5000 };
/** The module is told the time so often: the clock may have been set. */
enum { CLOCK_MS = 3600000 };
/** Events that one step hands over, so that a module that never runs out of them cannot hold up the rest. */
enum { EVENTS_A_STEP = 32 };

/* ---- Events and posts. ---- */

static bool deliver_events(struct alink_agent *agent) {
  bool any = false;
  for (int i = 0; i < EVENTS_A_STEP && !agent->trapped; i++) {
    int32_t kind = CALL0(agent, EVENT_KIND);
    if (kind <= ALINK_EVENT_NONE) break;
    int32_t more = CALL0(agent, EVENT_MORE);
    int32_t at = CALL0(agent, EVENT_PTR);
    int32_t length = CALL0(agent, EVENT_LEN);
    const uint8_t *text = alink_window(agent, at, length);
    if (agent->trapped) break;
    if (agent->options->on_event != NULL)
      agent->options->on_event(agent->options->context, kind, text == NULL ? "" : (const char *)text,
                               text == NULL ? 0 : (uint32_t)length, more);
    (void)CALL0(agent, EVENT_DONE);
    any = true;
  }
  return any;
}

static int32_t put(struct alink_agent *agent, const struct alink_mailbox *box) {
  if (box->length > 0) {
    int32_t room = CALL0(agent, IN_CAP);
    if (room <= 0) return ALINK_CODE_BUSY;
    if (box->length > (uint32_t)room) return ALINK_CODE_TOO_LARGE;
    uint8_t *in = alink_window(agent, CALL0(agent, IN_PTR), room);
    if (in == NULL) return ALINK_CODE_BUSY;
    memcpy(in, box->payload, box->length);
  }
  int32_t length = (int32_t)box->length;
  if (box->is_reply) return alink_call(agent, ALINK_EXPORT_REPLY, box->kind_or_token, box->code, length);
  return CALL2(agent, POST, box->kind_or_token, length);
}

/** After TooLarge: the window is less than the post, or the module says what its buffers take. */
static uint32_t available(struct alink_agent *agent) {
  int32_t room = CALL0(agent, IN_CAP);
  if (agent->mailbox.length <= (uint32_t)room) room = CALL1(agent, DETAIL, ALINK_CHANNEL_APPLICATION);
  return room < 0 ? 0 : (uint32_t)room;
}

/** Hand over what waits in the mailbox. Only the owner empties it, so once it was seen full it stays as it is. */
static bool empty_mailbox(struct alink_agent *agent) {
  alink_port_lock(true);
  bool full = agent->mailbox.full;
  alink_port_lock(false);
  if (!full) return false;
  int32_t result = put(agent, &agent->mailbox);
  if (result == ALINK_CODE_TOO_LARGE) agent->available = available(agent);
  /* A post that stops the module must not stop the next instance too. */
  if (agent->trapped) result = ALINK_CODE_BAD_STATE;
  else if (result == ALINK_CODE_BUSY) return false;
  alink_port_lock(true);
  agent->mailbox.full = false;
  alink_port_lock(false);
  if (agent->options->on_taken != NULL) agent->options->on_taken(agent->options->context, result);
  return true;
}

/** For good: what comes now would not be in a snapshot. */
static void close_mailbox(struct alink_agent *agent) {
  alink_port_lock(true);
  bool full = agent->mailbox.full;
  agent->mailbox.full = false;
  agent->mailbox.closed = true;
  alink_port_lock(false);
  if (full && agent->options->on_taken != NULL) agent->options->on_taken(agent->options->context, ALINK_CODE_BAD_STATE);
}

/** `name` and its zero byte stand before the payload; NULL: nothing does. */
static int32_t fill_mailbox(struct alink_agent *agent, bool is_reply, int32_t kind_or_token, int32_t code,
                            const char *name, const void *payload, uint32_t length) {
  struct alink_mailbox *box = &agent->mailbox;
  size_t head = name == NULL ? 0 : strlen(name) + 1;
  if (head > sizeof box->payload || length > sizeof box->payload - head) return ALINK_CODE_TOO_LARGE;
  alink_port_lock(true);
  bool full = box->full, closed = box->closed;
  if (!full && !closed) {
    box->is_reply = is_reply;
    box->kind_or_token = kind_or_token;
    box->code = code;
    box->length = (uint32_t)head + length;
    if (head > 0) memcpy(box->payload, name, head);
    if (length > 0) memcpy(box->payload + head, payload, length);
    box->full = true;
  }
  alink_port_lock(false);
  if (closed) return ALINK_CODE_BAD_STATE;
  if (full) return ALINK_CODE_BUSY;
  alink_port_wake();
  return ALINK_CODE_OK;
}

int32_t alink_agent_post(struct alink_agent *agent, int32_t kind, const void *payload, uint32_t length) {
  return fill_mailbox(agent, false, kind, 0, NULL, payload, length);
}

int32_t alink_agent_post_event(struct alink_agent *agent, const char *identifier, const void *params, uint32_t length) {
  return fill_mailbox(agent, false, ALINK_POST_EVENT, 0, identifier, params, length);
}

int32_t alink_agent_reply(struct alink_agent *agent, int32_t token, int32_t code, const void *data, uint32_t length) {
  return fill_mailbox(agent, true, token, code, NULL, data, length);
}

uint32_t alink_agent_available(const struct alink_agent *agent) { return agent->available; }

/* ---- Channels. ---- */

static bool transmit(struct alink_agent *agent, int32_t ch) {
  int32_t length = CALL1(agent, TX_LEN, ch);
  const uint8_t *bytes = alink_window(agent, CALL1(agent, TX_PTR, ch), length);
  if (bytes == NULL) return false;
  int32_t taken = alink_port_send(ch, bytes, (uint32_t)length);
  if (taken < length) agent->interest[ch] |= ALINK_INTEREST_SEND;
  if (taken > 0) (void)CALL2(agent, SENT, ch, taken <= length ? taken : length);
  return taken != 0;
}

/** With no room nothing is read, so the peer is slowed down. */
static bool receive(struct alink_agent *agent, int32_t ch) {
  int32_t room = CALL1(agent, RX_CAP, ch);
  uint8_t *bytes = alink_window(agent, CALL1(agent, RX_PTR, ch), room);
  if (bytes == NULL) return false;
  agent->interest[ch] |= ALINK_INTEREST_RECEIVE;
  int32_t got = alink_port_receive(ch, bytes, (uint32_t)room);
  if (got > 0) (void)CALL2(agent, RECEIVED, ch, got <= room ? got : room);
  return got != 0;
}

static void open_channel(struct alink_agent *agent, int32_t ch) {
  int32_t length = CALL1(agent, PEER_LEN, ch);
  const uint8_t *uri = alink_window(agent, CALL1(agent, PEER_PTR, ch), length);
  if (agent->trapped) return;
  agent->channels[ch] = (struct alink_channel_state){.linked = true};
  alink_port_open(ch, uri == NULL ? "" : (const char *)uri, uri == NULL ? 0 : (uint32_t)length);
}

static bool serve_channel(struct alink_agent *agent, int32_t ch, uint32_t want) {
  struct alink_channel_state *channel = &agent->channels[ch];
  bool close = (want & ((uint32_t)ALINK_WANT_CLOSE << ch)) != 0;
  agent->interest[ch] = 0;
  if (!channel->linked) {
    bool open = (want & ((uint32_t)ALINK_WANT_OPEN << ch)) != 0;
    if (open) open_channel(agent, ch);
    else if (close) (void)CALL2(agent, CLOSED, ch, ALINK_CLOSED_LOCAL);
    /* The port may have got somewhere at once, which only asking it brings to light. */
    return open || close;
  }
  int32_t state = alink_port_link(ch);
  if (state >= 0) {
    channel->linked = false;
    (void)CALL2(agent, CLOSED, ch, state);
    return true;
  }
  bool busy = false;
  if (state == ALINK_LINK_UP && !channel->told) {
    channel->told = busy = true;
    (void)CALL1(agent, OPENED, ch);
  }
  bool up = state == ALINK_LINK_UP && !channel->closing;
  if (up && (want & ((uint32_t)ALINK_WANT_TRANSMIT << ch)) != 0) busy = transmit(agent, ch) || busy;
  if (!close) return (up && receive(agent, ch)) || busy;
  if (!channel->closing && (!up || CALL1(agent, TX_LEN, ch) <= 0)) {
    channel->closing = true;
    alink_port_close(ch, false);
  }
  return busy;
}

static bool any_link(const struct alink_agent *agent) {
  for (int32_t ch = 0; ch < ALINK_CHANNELS; ch++)
    if (agent->channels[ch].linked) return true;
  return false;
}

static void drop_links(struct alink_agent *agent) {
  for (int32_t ch = 0; ch < ALINK_CHANNELS; ch++) {
    if (agent->channels[ch].linked) alink_port_close(ch, true);
    agent->channels[ch] = (struct alink_channel_state){.linked = false};
    agent->interest[ch] = 0;
  }
}

/* ---- What poll wants beside the channels. ---- */

static bool give_entropy(struct alink_agent *agent) {
  int32_t length = CALL0(agent, ENTROPY_LEN);
  uint8_t *bytes = alink_window(agent, CALL0(agent, ENTROPY_PTR), length);
  if (bytes == NULL || !alink_port_entropy(bytes, (uint32_t)length)) return false;
  (void)CALL0(agent, ENTROPY_DONE);
  return true;
}

static bool ask_boot_loader(struct alink_agent *agent) {
  int32_t op = CALL0(agent, BOOT_OP);
  int32_t slot = CALL0(agent, BOOT_SLOT);
  if (agent->trapped || op == ALINK_BOOT_OP_NONE) return false;
  int32_t result = alink_port_boot(op, slot);
  if (result == ALINK_PORT_PENDING) return false;
  (void)CALL1(agent, BOOT_DONE, result);
  return true;
}

static bool operate_flash(struct alink_agent *agent) {
  int32_t op = CALL0(agent, FLASH_OP);
  if (op == ALINK_FLASH_OP_NONE) return false;
  int32_t offset = CALL0(agent, FLASH_OFFSET);
  int32_t length = CALL0(agent, FLASH_LEN);
  /* An erase has a length but no bytes. */
  uint8_t *bytes = op == ALINK_FLASH_OP_ERASE ? NULL : alink_window(agent, CALL0(agent, FLASH_PTR), length);
  if (agent->trapped) return false;
  bool sane = offset >= 0 && length > 0 && (bytes != NULL || op == ALINK_FLASH_OP_ERASE);
  int32_t result = sane ? alink_port_flash(op, (uint32_t)offset, bytes, (uint32_t)length) : ALINK_DONE_FAILED;
  if (result == ALINK_PORT_PENDING) return false;
  (void)CALL1(agent, FLASH_DONE, result);
  return true;
}

static bool serve(struct alink_agent *agent, uint32_t want) {
  bool busy = (want & ALINK_WANT_AGAIN) != 0;
  if ((want & ALINK_WANT_ENTROPY) != 0) busy = give_entropy(agent) || busy;
  if ((want & ALINK_WANT_BOOT) != 0) busy = ask_boot_loader(agent) || busy;
  if ((want & ALINK_WANT_FLASH) != 0) busy = operate_flash(agent) || busy;
  for (int32_t ch = 0; ch < ALINK_CHANNELS; ch++) busy = serve_channel(agent, ch, want) || busy;
  return empty_mailbox(agent) || busy;
}

/* ---- Instances. ---- */

static void drop_instance(struct alink_agent *agent) {
  drop_links(agent);
  alink_instance_drop(agent);
}

static void tell_time(struct alink_agent *agent) {
  uint32_t seconds = alink_port_wall_seconds();
  agent->clock_ms = alink_port_now_ms();
  if (seconds != 0) (void)CALL1(agent, WALL_CLOCK, (int32_t)seconds);
}

static int32_t configure(struct alink_agent *agent) {
  struct alink_started started;
  for (uint32_t i = 0; i < agent->options->document_count && !agent->trapped; i++) {
    const struct alink_document *document = &agent->options->documents[i];
    int32_t room = CALL0(agent, IN_CAP);
    uint8_t *in = alink_window(agent, CALL0(agent, IN_PTR), room);
    if (agent->trapped) return 0;
    if (in == NULL || document->length > (uint32_t)room) {
      (void)snprintf(agent->error, sizeof agent->error,
                     "the configuration takes %lu bytes, at most %ld are possible: remove members that are not needed",
                     (unsigned long)document->length, (long)room);
      return ALINK_BAD_CONFIGURATION;
    }
    memcpy(in, document->text, document->length);
    int32_t code = CALL1(agent, CONFIGURE, (int32_t)document->length);
    /* One call reads a slice, a byte at least; what is left of the document stays in the window. */
    for (uint32_t left = document->length; code > 0 && left > 0; left--) code = CALL1(agent, CONFIGURE, 0);
    if (code > 0) alink_trap(agent, "it does not come to the end of the configuration");
    (void)deliver_events(agent);
    if (code < 0) return alink_refuse(agent, ALINK_BAD_CONFIGURATION, "the configuration was refused", "see its fault event");
  }
  if (!alink_port_started(&started))
    return alink_refuse(agent, ALINK_NOT_STARTED, "the boot loader", "does not tell which slot runs");
  if (alink_call(agent, ALINK_EXPORT_BOOTED, started.slot, started.how, started.reason) < 0)
    return alink_refuse(agent, ALINK_NOT_STARTED, "the boot loader", "the module does not take its report");
  /* The first poll checks the configuration as a whole; what it wants, the next one wants again. */
  int32_t want = CALL1(agent, POLL, (int32_t)alink_port_now_ms());
  tell_time(agent);
  if (want >= 0) return 0;
  (void)deliver_events(agent);
  return alink_refuse(agent, ALINK_BAD_CONFIGURATION, "the configuration was refused", "see its fault event");
}

/** The state of another instance, and the time since. Whether a trial's start is used up is the boot loader's to know. */
static int32_t go_on(struct alink_agent *agent, const struct alink_asleep *asleep) {
  struct alink_started started;
  if (asleep->length != agent->heap_base) return ALINK_OTHER_MODULE;
  if (!alink_port_started(&started))
    return alink_refuse(agent, ALINK_NOT_STARTED, "the boot loader", "does not tell which slot runs");
  memcpy(wasm_runtime_addr_app_to_native(agent->instance, 0), asleep->state, asleep->length);
  /* What was called before is not part of what this state comes from. */
  alink_capsule_begin(agent);
  int32_t code = CALL1(agent, RESUMED, (int32_t)asleep->elapsed_ms);
  tell_time(agent);
  return code < 0 ? ALINK_OTHER_MODULE : 0;
}

static int32_t fresh(struct alink_agent *agent, const struct alink_asleep *asleep) {
  int32_t result = alink_instance_make(agent);
  if (result == 0 && !agent->trapped) result = asleep == NULL ? configure(agent) : go_on(agent, asleep);
  if (!agent->trapped && result >= 0) agent->error[0] = '\0';
  return agent->trapped ? 0 : result;
}

/* ---- Traps. ---- */

static int32_t after_trap(struct alink_agent *agent) {
  if (alink_port_now_ms() - agent->since_ms > GOOD_MS) agent->traps = 0;
  agent->traps++;
  alink_port_log(agent->error);
  alink_capsule_write(agent, agent->call_trapped);
  drop_instance(agent);
  if (agent->traps < TRAPS) return 0;
  char why[128];
  (void)snprintf(why, sizeof why, "%.127s", agent->error);
  return alink_refuse(agent, ALINK_TRAPPED, "three times in a row", why);
}

/* ---- The loop. ---- */

/** The module, which holds while the agent does. */
static int32_t load(struct alink_agent *agent) {
  const struct alink_agent_options *options = agent->options;
  char why[96] = "";
  LoadArgs arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.name = (char *)"";
  /* Then WAMR copies names and data of the module, which it would otherwise change where they are. */
  arguments.wasm_binary_freeable = options->module_in_flash;
  agent->module =
      wasm_runtime_load_ex((uint8_t *)(uintptr_t)options->module, options->module_size, &arguments, why, sizeof why);
  return agent->module != NULL ? 0 : alink_refuse(agent, ALINK_BAD_MODULE, "the module cannot be loaded", why);
}

int32_t alink_agent_begin(struct alink_agent *agent, const struct alink_agent_options *options,
                          const struct alink_asleep *asleep) {
  memset(agent, 0, sizeof *agent);
  agent->options = options;
  RuntimeInitArgs init;
  memset(&init, 0, sizeof init);
  init.mem_alloc_type = Alloc_With_Pool;
  init.mem_alloc_option.pool.heap_buf = options->pool;
  init.mem_alloc_option.pool.heap_size = options->pool_size;
  if (!wasm_runtime_full_init(&init)) return alink_refuse(agent, ALINK_BAD_MODULE, "the runtime", "does not start");
  agent->runtime = true;
  /* WAMR writes its warnings to the standard output, which is not its own; failures come back as text. */
  wasm_runtime_set_log_level(WASM_LOG_LEVEL_FATAL);
  int32_t result = load(agent);
  if (result != 0) return result;
  result = fresh(agent, asleep);
  if (result == ALINK_OTHER_MODULE) {
    drop_instance(agent);
    int32_t failure = fresh(agent, NULL);
    if (failure != 0) result = failure;
  }
  if (!agent->trapped) return result;
  int32_t failure = after_trap(agent);
  return failure == 0 ? result : failure;
}

int32_t alink_agent_start(struct alink_agent *agent, const struct alink_agent_options *options) {
  return alink_agent_begin(agent, options, NULL);
}

int32_t alink_agent_step(struct alink_agent *agent) {
  if (agent->instance == NULL) {
    int32_t failure = fresh(agent, NULL);
    return agent->trapped ? after_trap(agent) : failure;
  }
  agent->polled_ms = alink_port_now_ms();
  int32_t want = CALL1(agent, POLL, (int32_t)agent->polled_ms);
  if (want < 0) alink_trap(agent, "it cannot be polled");
  if (agent->polled_ms - agent->clock_ms >= CLOCK_MS) tell_time(agent);
  bool busy = (want & ALINK_WANT_EVENT) != 0 && deliver_events(agent);
  if (!agent->trapped && (want & ALINK_WANT_RESTART) != 0) {
    drop_instance(agent);
    alink_port_restart();
    return 0;
  }
  busy = serve(agent, (uint32_t)want) || busy;
  int32_t due = busy ? 0 : CALL0(agent, TIMEOUT);
  if (agent->trapped) return after_trap(agent);
  if (due < 0) return ALINK_FOREVER;
  uint32_t past = alink_port_now_ms() - agent->polled_ms;
  return (uint32_t)due > past ? (int32_t)((uint32_t)due - past) : 0;
}

/** The orderly end: ask the module to disconnect, then wait until no link is left. -> whether it is over. */
static bool has_disconnected(struct alink_agent *agent) {
  if (agent->phase == ALINK_DISCONNECTING) return !any_link(agent);
  if (agent->instance == NULL) return true;
  if (CALL2(agent, POST, ALINK_POST_DISCONNECT, 0) != ALINK_CODE_BUSY) agent->phase = ALINK_DISCONNECTING;
  return false;
}

/** Whether the agent sleeps. A post that the module did not take in time is given up: a snapshot would not have it. */
static bool has_fallen_asleep(struct alink_agent *agent, bool busy, bool late) {
  if (!late && (busy || agent->instance == NULL || alink_agent_underway(agent) != 0)) return false;
  if (agent->trapped) return false;
  drop_links(agent);
  close_mailbox(agent);
  return true;
}

/** `due` is what the last step said, and may become less. -> whether the agent has ended. */
static bool is_over(struct alink_agent *agent, int32_t *due) {
  if (agent->phase == ALINK_RUNNING) {
    agent->phase = ALINK_ENDING;
    agent->ending_ms = alink_port_now_ms();
  }
  uint32_t past = alink_port_now_ms() - agent->ending_ms;
  bool late = past > STOP_MS, asked = agent->phase == ALINK_DISCONNECTING;
  if (agent->stop == ALINK_STOP_ASLEEP) {
    if (has_fallen_asleep(agent, *due == 0, late)) return true;
  } else if (late || has_disconnected(agent)) return true;
  else if (!asked) *due = 0;
  int32_t left = late ? 0 : (int32_t)(STOP_MS - past) + 1;
  if (*due > left) *due = left;
  return false;
}

int32_t alink_agent_run(struct alink_agent *agent) {
  for (;;) {
    int32_t due = alink_agent_step(agent);
    if (due < 0) return due;
    if (agent->stop != ALINK_STOP_NOT && is_over(agent, &due)) return 0;
    if (due > 0) alink_port_wait(due == ALINK_FOREVER ? -1 : due, agent->interest);
  }
}

void alink_agent_stop(struct alink_agent *agent) {
  agent->stop = ALINK_STOP_AWAKE;
  alink_port_wake();
}

void alink_agent_sleep(struct alink_agent *agent) {
  if (agent->stop == ALINK_STOP_NOT) agent->stop = ALINK_STOP_ASLEEP;
  alink_port_wake();
}

int32_t alink_agent_underway(struct alink_agent *agent) {
  alink_port_lock(true);
  int32_t underway = agent->mailbox.full ? ALINK_UNDERWAY_POST : 0;
  alink_port_lock(false);
  /* A module without this counter keeps nothing under way that a sleep would hurt. */
  if (agent->instance != NULL && CALL1(agent, COUNTER, ALINK_COUNTER_UNDERWAY) > 0) underway |= ALINK_UNDERWAY_REQUEST;
  return underway;
}

void alink_agent_end(struct alink_agent *agent) {
  drop_instance(agent);
  if (agent->module != NULL) wasm_runtime_unload(agent->module);
  agent->module = NULL;
  if (agent->runtime) wasm_runtime_destroy();
  agent->runtime = false;
}

const char *alink_agent_error(const struct alink_agent *agent) { return agent->error; }
