/*
 * The agent on WAMR: one instance of the module and the loop that serves it, over the functions of port.h.
 * One thread owns an agent: it calls start, wake, step, run, snapshot and end. alink_agent_post, alink_agent_reply,
 * alink_agent_stop and alink_agent_sleep may be called by any thread. Nothing here allocates; WAMR takes what it needs
 * from `pool`, and nothing else.
 */
#ifndef ALINK_AGENT_H
#define ALINK_AGENT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"
#include "wasm_export.h"

/** Calls into the module that a capsule tells about. */
#define ALINK_LAST_CALLS 32

/** alink_agent_step: nothing is due until something happens. */
#define ALINK_FOREVER INT32_MAX

/** Why an agent does not run; alink_agent_error has a line for people. */
enum alink_failure {
  /** The module cannot be loaded, lacks an export, or speaks another ABI version; or the pool is too small. */
  ALINK_BAD_MODULE = -1,
  /** The configuration is refused; the last Fault event names the member. */
  ALINK_BAD_CONFIGURATION = -2,
  /** The module trapped, or gave something out of bounds, three times in a row. */
  ALINK_TRAPPED = -3,
  /** alink_port_started told nothing. */
  ALINK_NOT_STARTED = -4,
};

/** How an agent came to run after alink_agent_wake; all but the first began anew, as by alink_agent_start. */
enum alink_woken {
  /** It goes on from the snapshot. */
  ALINK_WOKEN = 0,
  /** The bytes are no snapshot, or one of another format version. */
  ALINK_NO_SNAPSHOT = 1,
  /** Bytes of the snapshot have changed, or are missing. */
  ALINK_DAMAGED = 2,
  /** It was taken of another build of the module. */
  ALINK_OTHER_MODULE = 3,
  /** It was taken with other configuration documents. */
  ALINK_OTHER_CONFIGURATION = 4,
};

/** What a sleep would cut short, bits. */
enum alink_underway {
  /** A post or reply waits in the mailbox, which no snapshot has. */
  ALINK_UNDERWAY_POST = 1,
  /** The module has a request without its answer. It goes with the snapshot, and is sent again after waking. */
  ALINK_UNDERWAY_REQUEST = 2,
};

/** A JSON document, UTF-8, `length` bytes. */
struct alink_document {
  const char *text;
  uint32_t length;
};

/** Everything here stays as it is until alink_agent_end. */
struct alink_agent_options {
  /** The module, at a multiple of 8 for code that runs in place. WAMR writes into these bytes, and they are loaded once. */
  const uint8_t *module;
  uint32_t module_size;
  /**
   * Nothing may write into the module: WAMR keeps copies of its data in the pool. For the fast interpreter, which runs a
   * translation of its own; the classic one rewrites the very bytes that it runs.
   */
  bool module_in_flash;
  /** RAM for the runtime, aligned to 8, and its size in bytes; docs/wamr.md tells how much. */
  void *pool;
  uint32_t pool_size;
  /** Operand stack of the interpreter, bytes; 4096 do. */
  uint32_t stack_size;
  /**
   * Configuration documents in their order, later members win. Each is at most as long as the module's in-window: 1024
   * bytes, 512 in agent-lite, 640 in agent-coap.
   */
  const struct alink_document *documents;
  uint32_t document_count;
  /** The device secret, blanked in capsules; length 0: none. */
  struct alink_document secret;
  /**
   * SHA-256 of the module, 32 bytes, which capsules and snapshots name it by. NULL: they do not, and a snapshot of
   * another build with a state of the same size is taken for one of this build.
   */
  const uint8_t *module_digest;
  /**
   * RAM for capsules: the module's state (`__heap_base`) and 8 KiB or more for the calls since that snapshot, so that
   * what led to a trap can be made again. NULL: a capsule has the state after the trap and tells of the last calls.
   */
  uint8_t *capsule;
  uint32_t capsule_size;
  /** First argument of the functions below. */
  void *context;
  /**
   * A piece of an event: `kind` is `enum alink_event`, `text` has `length` bytes of JSON that hold during the call,
   * `more` is `enum alink_piece`. Called by the owner; may call alink_agent_post and alink_agent_reply. May be NULL.
   */
  void (*on_event)(void *context, int32_t kind, const char *text, uint32_t length, int32_t more);
  /** The module took the post: `result` as that of `post` or `reply`, an id, Ok or a code < 0. May be NULL. */
  void (*on_taken)(void *context, int32_t result);
  /**
   * Keep a part of the capsule that a trap leaves (docs/record.md has its format). Parts come in order, `last` with the
   * last one; a capsule that begins anew replaces the one before. -> false: it cannot be kept; then no further part
   * comes, and the log is told. NULL: none is made.
   */
  bool (*on_capsule)(void *context, const void *part, uint32_t length, bool last);
};

