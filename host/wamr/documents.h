/*
 * The configuration of a device as alink-wamr hands it to the module: the device file, what the environment and the
 * command line say instead, and the flash layout. The same documents, byte for byte, as `alink-agent run` makes of the
 * same input (host/node/device.ts), where numbers and texts are spelled as JSON.stringify spells them: a snapshot of
 * one host opens in the other.
 */
#ifndef ALINK_DOCUMENTS_H
#define ALINK_DOCUMENTS_H

#include "agent.h"
#include "device_file.h"

/** What the command line says; NULL: nothing. */
struct alink_source {
  const char *device, *endpoint, *allow_plain;
};

/** A device as it is configured. `secret` is one. */
struct alink_device {
  struct alink_document documents[4];
  uint32_t document_count;
  struct alink_layout layout;
  char name[128], secret[128];
  /** The platform is spoken to over CoAP: another module, which keeps nothing in a flash. */
  bool coap;
};

/** -> NULL, or one line that names the file and the member. The texts of the documents are static: one device. */
const char *alink_device_read(struct alink_device *device, const struct alink_source *source);

/** Whether --allow-plain takes this list. */
bool alink_allows_plain(const char *list);

#endif
