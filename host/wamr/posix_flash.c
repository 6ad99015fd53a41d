/* The flash in a file: the same format, rules and lock as the Node host's (host/node/flash.ts, file_lock.ts). */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix.h"

enum { FILL = 65536 };

static struct {
  int fd;
  bool open, locked;
  struct alink_layout layout;
  uint32_t bytes;
  /** One bit a write unit: programmed since it was erased, as far as this process has seen. */
  uint8_t *programmed;
  char lock[PATH_MAX + 8];
} image;

static char failure[PATH_MAX + 256];

static const char *fail(const char *path, const char *why) {
  (void)snprintf(failure, sizeof failure, "flash image %s: %s", path, why);
  return failure;
}

/* ---- The lock: FILE.lock names the process that holds it and when that was started. ---- */

/** Field 22 of proc(5), so that a process id that was given out again is noticed; "-" where there is none. */
static void start_time(long pid, char *text, size_t room) {
  char path[64], line[1024] = "";
  (void)snprintf(text, room, "-");
  (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  size_t n = fread(line, 1, sizeof line - 1, file);
  (void)fclose(file);
  line[n] = '\0';
  char *at = strrchr(line, ')');
  for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
  if (at == NULL) return;
  at[1 + strcspn(at + 1, " \n")] = '\0';
  (void)snprintf(text, room, "%s", at + 1);
}

static bool read_lock(const char *path, char *text, size_t room) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return false;
  text[fread(text, 1, room - 1, file)] = '\0';
  (void)fclose(file);
  return true;
}

static bool is_alive(long pid, const char *text) {
  char time[64], line[128];
  if (pid == (long)getpid()) return false;
  if (kill((pid_t)pid, 0) != 0) return errno == EPERM;
  start_time(pid, time, sizeof time);
  (void)snprintf(line, sizeof line, "%ld %s\n", pid, time);
  return strcmp(text, line) == 0;
}

/** Move a dead holder's lock away; of two processes that see it only one can. -> NULL, or why it stays. */
static const char *remove_dead(const char *path) {
  char text[128], again[128] = "", aside[PATH_MAX + 32];
  if (!read_lock(path, text, sizeof text)) return NULL;
  char *end;
  long pid = strtol(text, &end, 10);
  if (pid <= 0 || *end != ' ') return "its lock is damaged: remove the .lock file if no process uses the image";
  if (is_alive(pid, text)) return "another process uses it: stop that process or name another file";
  (void)snprintf(aside, sizeof aside, "%s.%ld", path, (long)getpid());
  if (rename(path, aside) != 0) return NULL;
  if (read_lock(aside, again, sizeof again) && strcmp(text, again) == 0) (void)unlink(aside);
  else (void)rename(aside, path);
  return NULL;
}

static const char *take_lock(const char *path) {
  char real[PATH_MAX], time[64], mine[128];
  (void)snprintf(image.lock, sizeof image.lock, "%s.lock", realpath(path, real) != NULL ? real : path);
  start_time((long)getpid(), time, sizeof time);
  int length = snprintf(mine, sizeof mine, "%ld %s\n", (long)getpid(), time);
  for (int attempt = 0; attempt < 2; attempt++) {
    int fd = open(image.lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
      bool written = write(fd, mine, (size_t)length) == length;
      written = close(fd) == 0 && written;
      image.locked = true;
      return written ? NULL : "its lock cannot be written: is the disk full?";
    }
    if (errno != EEXIST) return strerror(errno);
    const char *why = remove_dead(image.lock);
    if (why != NULL) return why;
  }
  return "another process is opening it: try again";
}

/* ---- The file. ---- */

static bool write_all(int fd, const uint8_t *bytes, size_t length, off_t offset) {
  while (length > 0) {
    ssize_t n = pwrite(fd, bytes, length, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n <= 0) return false;
    bytes += n;
    length -= (size_t)n;
    offset += n;
  }
  return true;
}

static bool read_all(uint8_t *bytes, size_t length, off_t offset) {
  while (length > 0) {
    ssize_t n = pread(image.fd, bytes, length, offset);
    if (n < 0 && errno == EINTR) continue;
    /* Somebody made the file shorter. */
    if (n == 0) errno = EIO;
    if (n <= 0) return false;
    bytes += n;
    length -= (size_t)n;
    offset += n;
  }
  return true;
}

/** Filled under another name first: a cut in between leaves no image of a wrong size. */
static bool fill_new(const char *path, uint32_t bytes, uint32_t erased) {
  char partial[PATH_MAX + 8];
  static uint8_t block[FILL];
  (void)snprintf(partial, sizeof partial, "%s.new", path);
  memset(block, (int)erased, sizeof block);
  int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool good = true;
  for (uint32_t at = 0; good && at < bytes; at += FILL)
    good = write_all(fd, block, bytes - at < FILL ? bytes - at : FILL, (off_t)at);
  good = good && fdatasync(fd) == 0;
  int error = good ? 0 : errno;
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(partial, path) == 0) return true;
  if (error == 0) error = errno;
  (void)unlink(partial);
  errno = error;
  return false;
}