/** One call into the module, as capsules keep it. */
struct alink_call {
  uint32_t now_ms;
  /** `enum alink_export`. */
  uint32_t which;
  int32_t arguments[3];
  int32_t result;
};

/** Calls kept for a capsule behind a snapshot, as frames of docs/record.md. */
struct alink_kept {
  bool snapshot;
  /** Bytes of frames, and where the last one begins. */
  uint32_t used, frame;
  uint32_t calls;
  uint32_t ms;
};

/** A post or a reply that waits for room in the module. */
struct alink_mailbox {
  bool full;
  /** The agent has fallen asleep. */
  bool closed;
  bool is_reply;
  int32_t kind_or_token;
  int32_t code;
  uint32_t length;
  uint8_t payload[ALINK_IN_WINDOW];
};

/** How a channel's link stands in the eyes of the agent. */
struct alink_channel_state {
  bool linked;
  bool told;
  bool closing;
};

/** What alink_agent_run was asked for. */
enum alink_stop { ALINK_STOP_NOT, ALINK_STOP_AWAKE, ALINK_STOP_ASLEEP };

/** An agent. Members are agent.c's. */
struct alink_agent {
  const struct alink_agent_options *options;
  wasm_module_t module;
  wasm_module_inst_t instance;
  wasm_exec_env_t environment;
  wasm_function_inst_t exports[ALINK_EXPORT_COUNT];
  /** Bytes [0, heap_base) are the module's state. */
  uint32_t heap_base;
  bool runtime;
  bool trapped;
  /** It was the last call that trapped, not its answer that cannot be. */
  bool call_trapped;
  uint32_t traps;
  uint32_t since_ms;
  uint32_t polled_ms;
  uint32_t clock_ms;
  struct alink_channel_state channels[ALINK_CHANNELS];
  uint8_t interest[ALINK_CHANNELS];
  struct alink_call calls[ALINK_LAST_CALLS];
  uint32_t call_count;
  struct alink_kept kept;
  /** The last result of each export. */
  int32_t results[ALINK_EXPORT_COUNT];
  struct alink_mailbox mailbox;
  /** Bytes that the module would have taken of the last post that was TooLarge. */
  uint32_t available;
  /** `enum alink_stop`. */
  volatile sig_atomic_t stop;
  enum { ALINK_RUNNING, ALINK_ENDING, ALINK_DISCONNECTING } phase;
  uint32_t ending_ms;
  char error[160];
};

/** Load the module and start a first instance. -> 0, or `enum alink_failure`; alink_agent_end is due in any case. */
int32_t alink_agent_start(struct alink_agent *agent, const struct alink_agent_options *options);

/**
 * One poll, and one round of serving what it wants: bounded. -> milliseconds until the next step is due when nothing
 * happens (0 = at once, ALINK_FOREVER), or `enum alink_failure`.
 */
int32_t alink_agent_step(struct alink_agent *agent);

/**
 * Steps and waits until alink_agent_stop, then disconnects within 5 s; or until alink_agent_sleep, then drops the links
 * as soon as nothing is under way, after 5 s at the latest. -> 0 or `enum alink_failure`.
 */
int32_t alink_agent_run(struct alink_agent *agent);

