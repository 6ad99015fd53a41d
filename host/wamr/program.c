#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_file.h"
#include "posix.h"

/** EVENT is the Node host's limit. */
enum { EVENT = 2 * 1024 * 1024, REPLIES = 16 };

static struct alink_program program;
static char event[EVENT + 1], failure[512], fault[512];
static uint32_t event_length;
static int32_t replies[REPLIES];
static uint32_t reply_first, reply_count;
static bool reported, properties_due, event_due;
/** What to check when the module does not take the post in the mailbox. */
static const char *hint = "";
/** Post that answers the question about an update; 0 = none is due. */
static int32_t decision;

void alink_program_begin(const struct alink_program *given) { program = *given; }
const char *alink_program_failure(void) { return failure; }
const char *alink_program_fault(void) { return fault; }

void alink_program_log(const char *text) {
  char quoted[1024];
  uint32_t length = alink_json_quote(quoted, 0, sizeof quoted - 1, text);
  quoted[length] = '\0';
  (void)printf("{\"event\":\"fault\",\"code\":0,\"detail\":0,\"desc\":%s}\n", length == 0 ? "\"\"" : quoted);
  (void)fflush(stdout);
}

static long number(const char *name) {
  uint32_t length;
  const char *value = alink_json_member(event, name, &length);
  return value == NULL ? 0 : strtol(value, NULL, 10);
}

static void keep_fault(void) {
  uint32_t length;
  const char *desc = alink_json_member(event, "desc", &length);
  if (number("code") >= 0 || fault[0] != '\0' || desc == NULL) return;
  if (alink_json_string(desc, length, fault, sizeof fault) < 0) fault[0] = '\0';
}

/** Ends the program when the device cannot get further by itself; an orderly end belongs to a restart. */
static void look_at_disconnect(void) {
  long code = number("code"), detail = number("detail");
  const char *link = alink_link_error(0);
  if (code == ALINK_CODE_UNTRUSTED)
    (void)snprintf(failure, sizeof failure,
                   "the certificate of the platform is not trusted%s%s: name the certificate authority with --ca FILE, "
                   "and use the host name that the certificate names",
                   link[0] == '\0' ? "" : ": ", link);
  else if (code == ALINK_CODE_REFUSED && detail != 3 && detail != 0)
    (void)snprintf(failure, sizeof failure,
                   "the platform refused the identity of %s: %s %ld: check deviceSecret, productKey and "
                   "deviceName",
                   program.device_name, detail < 400 ? "CONNACK" : "CoAP", detail);
  else if (number("retryMs") >= 0 || code == ALINK_CODE_OK) return;
  else
    (void)snprintf(failure, sizeof failure, "%s was disconnected for good: %ld%s%s", program.device_name, code,
                   link[0] == '\0' ? "" : ", ", link);
  alink_agent_stop(program.agent);
}

/** The mailbox has one place: what does not fit waits for on_taken. */
static void hand_over(void) {
  if (properties_due) {
    uint32_t length = (uint32_t)strlen(program.properties);
    if (alink_agent_post(program.agent, ALINK_POST_PROPERTY, program.properties, length) != ALINK_CODE_BUSY)
      properties_due = false;
  }
  if (event_due) {
    uint32_t length = (uint32_t)strlen(program.event_params);
    int32_t result = alink_agent_post_event(program.agent, program.event_identifier, program.event_params, length);
    event_due = result == ALINK_CODE_BUSY;
    if (result == ALINK_CODE_OK) hint = ": an event's identifier has 1 to 50 letters, digits and _, and is not property";
    else if (!event_due) alink_port_log("the event has more bytes than a post takes");
  }
  if (decision != 0 && alink_agent_post(program.agent, decision, NULL, 0) != ALINK_CODE_BUSY) decision = 0;
  if (reply_count > 0 && alink_agent_reply(program.agent, replies[reply_first], 200, NULL, 0) == ALINK_CODE_OK) {
    reply_first = (reply_first + 1) % REPLIES;
    reply_count--;
  }
}

void alink_program_taken(void *context, int32_t result) {
  char line[160];
  (void)context;
  (void)snprintf(line, sizeof line, "the module did not take a post: code %ld%s", (long)result,
                 result == ALINK_CODE_BAD_ARGUMENT ? hint : "");
  if (result < 0) alink_port_log(line);
  hint = "";
  hand_over();
}

/** Without an application every property set is answered with 200, as the Node host does. */
static void answer(void) {
  if (reply_count == REPLIES) alink_port_log("a property set was not answered: too many wait");
  else replies[(reply_first + reply_count++) % REPLIES] = (int32_t)number("token");
  hand_over();
}

static void decide(void) {
  uint32_t length;
  const char *confirm = alink_json_member(event, "confirm", &length);
  if (confirm == NULL || length != 4 || memcmp(confirm, "true", 4) != 0) return;
  decision = program.decision;
  hand_over();
}

void alink_program_report(void) {
  reported = true;
  properties_due = program.properties != NULL;
  event_due = program.event_identifier != NULL;
  hand_over();
}

void alink_program_event(void *context, int32_t kind, const char *text, uint32_t length, int32_t more) {
  (void)context;
  if (event_length + length > EVENT) event_length = EVENT + 1;
  else memcpy(event + event_length, text, length);
  event_length += length;
  if (more == ALINK_PIECE_MORE) return;
  uint32_t whole = event_length;
  event_length = 0;
  if (more == ALINK_PIECE_ABANDONED || whole == 0) return;
  if (whole > EVENT) {
    alink_port_log("an event was dropped: more than 2 MiB");
    return;
  }
  event[whole] = '\0';
  (void)printf("%s\n", event);
  (void)fflush(stdout);
  if (kind == ALINK_EVENT_FAULT) keep_fault();
  else if (kind == ALINK_EVENT_DISCONNECTED) look_at_disconnect();
  else if (kind == ALINK_EVENT_PROPERTY_SET) answer();
  else if (kind == ALINK_EVENT_UPDATE_OFFERED) decide();
  else if (kind == ALINK_EVENT_CONNECTED && !reported) alink_program_report();
}