const char *alink_image_open(const char *path, const struct alink_layout *layout) {
  struct stat found;
  char why[128];
  image.layout = *layout;
  image.bytes = alink_layout_bytes(layout);
  if (strlen(path) >= PATH_MAX) return "flash image: its name is too long";
  const char *locked = take_lock(path);
  if (locked != NULL) return fail(path, locked);
  if (stat(path, &found) != 0) {
    if (errno != ENOENT || !fill_new(path, image.bytes, layout->erased)) return fail(path, strerror(errno));
  } else if (!S_ISREG(found.st_mode)) return fail(path, "is not a file");
  else if (found.st_size != (off_t)image.bytes) {
    (void)snprintf(why, sizeof why,
                   "has %ld bytes, the layout asks for %lu: name another file, or restore the layout it was made with",
                   (long)found.st_size, (unsigned long)image.bytes);
    return fail(path, why);
  }
  image.fd = open(path, O_RDWR | O_CLOEXEC);
  if (image.fd < 0) return fail(path, strerror(errno));
  image.open = true;
  image.programmed = calloc(image.bytes / layout->write / 8 + 1, 1);
  return image.programmed == NULL ? fail(path, "no memory") : NULL;
}

static bool refuse(const char *operation, uint32_t offset, uint32_t length, const char *why) {
  char line[256];
  (void)snprintf(line, sizeof line, "flash image: %s of %lu bytes at %lu: %s", operation, (unsigned long)length,
                 (unsigned long)offset, why);
  alink_port_log(line);
  return false;
}

static bool check(const char *operation, uint32_t offset, uint32_t length, uint32_t multiple) {
  if (!image.open) return refuse(operation, offset, length, "the image is closed");
  if (length > image.bytes || offset > image.bytes - length)
    return refuse(operation, offset, length, "it ends behind the flash");
  if (offset % multiple != 0 || length % multiple != 0)
    return refuse(operation, offset, length, "both must be multiples of the write unit or the sector");
  return true;
}

static bool is_programmed(uint32_t unit) { return (image.programmed[unit / 8] >> (unit % 8) & 1) != 0; }

static void mark(uint32_t unit, bool programmed) {
  uint8_t bit = (uint8_t)(1U << (unit % 8));
  if (programmed) image.programmed[unit / 8] |= bit;
  else image.programmed[unit / 8] &= (uint8_t)~bit;
}

bool alink_image_read(uint32_t offset, uint8_t *bytes, uint32_t length) {
  if (!check("read", offset, length, 1)) return false;
  return read_all(bytes, length, (off_t)offset) || refuse("read", offset, length, strerror(errno));
}

bool alink_image_write(uint32_t offset, const uint8_t *bytes, uint32_t length) {
  const uint32_t unit = image.layout.write;
  if (!check("write", offset, length, unit)) return false;
  for (uint32_t at = 0; at < length; at += unit) {
    uint8_t before[ALINK_WRITE_UNIT];
    if (!read_all(before, unit, (off_t)(offset + at))) return refuse("write", offset, length, strerror(errno));
    bool erased = !is_programmed((offset + at) / unit);
    for (uint32_t i = 0; i < unit; i++) erased = erased && before[i] == image.layout.erased;
    if (!erased) return refuse("write", offset, length, "a unit was programmed before: erase its sector first");
  }
  for (uint32_t at = 0; at < length; at += unit) mark((offset + at) / unit, true);
  return write_all(image.fd, bytes, length, (off_t)offset) || refuse("write", offset, length, strerror(errno));
}

bool alink_image_erase(uint32_t offset, uint32_t length) {
  if (!check("erase", offset, length, image.layout.sector)) return false;
  static uint8_t block[4096];
  memset(block, (int)image.layout.erased, sizeof block);
  for (uint32_t at = 0; at < length; at += sizeof block) {
    uint32_t part = length - at < sizeof block ? length - at : (uint32_t)sizeof block;
    if (!write_all(image.fd, block, part, (off_t)(offset + at)))
      return refuse("erase", offset, length, strerror(errno));
  }
  for (uint32_t at = 0; at < length; at += image.layout.write) mark((offset + at) / image.layout.write, false);
  return true;
}

bool alink_image_flush(void) {
  if (!check("flush", 0, 0, 1)) return false;
  return fdatasync(image.fd) == 0 || refuse("flush", 0, 0, strerror(errno));
}

static bool boot_read(void *context, uint32_t offset, uint8_t *bytes, uint32_t length) {
  (void)context;
  return alink_image_read(offset, bytes, length);
}

static bool boot_write(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length) {
  (void)context;
  return alink_image_write(offset, bytes, length);
}

static bool boot_erase(void *context, uint32_t offset, uint32_t length) {
  (void)context;
  return alink_image_erase(offset, length);
}

static bool boot_flush(void *context) {
  (void)context;
  return alink_image_flush();
}

struct alink_boot_flash alink_image_boot(void) {
  const uint32_t sectors = image.layout.boot.length / image.layout.sector;
  return (struct alink_boot_flash){.offset = image.layout.boot.offset,
                                   .sector = image.layout.sector,
                                   .sectors = sectors < 4 ? sectors : 4,
                                   .read = boot_read,
                                   .write = boot_write,
                                   .erase = boot_erase,
                                   .flush = boot_flush};
}

bool alink_image_close(void) {
  int error = 0;
  if (image.open) {
    if (fdatasync(image.fd) != 0) error = errno;
    if (close(image.fd) != 0 && error == 0) error = errno;
  }
  free(image.programmed);
  image.programmed = NULL;
  if (image.locked) (void)unlink(image.lock);
  image.open = image.locked = false;
  errno = error;
  return error == 0;
}
