/* A sleeping agent as bytes. The format is told in docs/coap.md; host/node/snapshot.ts reads and writes the same. */
#include <string.h>

#include "instance.h"
#include "sha256.h"

static const uint8_t MAGIC[8] = {'A', 'L', 'I', 'N', 'K', 'S', 'N', 1};
/** Where the parts stand. */
enum { MODULE = 8, DOCUMENTS = 40, ASLEEP = 72, CHECK = 80, STATE = 112 };
enum { DIGEST = ALINK_SHA256_BYTES };

/** Of the documents as a JSON array, byte for byte as they were given. */
static void hash_documents(const struct alink_agent_options *options, uint8_t *digest) {
  struct alink_sha256 hash;
  alink_sha256_begin(&hash);
  for (uint32_t i = 0; i < options->document_count; i++) {
    alink_sha256_add(&hash, i == 0 ? "[" : ",", 1);
    alink_sha256_add(&hash, options->documents[i].text, options->documents[i].length);
  }
  alink_sha256_add(&hash, options->document_count == 0 ? "[]" : "]", options->document_count == 0 ? 2 : 1);
  alink_sha256_end(&hash, digest);
}

/** Of all but itself. */
static void hash_snapshot(const uint8_t *bytes, uint32_t length, uint8_t *digest) {
  struct alink_sha256 hash;
  alink_sha256_begin(&hash);
  alink_sha256_add(&hash, bytes, CHECK);
  alink_sha256_add(&hash, bytes + STATE, length - STATE);
  alink_sha256_end(&hash, digest);
}

static void put_module(const struct alink_agent_options *options, uint8_t *digest) {
  if (options->module_digest == NULL) memset(digest, 0, DIGEST);
  else memcpy(digest, options->module_digest, DIGEST);
}

uint32_t alink_snapshot_size(const struct alink_agent *agent) { return STATE + agent->heap_base; }

int32_t alink_agent_snapshot(struct alink_agent *agent, uint64_t clock_ms, uint8_t *bytes, uint32_t room) {
  const uint32_t length = alink_snapshot_size(agent);
  if (agent->instance == NULL || agent->trapped) return ALINK_CODE_BAD_STATE;
  if (length > room) return ALINK_CODE_TOO_LARGE;
  alink_port_lock(true);
  bool post = agent->mailbox.full;
  alink_port_lock(false);
  if (post) return ALINK_CODE_BUSY;
  memcpy(bytes, MAGIC, sizeof MAGIC);
  put_module(agent->options, bytes + MODULE);
  hash_documents(agent->options, bytes + DOCUMENTS);
  for (int i = 0; i < 8; i++) bytes[ASLEEP + i] = (uint8_t)(clock_ms >> (8 * i));
  memcpy(bytes + STATE, wasm_runtime_addr_app_to_native(agent->instance, 0), agent->heap_base);
  hash_snapshot(bytes, length, bytes + CHECK);
  return (int32_t)length;
}

/** As of a clock that may have been set; ms. */
static uint32_t elapsed(const uint8_t *bytes, uint64_t clock_ms) {
  uint64_t since = 0;
  for (int i = 0; i < 8; i++) since |= (uint64_t)bytes[ASLEEP + i] << (8 * i);
  if (clock_ms <= since) return 0;
  return clock_ms - since > INT32_MAX ? (uint32_t)INT32_MAX : (uint32_t)(clock_ms - since);
}

bool alink_is_snapshot(const uint8_t *bytes, uint32_t length) {
  return length >= sizeof MAGIC && memcmp(bytes, MAGIC, sizeof MAGIC) == 0;
}

static enum alink_woken check(const struct alink_agent_options *options, const uint8_t *bytes, uint32_t length) {
  uint8_t digest[DIGEST];
  if (length <= STATE || !alink_is_snapshot(bytes, length)) return ALINK_NO_SNAPSHOT;
  hash_snapshot(bytes, length, digest);
  if (memcmp(bytes + CHECK, digest, DIGEST) != 0) return ALINK_DAMAGED;
  put_module(options, digest);
  if (memcmp(bytes + MODULE, digest, DIGEST) != 0) return ALINK_OTHER_MODULE;
  hash_documents(options, digest);
  return memcmp(bytes + DOCUMENTS, digest, DIGEST) == 0 ? ALINK_WOKEN : ALINK_OTHER_CONFIGURATION;
}

int32_t alink_agent_wake(struct alink_agent *agent, const struct alink_agent_options *options, const uint8_t *snapshot,
                         uint32_t length, uint64_t clock_ms) {
  const enum alink_woken fits = check(options, snapshot, length);
  if (fits != ALINK_WOKEN) {
    int32_t failure = alink_agent_begin(agent, options, NULL);
    return failure < 0 ? failure : (int32_t)fits;
  }
  const struct alink_asleep asleep = {snapshot + STATE, length - STATE, elapsed(snapshot, clock_ms)};
  return alink_agent_begin(agent, options, &asleep);
}

const char *alink_snapshot_fault(int32_t woken) {
  switch (woken) {
  case ALINK_NO_SNAPSHOT: return "this is no snapshot of a device";
  case ALINK_DAMAGED: return "the snapshot is damaged";
  case ALINK_OTHER_MODULE: return "the snapshot is of another build of the module";
  case ALINK_OTHER_CONFIGURATION: return "the snapshot was made with another configuration";
  default: return "";
  }
}
