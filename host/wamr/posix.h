/* The parts of the POSIX port among themselves: port_posix.c over posix_link.c, posix_file.c and posix_flash.c. */
#ifndef ALINK_POSIX_H
#define ALINK_POSIX_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot.h"
#include "device_file.h"
#include "port.h"

/* ---- posix_link.c: sockets, name resolution in a thread, TLS by posix_tls.c. ---- */

/** Descriptors to poll, at most ALINK_CHANNELS: links that open or close, and what `interest` asks. -> their number. */
nfds_t alink_links_watch(struct pollfd *fds, const uint8_t interest[ALINK_CHANNELS]);
/** -> milliseconds until a link's own time limit, -1 = none. */
int alink_links_due(void);
/** The last error of a channel's link, for people; "" = none. */
const char *alink_link_error(int32_t ch);
/** Free what links and certificates took. */
void alink_links_end(void);

/* ---- posix_datagram.c: a connected UDP socket. A datagram that cannot be carried is lost; `error` gets the errno. ---- */

/** Send one datagram. -> length, or 0 = not now. */
int32_t alink_datagram_send(int fd, const uint8_t *bytes, uint32_t length, int *error);
/** -> length of the next datagram of 1 … `length` bytes; empty and longer ones are lost; 0 = none now. */
int32_t alink_datagram_receive(int fd, uint8_t *bytes, uint32_t length, int *error);

/* ---- posix_file.c: files that are there whole or not at all: PATH.part, mode 0600, renamed at the end. ---- */

/** Longest name of a file, bytes. */
enum { ALINK_PATH = 4096 };

struct alink_file {
  const char *path;
  char part[ALINK_PATH + 8];
  int fd, error;
  bool good;
};

/** Begin a file in the place of `path`, which holds until the end. -> false with errno. */
bool alink_file_begin(struct alink_file *file, const char *path);
/** -> false: it could not be written; nothing more is, and alink_file_end tells the errno. */
bool alink_file_put(struct alink_file *file, const void *bytes, size_t length);
/** Make what was put durable under its name; or drop it. -> false with errno: something of it failed, `put` included. */
bool alink_file_end(struct alink_file *file, bool keep);
/** -> NULL, or why no file can be made in the place of `path`. */
const char *alink_file_refuses(const char *path);
/** -> its length; -1 with errno: it cannot be read, or has `room` bytes or more (EFBIG). */
long alink_file_read(const char *path, void *bytes, size_t room);

/* ---- posix_flash.c: the flash image file, docs/boot-record.md and host/node/flash.ts. ---- */

/** Open and lock `path`, made and filled when it is missing. -> NULL, or one line on what is wrong. */
const char *alink_image_open(const char *path, const struct alink_layout *layout);
/** One operation by the part's rules. A broken rule is logged. -> false: it failed. */
bool alink_image_read(uint32_t offset, uint8_t *bytes, uint32_t length);
bool alink_image_write(uint32_t offset, const uint8_t *bytes, uint32_t length);
bool alink_image_erase(uint32_t offset, uint32_t length);
bool alink_image_flush(void);
/** The image as boot.c sees it. */
struct alink_boot_flash alink_image_boot(void);
/** Make everything durable and give the image back. -> false with errno: what was written last may be lost. */
bool alink_image_close(void);

/* ---- port_posix.c beside port.h. ---- */

/**
 * Before alink_agent_start: pipe, flash image and certificates. `flash` NULL: there is none, for a module that keeps
 * nothing there. `capsule`: file for capsules, NULL: none. -> NULL, or one line on what is wrong.
 */
const char *alink_posix_open(const char *flash, const struct alink_layout *layout, const char *ca, const char *capsule);
/** Lines of alink_port_log go here; NULL: to stderr. */
void alink_posix_log_to(void (*log)(const char *text));
/** `on_capsule`: into the file that alink_posix_open was told. A failure is logged with its cause. */
bool alink_posix_capsule(void *context, const void *part, uint32_t length, bool last);
/** -> NULL, or one line on what of the flash could not be made durable. */
const char *alink_posix_close(void);

#endif
