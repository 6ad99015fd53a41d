/* What alink-wamr does with events: prints them, answers property sets and offers of updates, posts what it was told to. */
#ifndef ALINK_PROGRAM_H
#define ALINK_PROGRAM_H

#include "agent.h"

/** An event to post, as alink_agent_post_event takes it. */
struct alink_thing_event {
  const char *identifier, *params;
};

/**
 * What the command line asks for: `properties` is a compact JSON object or NULL, `events` are posted after it in their
 * order, `decision` is one of `enum alink_post`.
 */
struct alink_program {
  struct alink_agent *agent;
  const char *device_name, *properties;
  const struct alink_thing_event *events;
  uint32_t event_count;
  int32_t decision;
};

/** Before the agent starts; the texts hold to the end. */
void alink_program_begin(const struct alink_program *program);
/** `on_event` and `on_taken`. */
void alink_program_event(void *context, int32_t kind, const char *text, uint32_t length, int32_t more);
void alink_program_taken(void *context, int32_t result);
/** Post properties and events now; otherwise it is done with the first connection. */
void alink_program_report(void);
/** A line of the log as a fault event, for --json. */
void alink_program_log(const char *text);
/** Why the program has asked the agent to stop, and the words of the first fault that refused something; "" = nothing. */
const char *alink_program_failure(void);
const char *alink_program_fault(void);

#endif
