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
static bool reported, properties_due;
/** Events of the program that are not handed over yet: from here on. */
static uint32_t next_event;
/** What the mailbox has, or had last: for messages. */
static struct {
  const char *what;
  uint32_t length;
  /** Why the module refuses it: its BadArgument, its BadState. */
  const char *bad, *early;
} handed;
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

static void refuse(const char *what, const char *why) {
  char line[200];
  (void)snprintf(line, sizeof line, "%s: %s", what, why);
  alink_port_log(line);
}

static void refuse_large(const char *what, uint32_t length, uint32_t available) {
  char line[120];
  (void)snprintf(line, sizeof line, "%s takes %lu bytes, %lu are available: send less at a time", what,
                 (unsigned long)length, (unsigned long)available);
  alink_port_log(line);
}

/** What became of an attempt to fill the mailbox. -> whether it is to be tried again, once there is room. */
static bool waits(int32_t result, const char *what, uint32_t length, const char *bad, const char *early) {
  if (result == ALINK_CODE_BUSY) return true;
  if (result == ALINK_CODE_OK) {
    handed.what = what;
    handed.length = length;
    handed.bad = bad;
    handed.early = early;
  } else if (result == ALINK_CODE_TOO_LARGE) refuse_large(what, length, ALINK_IN_WINDOW);
  else refuse(what, "it is given up, the device goes to sleep");
  return false;
}

/** -> whether it is to be tried again, once there is room. */
static bool post(int32_t kind, const char *what, const char *text, const char *bad, const char *early) {
  uint32_t length = text == NULL ? 0 : (uint32_t)strlen(text);
  return waits(alink_agent_post(program.agent, kind, text, length), what, length, bad, early);
}

static bool post_event(const struct alink_thing_event *what) {
  uint32_t length = (uint32_t)strlen(what->params);
  int32_t result = alink_agent_post_event(program.agent, what->identifier, what->params, length);
  return waits(result, "the event post", (uint32_t)strlen(what->identifier) + 1 + length,
               "an identifier has 1 to 50 letters, digits and \"_\", and \"property\" is none", NULL);
}

static bool reply(void) {
  return waits(alink_agent_reply(program.agent, replies[reply_first], 200, NULL, 0), "the reply", 0,
               "the request is not known", NULL);
}

/** The mailbox has one place: what does not fit waits for on_taken. */
static void hand_over(void) {
  if (properties_due)
    properties_due = post(ALINK_POST_PROPERTY, "the property post", program.properties, "check the JSON object", NULL);
  while (reported && next_event < program.event_count && !post_event(&program.events[next_event])) next_event++;
  if (decision != 0 && !post(decision, "the decision on the update", NULL, "check --confirm", "none is awaited"))
    decision = 0;
  while (reply_count > 0 && !reply()) {
    reply_first = (reply_first + 1) % REPLIES;
    reply_count--;
  }
}

void alink_program_taken(void *context, int32_t result) {
  char why[160];
  (void)context;
  if (result == ALINK_CODE_TOO_LARGE)
    refuse_large(handed.what, handed.length, alink_agent_available(program.agent));
  else if (result == ALINK_CODE_BAD_ARGUMENT) {
    (void)snprintf(why, sizeof why, "the module does not accept it: %s", handed.bad);
    refuse(handed.what, why);
  } else if (result == ALINK_CODE_BAD_STATE)
    refuse(handed.what, handed.early != NULL ? handed.early
                                             : "it is given up, the device goes to sleep, stopped or is not connected");
  else if (result < 0) {
    (void)snprintf(why, sizeof why, "the module did not take it: code %ld", (long)result);
    refuse(handed.what, why);
  }
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
