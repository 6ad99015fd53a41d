/**
 * The topics of Alink (§6, §7): what goes out, and which of them an incoming PUBLISH is for. `{pk}` and `{dn}` are the
 * device's own; anything else is an application topic.
 */
import { equals, litLen, S } from "../bytes/text";
import { putBytes, putText, Writer } from "../bytes/writer";
import { Identity } from "./sign";

export const enum Topic {
  /** Not one of the system's. */
  Application = 0,
  // posts of the thing model, and their replies in the same order: a property post is the event "property"
  PropertyPost = 1,
  EventPost = 2,
  PropertyPostReply = 3,
  EventPostReply = 4,
  PropertySet = 5,
  PropertySetReply = 6,
  Inform = 7,
  Upgrade = 8,
  FirmwareGet = 9,
  FirmwareGetReply = 10,
  Progress = 11,
  /** One of the system's that this agent has no use for. */
  Ignored = 12,
}

/** Path of a topic below /sys/{pk}/{dn}/, or below /ota/device/ before /{pk}/{dn}. */
function path(topic: Topic): usize {
  switch (topic) {
    case Topic.PropertyPost:
    case Topic.EventPost:
      return S("thing/event/");
    case Topic.PropertySet:
      return S("thing/service/property/set");
    case Topic.PropertySetReply:
      return S("thing/service/property/set_reply");
    case Topic.FirmwareGet:
      return S("thing/ota/firmware/get");
    case Topic.FirmwareGetReply:
      return S("thing/ota/firmware/get_reply");
    case Topic.Inform:
      return S("inform");
    case Topic.Upgrade:
      return S("upgrade");
    default:
      return S("progress");
  }
}

/** Write the topic; `name` is the identifier of a post, of `nameLength` bytes. */
export function putTopic(w: Writer, identity: Identity, topic: Topic, name: usize, nameLength: u32): void {
  const ota = topic == Topic.Inform || topic == Topic.Progress;
  if (ota) {
    putText(w, S("/ota/device/"));
    putText(w, path(topic));
    putText(w, S("/"));
  } else putText(w, S("/sys/"));
  putText(w, identity.productKey);
  putText(w, S("/"));
  putText(w, identity.deviceName);
  if (ota) return;
  putText(w, S("/"));
  putText(w, path(topic));
  if (topic > Topic.EventPost) return;
  putBytes(w, name, nameLength);
  putText(w, S("/post"));
}

/** Bytes of `text` when the range begins with it, else -1 (so that a chain of them stays negative). */
function skip(ptr: usize, len: u32, at: i32, text: usize): i32 {
  const n = litLen(text);
  if (at < 0 || <u32>at + n > len || !equals(ptr + at, n, text)) return -1;
  return at + <i32>n;
}

/** Longest topic the platform takes, bytes (Alink §3). */
const LONGEST: u32 = 128;

/** Whether a device may publish there: below /{pk}/{dn}/, without wildcards and control characters. */
export function ownTopic(identity: Identity, ptr: usize, len: u32): bool {
  let at = skip(ptr, len, 0, S("/"));
  at = skip(ptr, len, at, identity.productKey);
  at = skip(ptr, len, at, S("/"));
  at = skip(ptr, len, at, identity.deviceName);
  at = skip(ptr, len, at, S("/"));
  if (at < 0 || <u32>at == len || len > LONGEST) return false;
  for (let i: u32 = 0; i < len; i++) {
    const c: u32 = load<u8>(ptr + i);
    if (c < 33 || c > 126 || c == 35 || c == 43) return false;
  }
  return true;
}

/** Whether the range is a topic filter: wildcards stand for whole levels, "#" for the last (MQTT §4.7.1). */
export function validFilter(ptr: usize, len: u32): bool {
  if (len > LONGEST) return false;
  for (let i: u32 = 0; i < len; i++) {
    const c: u32 = load<u8>(ptr + i);
    if (c < 33 || c > 126) return false;
    if (c != 35 && c != 43) continue;
    if (i != 0 && load<u8>(ptr + i - 1) != 47) return false;
    if (i + 1 != len && (c == 35 || load<u8>(ptr + i + 1) != 47)) return false;
  }
  return true;
}

/** Which topic the range is. */
export function topicOf(identity: Identity, ptr: usize, len: u32): Topic {
  let at = skip(ptr, len, 0, S("/sys/"));
  at = skip(ptr, len, at, identity.productKey);
  at = skip(ptr, len, at, S("/"));
  at = skip(ptr, len, at, identity.deviceName);
  at = skip(ptr, len, at, S("/"));
  if (at >= 0) {
    const rest = len - at;
    const name = skip(ptr, len, at, path(Topic.EventPost));
    const tail = S("/post_reply");
    const end = <i32>(len - litLen(tail));
    if (name >= 0 && name < end && equals(ptr + end, litLen(tail), tail))
      return equals(ptr + name, end - name, S("property")) ? Topic.PropertyPostReply : Topic.EventPostReply;
    if (equals(ptr + at, rest, path(Topic.PropertySet))) return Topic.PropertySet;
    if (equals(ptr + at, rest, path(Topic.FirmwareGetReply))) return Topic.FirmwareGetReply;
    return Topic.Ignored;
  }
  at = skip(ptr, len, 0, S("/ota/device/upgrade/"));
  at = skip(ptr, len, at, identity.productKey);
  at = skip(ptr, len, at, S("/"));
  at = skip(ptr, len, at, identity.deviceName);
  if (at >= 0 && <u32>at == len) return Topic.Upgrade;
  if (skip(ptr, len, 0, S("/sys/")) >= 0 || skip(ptr, len, 0, S("/ota/")) >= 0) return Topic.Ignored;
  return Topic.Application;
}