/** End alink_agent_run. Any thread and signal handlers. */
void alink_agent_stop(struct alink_agent *agent);

/**
 * End alink_agent_run for a sleep: nothing is said to the platform, which keeps the session, and a post that the module
 * could not take is given up (`on_taken` gets BadState). Then take alink_agent_snapshot. Any thread and signal handlers.
 */
void alink_agent_sleep(struct alink_agent *agent);

/**
 * -> what a sleep between two steps would cut short, `enum alink_underway` bits; 0 = nothing. Beside that a step that
 * said 0 has more to do. For owners with a loop of their own; alink_agent_run looks itself.
 */
int32_t alink_agent_underway(struct alink_agent *agent);

/** -> bytes of a snapshot of this agent, which has been started: the module's state and 112. */
uint32_t alink_snapshot_size(const struct alink_agent *agent);

/**
 * Take a snapshot between two steps, or after alink_agent_run; the format is in docs/coap.md, the same in every host.
 * The agent stays as it is: end it, and use the snapshot once. It holds the device secret and the session's key: whoever
 * reads it can be the device.
 * `clock_ms`: now, by a clock that counts on while the device sleeps; since 1970 where another host may open it.
 * -> its length; TooLarge: `room` is less than alink_snapshot_size; Busy: a post waits in the mailbox; BadState: no
 * instance runs (the module has just stopped, or the device restarts: after another step there is one).
 */
int32_t alink_agent_snapshot(struct alink_agent *agent, uint64_t clock_ms, uint8_t *bytes, uint32_t room);

/**
 * alink_agent_start from a snapshot, with the same module and documents. One that cannot be used is left, and the device
 * begins anew. The bytes are not needed afterwards; blank them. `clock_ms`: now, by the clock of alink_agent_snapshot;
 * the sleep counts as 0 ms when that was set back, and as 24 days when it was longer.
 * -> `enum alink_woken`, or `enum alink_failure`; alink_agent_end is due in any case.
 */
int32_t alink_agent_wake(struct alink_agent *agent, const struct alink_agent_options *options, const uint8_t *snapshot,
                         uint32_t length, uint64_t clock_ms);

/** Whether the bytes begin as a snapshot does; it may be damaged, or of another device. */
bool alink_is_snapshot(const uint8_t *bytes, uint32_t length);

/** One line on a snapshot that was not used, of `enum alink_woken`; "" = it was. */
const char *alink_snapshot_fault(int32_t woken);

/**
 * Hand over a post (`enum alink_post`), which is copied. The mailbox has ALINK_IN_WINDOW (1024) bytes, the module's
 * in-window as many or less: agent-lite takes 512, agent-coap 640. -> Ok; Busy: the one before is not taken yet;
 * TooLarge: more than the mailbox has; BadState: the agent sleeps. Any thread; the module's own answer comes by on_taken,
 * TooLarge too when it is the module that has no room for so much (alink_agent_available).
 */
int32_t alink_agent_post(struct alink_agent *agent, int32_t kind, const void *payload, uint32_t length);

/**
 * Hand over an event of the thing model: its identifier, and `length` bytes of params, a JSON object
 * `{"value":{…},"time":ms since 1970}` of which `time` may be left out. Both and a byte between them are the post.
 * As alink_agent_post: by on_taken comes the message's id, or BadArgument when it is no identifier (ALINK_POST_EVENT).
 */
int32_t alink_agent_post_event(struct alink_agent *agent, const char *identifier, const void *params, uint32_t length);

/** After TooLarge by on_taken -> how many bytes the module would have taken. Of the owner. */
uint32_t alink_agent_available(const struct alink_agent *agent);

/** Answer the downlink request `token` with an Alink `code` and a JSON object; as alink_agent_post. */
int32_t alink_agent_reply(struct alink_agent *agent, int32_t token, int32_t code, const void *data, uint32_t length);

/** Drop links, instance, module and runtime. */
void alink_agent_end(struct alink_agent *agent);

/** One line on why the agent does not run; "" = it does. */
const char *alink_agent_error(const struct alink_agent *agent);

#endif
