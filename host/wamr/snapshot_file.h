/* A sleeping device in a file of mode 0600, used once: what `alink-agent run --snapshot FILE` does. */
#ifndef ALINK_SNAPSHOT_FILE_H
#define ALINK_SNAPSHOT_FILE_H

#include "agent.h"

/**
 * Before the agent starts: read the file, which stays where it is; there need not be one. `path` holds to the end.
 * -> NULL, or one line: it cannot be read, is no snapshot, or could not be written at the end.
 */
const char *alink_snapshot_file_look(const char *path);

/**
 * Start the agent from the file, which is removed then, or without one. One that cannot be used is logged, and the
 * device begins anew. -> ALINK_WOKEN: it goes on with its session; 1: it signs in; or `enum alink_failure`.
 */
int32_t alink_snapshot_file_start(struct alink_agent *agent, const struct alink_agent_options *options);

/** After alink_agent_run, for the next start. -> NULL, or one line. */
const char *alink_snapshot_file_keep(struct alink_agent *agent);

#endif
