#define _XOPEN_SOURCE 700
#include "snapshot_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "posix.h"

/** More than the state of any module. */
enum { ROOM = 256 * 1024, SIGNS_IN = 1 };

static uint8_t bytes[ROOM];
static uint32_t length;
static const char *file;
static char line[ALINK_PATH + 256];

static const char *fail(const char *what, const char *why) {
  (void)snprintf(line, sizeof line, "%s %s: %s", what, file, why);
  return line;
}

/** Milliseconds since 1970. */
static uint64_t clock_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/** A copy in memory that is not needed any more is a secret that can leak. */
static void forget(void) {
  memset(bytes, 0, sizeof bytes);
  length = 0;
}

const char *alink_snapshot_file_look(const char *path) {
  file = path;
  const char *refuses = alink_file_refuses(path);
  long read = alink_file_read(path, bytes, sizeof bytes);
  if (read < 0 && errno == ENOENT) return refuses == NULL ? NULL : fail("cannot write the snapshot", refuses);
  /* One that is too long is cut here, and found damaged later. */
  if (read < 0 && errno == EFBIG) read = (long)sizeof bytes;
  if (read < 0) return fail("cannot read the snapshot", strerror(errno));
  /* The file is used up: a mistaken name must not cost anybody another one. */
  if (!alink_is_snapshot(bytes, (uint32_t)read)) {
    (void)snprintf(line, sizeof line, "%s is no snapshot of a device: name another file, or remove it", path);
    return line;
  }
  length = (uint32_t)read;
  return refuses == NULL ? NULL : fail("cannot write the snapshot", refuses);
}

int32_t alink_snapshot_file_start(struct alink_agent *agent, const struct alink_agent_options *options) {
  if (length > 0 && unlink(file) != 0) {
    alink_port_log(fail("cannot remove the snapshot, which must not be used twice,", strerror(errno)));
    forget();
  }
  if (length == 0) {
    int32_t failure = alink_agent_start(agent, options);
    return failure < 0 ? failure : SIGNS_IN;
  }
  int32_t result = alink_agent_wake(agent, options, bytes, length, clock_ms());
  forget();
  if (result <= 0) return result;
  (void)snprintf(line, sizeof line, "%s: %s: the device begins anew", file, alink_snapshot_fault(result));
  alink_port_log(line);
  return SIGNS_IN;
}

const char *alink_snapshot_file_keep(struct alink_agent *agent) {
  struct alink_file to;
  int32_t taken = alink_agent_snapshot(agent, clock_ms(), bytes, sizeof bytes);
  if (taken < 0) return fail("there is nothing for the snapshot", "the device stopped before it could fall asleep");
  bool good = alink_file_begin(&to, file) && alink_file_put(&to, bytes, (size_t)taken);
  good = alink_file_end(&to, good) && good;
  int error = errno;
  forget();
  return good ? NULL : fail("cannot write the snapshot", strerror(error));
}
