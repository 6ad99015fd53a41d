/** The members of the configuration: their names, where texts are kept, what each takes (docs/configuration.md). */
import {
  CLIENT_ID,
  DEVICE_NAME,
  DEVICE_SECRET,
  ENDPOINT,
  FLOOR,
  INSTANCE_ID,
  PRODUCT_KEY,
  REGION,
  TIMESTAMP,
  VERSION,
} from "../arena";
import { L, plainText, S, wordIndex } from "../bytes/text";
import { WITH_SHA1 } from "../crypto/grade";
import { WITH_CONFIRM, WITH_QUIET, WITH_RATE, WITH_SIGNATURES, WITH_VERSION_ORDER, WITH_WORDS } from "../profile";
import { VERSION_MARKS, VERSION_MAX } from "../protocol/offer";

export const enum Member {
  None = 0,
  // texts
  ProductKey = 1,
  DeviceName = 2,
  DeviceSecret = 3,
  ClientId = 4,
  Timestamp = 5,
  Region = 6,
  InstanceId = 7,
  Endpoint = 8,
  Version = 9,
  SignMethod = 10,
  // others
  KeepAlive = 11,
  CleanSession = 12,
  AllowPlain = 13,
  UpdateLink = 14,
  Flash = 15,
  // those that not every module takes: see absent
  UpdateFloor = 16,
  UpdateConfirm = 17,
  UpdateRate = 18,
  UpdateQuiet = 19,
  UpdateKey = 20,
  // members of flash
  Sector = 21,
  Write = 22,
  Erased = 23,
  Slots = 24,
  State = 25,
  Queue = 26,
  /** The boot loader's record: the host's own. */
  Boot = 27,
}

/** Names in the order of Member. */
export function memberOf(p: usize, n: u32): Member {
  const names = L(
    "productKey deviceName deviceSecret clientId timestamp region instanceId endpoint version signMethod keepAlive cleanSession allowPlain updateLink flash updateFloor updateConfirm updateRate updateQuiet updateKey",
  );
  return wordIndex(p, n, names, true);
}

export function flashMemberOf(p: usize, n: u32): Member {
  const index = wordIndex(p, n, L("sector write erased slots state queue boot"), true);
  return index == 0 ? Member.None : Member.UpdateKey + index;
}

/** Whether this module cannot do what the member asks for. Passed over, it would leave the device with less than it was promised. */
export function absent(member: Member): bool {
  return (
    (!WITH_VERSION_ORDER && member == Member.UpdateFloor) ||
    (!WITH_CONFIRM && member == Member.UpdateConfirm) ||
    (!WITH_RATE && member == Member.UpdateRate) ||
    (!WITH_QUIET && member == Member.UpdateQuiet) ||
    (!WITH_SIGNATURES && member == Member.UpdateKey)
  );
}

/** Where each text is kept, and above bit 16 how long it may be (Alink §1), in the order of Member. */
const TEXTS: usize = memory.data<usize>([
  PRODUCT_KEY | (20 << 16),
  DEVICE_NAME | (32 << 16),
  DEVICE_SECRET | (64 << 16),
  CLIENT_ID | (64 << 16),
  TIMESTAMP | (20 << 16),
  REGION | (32 << 16),
  INSTANCE_ID | (64 << 16),
  ENDPOINT | (254 << 16),
  VERSION | (VERSION_MAX << 16),
]);

function text(member: Member): usize {
  if (WITH_VERSION_ORDER && member == Member.UpdateFloor) return FLOOR | (VERSION_MAX << 16);
  return <u32>member - 1 < <u32>Member.Version ? load<usize>(((<usize>member - 1) << 2) + TEXTS) : 0;
}

/** Where a text is kept: a length byte, then the value. 0 = it is not kept. */
export function textOf(member: Member): usize {
  return text(member) & 0xffff;
}

/** Longest value of a text, bytes. */
export function textMax(member: Member): u32 {
  return <u32>(text(member) >>> 16);
}

/** What a member takes, for the message about a value that it does not. */
export function expected(member: Member): usize {
  if (absent(member)) return S("is not for agent-lite.wasm: leave it out, or take agent.wasm");
  if (!WITH_WORDS) return S("does not take this: see docs/configuration.md");
  switch (member) {
    case Member.ProductKey:
      return S("takes 1 to 20 letters and digits");
    case Member.DeviceName:
      return S("takes 4 to 32 of letters, digits and - _ @ . :");
    case Member.ClientId:
      return S("takes 1 to 64 of letters, digits and - _ @ . : &");
    case Member.DeviceSecret:
      return S("takes a text of 1 to 64 bytes");
    case Member.Timestamp:
      return S("takes milliseconds as a text of digits");
    case Member.Version:
    case Member.UpdateFloor:
      return S("takes 1 to 64 of letters, digits and . _ -");
    case Member.Endpoint:
      return S("takes mqtts://host:port or mqtt://host:port");
    case Member.SignMethod:
      return WITH_SHA1 ? S("takes hmacsha256, hmacsha1 or hmacmd5") : S("takes hmacsha256 or hmacmd5");
    case Member.KeepAlive:
      return S("takes a number of seconds from 30 to 1200");
    case Member.CleanSession:
      return S("takes true or false");
    case Member.AllowPlain:
      return S('takes a list of "mqtt" and "http"');
    case Member.UpdateConfirm:
      return S("takes auto or ask");
    case Member.UpdateLink:
      return S("takes parallel or pause");
    case Member.UpdateRate:
      return S("takes bytes a second, from 256");
    case Member.UpdateQuiet:
      return S("takes two minutes of the day (UTC) from 0 to 1439: [from, to]");
    case Member.UpdateKey:
      return S("takes a SubjectPublicKeyInfo in base64, one line: an RSA key of 2048 bits with exponent 65537");
    case Member.Region:
    case Member.InstanceId:
      return S("takes letters, digits and hyphens");
    default:
      return S(
        "takes sector, write, erased, slots, state and queue; offsets and lengths are multiples of the sector, regions have two sectors or more and do not overlap",
      );
  }
}

/** What a text may have beside letters and digits: nothing that means something in a topic, a client id or a host. */
function marks(member: Member): usize {
  switch (member) {
    case Member.ProductKey:
      return S("");
    case Member.DeviceName:
      return S("-._@:");
    case Member.ClientId:
      return S("-._@:&");
    case Member.Version:
    case Member.UpdateFloor:
      return VERSION_MARKS;
    default:
      return S("-");
  }
}

function digits(ptr: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) if (<u32>load<u8>(ptr + i) - 48 > 9) return false;
  return true;
}

/** Whether the text is one that the member takes. */
export function plain(member: Member, ptr: usize, length: u32): bool {
  if (member == Member.DeviceSecret || member == Member.Endpoint) return length > 0;
  if (member == Member.Timestamp) return length > 0 && digits(ptr, length);
  return length >= (member == Member.DeviceName ? <u32>4 : <u32>1) && plainText(ptr, length, marks(member));
}
