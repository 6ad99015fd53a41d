/* What a trap leaves, in the format of docs/record.md: a snapshot, and the calls to make on it again. For agent.c. */
#ifndef ALINK_CAPSULE_H
#define ALINK_CAPSULE_H

#include "agent.h"

/** A fresh instance: what was kept of the one before is forgotten. */
void alink_capsule_begin(struct alink_agent *agent);

/** Before a call is made: keep it, with the bytes that the host put into a window for it. */
void alink_capsule_call(struct alink_agent *agent, const struct alink_call *call);

/** The call gave a result. */
void alink_capsule_result(struct alink_agent *agent, const struct alink_call *call);

/** Hand the capsule to `on_capsule`. The instance is dead: its memory may be written to. `trapped`: its last call did. */
void alink_capsule_write(struct alink_agent *agent, bool trapped);

#endif
