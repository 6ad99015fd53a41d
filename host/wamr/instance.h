/*
 * One instance of the module: making and dropping it, calls into it, its windows. For agent.c and snapshot.c. After a
 * trap calls do nothing and give 0, so that only the end of a step looks.
 */
#ifndef ALINK_INSTANCE_H
#define ALINK_INSTANCE_H

#include "agent.h"

#define CALL0(agent, name) alink_call(agent, ALINK_EXPORT_##name, 0, 0, 0)
#define CALL1(agent, name, a) alink_call(agent, ALINK_EXPORT_##name, a, 0, 0)
#define CALL2(agent, name, a, b) alink_call(agent, ALINK_EXPORT_##name, a, b, 0)

/** A state to go on from instead of configuring a fresh instance. */
struct alink_asleep {
  const uint8_t *state;
  uint32_t length;
  /** How long it slept, ms, at most INT32_MAX. */
  uint32_t elapsed_ms;
};

/** -> what the export gives; arguments beyond its parameters do not count. */
int32_t alink_call(struct alink_agent *agent, enum alink_export which, int32_t a, int32_t b, int32_t c);

/** The module's bytes [at, at + length). NULL: there are none, or they are not all in its memory (a trap then). */
uint8_t *alink_window(struct alink_agent *agent, int32_t at, int32_t length);

/** The instance is not to be called again, for this reason; the first one stays. */
void alink_trap(struct alink_agent *agent, const char *why);

/** Keep "what: why" as the agent's error. -> failure. */
int32_t alink_refuse(struct alink_agent *agent, int32_t failure, const char *what, const char *why);

/** A fresh instance with all its exports, not configured. -> 0 or `enum alink_failure`; `trapped` may be set then. */
int32_t alink_instance_make(struct alink_agent *agent);

/** Free it; links are the caller's. */
void alink_instance_drop(struct alink_agent *agent);

/**
 * As alink_agent_start, from `asleep` where it is not NULL. -> 0; ALINK_OTHER_MODULE: `asleep` is not of this module,
 * and the agent began anew; or `enum alink_failure`.
 */
int32_t alink_agent_begin(struct alink_agent *agent, const struct alink_agent_options *options,
                          const struct alink_asleep *asleep);

#endif
