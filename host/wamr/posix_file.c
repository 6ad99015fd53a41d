/* Files that are there whole or not at all, and are for their owner's eyes. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix.h"

/** What cannot be replaced: a directory, a device, a link to either. */
static bool is_in_the_way(const char *path) {
  struct stat found;
  return lstat(path, &found) == 0 && !S_ISREG(found.st_mode);
}

bool alink_file_begin(struct alink_file *file, const char *path) {
  file->fd = -1;
  file->good = false;
  if (snprintf(file->part, sizeof file->part, "%s.part", path) >= (int)sizeof file->part) errno = ENAMETOOLONG;
  else if (is_in_the_way(path) || is_in_the_way(file->part)) errno = EISDIR;
  else {
    file->path = path;
    /* One that was left may be readable by others. */
    (void)unlink(file->part);
    file->fd = open(file->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    file->good = file->fd >= 0;
  }
  return file->good;
}

bool alink_file_put(struct alink_file *file, const void *bytes, size_t length) {
  const uint8_t *from = bytes;
  while (file->good && length > 0) {
    ssize_t n = write(file->fd, from, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      file->error = n < 0 ? errno : ENOSPC;
      file->good = false;
      break;
    }
    from += n;
    length -= (size_t)n;
  }
  return file->good;
}

/** A name is durable when its directory is; some file systems do not know that and answer EINVAL. */
static bool flush_directory(const char *path) {
  char directory[ALINK_PATH + 8];
  const char *slash = strrchr(path, '/');
  int length = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);
  (void)snprintf(directory, sizeof directory, "%.*s", length == 0 ? 1 : length, length == 0 ? "." : path);
  int fd = open(directory, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool good = fsync(fd) == 0 || errno == EINVAL;
  (void)close(fd);
  return good;
}

bool alink_file_end(struct alink_file *file, bool keep) {
  if (file->fd < 0) return false;
  int error = file->good ? 0 : file->error;
  file->good = false;
  if (keep && error == 0 && fsync(file->fd) != 0) error = errno;
  if (close(file->fd) != 0 && error == 0) error = errno;
  file->fd = -1;
  if (keep && error == 0 && rename(file->part, file->path) != 0) error = errno;
  if (keep && error == 0) return flush_directory(file->path);
  (void)unlink(file->part);
  errno = error;
  return error == 0;
}

const char *alink_file_refuses(const char *path) {
  struct alink_file file;
  return alink_file_begin(&file, path) && alink_file_end(&file, false) ? NULL : strerror(errno);
}

long alink_file_read(const char *path, void *bytes, size_t room) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return -1;
  size_t length = fread(bytes, 1, room, file);
  int error = ferror(file) != 0 ? errno : length < room ? 0 : EFBIG;
  (void)fclose(file);
  errno = error;
  return error == 0 ? (long)length : -1;
}
