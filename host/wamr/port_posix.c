/* port.h on POSIX: clock, entropy, boot loader, waiting, logs. Links and files: posix_*.c. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "posix.h"
#include "posix_tls.h"

/** Starts of an image on trial before the one before it comes back; the Node host's number. */
enum { TRIALS = 3 };

static struct {
  int wake_read, wake_write;
  bool has_flash;
  struct alink_layout layout;
  struct alink_boot_started started;
  const char *capsule_path;
  struct alink_file capsule;
  bool capsule_begun;
  void (*log)(const char *text);
} port = {.wake_read = -1, .wake_write = -1};

static char failure[ALINK_PATH + 256];

static pthread_mutex_t mailbox = PTHREAD_MUTEX_INITIALIZER;

const char *alink_posix_open(const char *flash, const struct alink_layout *layout, const char *ca,
                             const char *capsule) {
  int ends[2];
  if (port.wake_write < 0) {
    if (pipe(ends) != 0) return "there is no pipe to wake the loop with";
    for (int i = 0; i < 2; i++) {
      (void)fcntl(ends[i], F_SETFL, O_NONBLOCK);
      (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    }
    port.wake_read = ends[0];
    port.wake_write = ends[1];
  }
  port.layout = *layout;
  port.capsule_path = capsule;
  port.has_flash = flash != NULL;
  const char *wrong = alink_tls_trust(ca);
  if (wrong != NULL) return wrong;
  /* A trap is too late to learn that what it leaves cannot be kept. */
  wrong = capsule == NULL ? NULL : alink_file_refuses(capsule);
  if (wrong != NULL) {
    (void)snprintf(failure, sizeof failure, "the capsule %s cannot be written: %s", capsule, wrong);
    return failure;
  }
  return port.has_flash ? alink_image_open(flash, layout) : NULL;
}

void alink_posix_log_to(void (*log)(const char *text)) { port.log = log; }

/** The pipe stays: a thread that resolves a name may still be about to wake. */
const char *alink_posix_close(void) {
  alink_links_end();
  if (port.capsule_begun) (void)alink_file_end(&port.capsule, false);
  port.capsule_begun = false;
  if (alink_image_close()) return NULL;
  (void)snprintf(failure, sizeof failure, "the flash image could not be made durable: %s", strerror(errno));
  return failure;
}

uint32_t alink_port_now_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

uint32_t alink_port_wall_seconds(void) { return (uint32_t)time(NULL); }

bool alink_port_entropy(uint8_t *bytes, uint32_t length) {
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  uint32_t done = 0;
  while (done < length) {
    ssize_t n = read(fd, bytes + done, length - done);
    if (n <= 0) break;
    done += (uint32_t)n;
  }
  (void)close(fd);
  return done == length;
}

/** Files answer at once, so nothing is ever pending here. */
int32_t alink_port_flash(int32_t op, uint32_t offset, uint8_t *bytes, uint32_t length) {
  const struct alink_region boot = port.layout.boot;
  bool good = false;
  if (offset < boot.offset + boot.length && offset + length > boot.offset)
    alink_port_log("flash: the module asked for the boot region");
  else if (op == ALINK_FLASH_OP_READ) good = alink_image_read(offset, bytes, length);
  else if (op == ALINK_FLASH_OP_WRITE) good = alink_image_write(offset, bytes, length);
  else if (op == ALINK_FLASH_OP_ERASE) good = alink_image_erase(offset, length);
  return good ? ALINK_DONE_OK : ALINK_DONE_FAILED;
}

int32_t alink_port_boot(int32_t op, int32_t slot) {
  const struct alink_boot_flash flash = alink_image_boot();
  bool good = false;
  if (op == ALINK_BOOT_OP_ACTIVATE && slot >= 0 && slot <= 1)
    good = alink_boot_activate(&flash, &port.started, (uint8_t)slot, TRIALS);
  else if (op == ALINK_BOOT_OP_CONFIRM) good = alink_boot_confirm(&flash, &port.started);
  if (!good) alink_port_log("boot: the request was refused, or the boot record could not be written");
  return good ? ALINK_DONE_OK : ALINK_DONE_FAILED;
}

bool alink_port_started(struct alink_started *started) {
  *started = (struct alink_started){0, ALINK_BOOT_CONFIRMED, 0};
  if (!port.has_flash) return true;
  const struct alink_boot_flash flash = alink_image_boot();
  if (!alink_boot_start(&flash, &port.started)) return false;
  *started = (struct alink_started){port.started.slot, port.started.how, (int32_t)port.started.reason};
  return true;
}

/** The process is the device: it goes on with a fresh instance. */
void alink_port_restart(void) {}

void alink_port_wait(int32_t ms, const uint8_t interest[ALINK_CHANNELS]) {
  struct pollfd fds[ALINK_CHANNELS + 1] = {{port.wake_read, POLLIN, 0}};
  char dropped[64];
  nfds_t count = 1 + alink_links_watch(fds + 1, interest);
  int due = alink_links_due();
  if (due < 0 || (ms >= 0 && ms < due)) due = ms;
  (void)poll(fds, count, due);
  while (read(port.wake_read, dropped, sizeof dropped) > 0) {
  }
}

/** Async-signal-safe. A full pipe wakes as well. */
void alink_port_wake(void) {
  int error = errno;
  ssize_t n = port.wake_write >= 0 ? write(port.wake_write, "", 1) : 0;
  (void)n;
  errno = error;
}

void alink_port_lock(bool take) {
  if (take) (void)pthread_mutex_lock(&mailbox);
  else (void)pthread_mutex_unlock(&mailbox);
}

void alink_port_log(const char *text) {
  if (port.log != NULL) port.log(text);
  else (void)fprintf(stderr, "%s\n", text);
}

bool alink_posix_capsule(void *context, const void *part, uint32_t length, bool last) {
  (void)context;
  if (port.capsule_path == NULL) return false;
  if (!port.capsule_begun) port.capsule_begun = alink_file_begin(&port.capsule, port.capsule_path);
  bool good = port.capsule_begun && alink_file_put(&port.capsule, part, length);
  if (good && !last) return true;
  if (port.capsule_begun) good = alink_file_end(&port.capsule, good);
  port.capsule_begun = false;
  if (good) return true;
  (void)snprintf(failure, sizeof failure, "the capsule %s cannot be written: %s", port.capsule_path, strerror(errno));
  alink_port_log(failure);
  return false;
}
