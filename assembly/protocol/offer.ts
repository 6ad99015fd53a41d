/**
 * A firmware package that the platform offers: the members of `data` in an upgrade push or a firmware/get reply
 * (Alink §7). Values go straight from the JSON reader into these fields; everything else is passed over, whatever its
 * length.
 */
import { Code } from "../abi";
import { equals, equalsIgnoreCase, fill, hexDecode, L, parseU32, plainText, S, wordIndex } from "../bytes/text";
import { JsonReader, JsonToken, jsonKeyPtr } from "../codec/json";
import { Digest, digestLength } from "../crypto/hmac";
import { URL_MAX, WITH_SIGNATURES } from "../profile";

/** Longest version, bytes (Alink §8 DestVersion). */
export const VERSION_MAX: u32 = 64;
export const VERSION_MARKS: usize = S("-._");
const SIGN_MAX: u32 = 64;
/** Base64 of 256 bytes. */
const SIGNATURE_MAX: u32 = 344;
const SHORT_MAX: u32 = 16;
export const DIGEST_MAX: u32 = 32;

const enum Field {
  None = 0,
  Version = 1,
  Url = 2,
  Size = 3,
  Sign = 4,
  Method = 5,
  Md5 = 6,
  Module = 7,
  Diff = 8,
  /** Members whose presence alone matters. */
  Files = 9,
  Protocol = 10,
  Signature = 11,
}

@unmanaged
@final
export class Offer {
  /** Buffers lent by the arena: VERSION_MAX, URL_MAX, SIGN_MAX + SHORT_MAX bytes. */
  version: usize = 0;
  versionLength: u32 = 0;
  url: usize = 0;
  urlLength: u32 = 0;
  digest: usize = 0;
  scratch: usize = 0;
  size: u32 = 0;
  method: Digest = Digest.Md5;
  methodSeen: bool = false;
  digestSeen: bool = false;
  sizeSeen: bool = false;
  /** Any member at all: a firmware/get reply without a task has none. */
  any: bool = false;
  /** It is for a module that this agent does not update. */
  otherModule: bool = false;
  /** The first reason why the offer cannot be taken, a Code; 0 = none. */
  refusal: i32 = 0;
  field: Field = Field.None;
  signLength: u32 = 0;
  md5Seen: bool = false;
  /** Only what tells packages apart is read: the rest has no room now. */
  brief: bool = false;
  /** SIGNATURE_MAX bytes; 0 = signatures are of no use. */
  signature: usize = 0;
  signatureLength: u32 = 0;
}

export const OFFER_SCRATCH: u32 = SIGN_MAX + SHORT_MAX;

export function offerInit(o: Offer): void {
  o.versionLength = 0;
  o.urlLength = 0;
  o.size = 0;
  o.methodSeen = false;
  o.digestSeen = false;
  o.sizeSeen = false;
  o.md5Seen = false;
  o.any = false;
  o.otherModule = false;
  o.refusal = 0;
  o.signLength = 0;
  if (WITH_SIGNATURES) o.signatureLength = 0;
  o.field = Field.None;
}

function refuse(o: Offer, code: i32): void {
  if (o.refusal == 0) o.refusal = code;
}

/** Names in the order of Field. */
function fieldOf(ptr: usize, len: u32): Field {
  const names = WITH_SIGNATURES
    ? L("version url size sign signMethod md5 module isDiff files dProtocol digestsign")
    : L("version url size sign signMethod md5 module isDiff files dProtocol");
  return wordIndex(ptr, len, names, false);
}

/** A key of `data`: choose where its value goes. */
export function offerKey(o: Offer, r: JsonReader): void {
  o.any = true;
  o.field = fieldOf(jsonKeyPtr(r), r.keyLen);
  if (WITH_SIGNATURES && o.field == Field.Signature && o.signature == 0) o.field = Field.None;
  if (o.brief && (o.field == Field.Url || (WITH_SIGNATURES && o.field == Field.Signature))) {
    o.urlLength = 1;
    o.field = Field.None;
  }
  r.out = o.scratch + SIGN_MAX;
  r.cap = SHORT_MAX;
  if (o.field == Field.Version) {
    r.out = o.version;
    r.cap = VERSION_MAX;
  } else if (o.field == Field.Url) {
    r.out = o.url;
    r.cap = URL_MAX;
  } else if (o.field == Field.Sign) {
    r.out = o.scratch;
    r.cap = SIGN_MAX;
  } else if (WITH_SIGNATURES && o.field == Field.Signature) {
    r.out = o.signature;
    r.cap = SIGNATURE_MAX;
  } else if (o.field == Field.None) r.cap = 0;
}

/** The value of that key, a scalar or the beginning of an object or array. */
export function offerValue(o: Offer, r: JsonReader, token: JsonToken): void {
  const field = o.field;
  const short = o.scratch + SIGN_MAX;
  o.field = Field.None;
  if (field == Field.None) return;
  if (field == Field.Files) return refuse(o, Code.Unsupported);
  // a list or an object leaves the sink as it was
  if (token != JsonToken.String && token != JsonToken.Number) return refuse(o, Code.BadMessage);
  if (r.total > r.len && field != Field.Md5 && field != Field.Module) return refuse(o, Code.OverLimit);
  switch (field) {
    case Field.Version:
      o.versionLength = plainVersion(o.version, r.len) ? r.len : 0;
      break;
    case Field.Url:
      o.urlLength = token == JsonToken.String ? r.len : 0;
      break;
    case Field.Size: {
      const size = parseU32(short, r.len);
      o.sizeSeen = size >= 0;
      o.size = <u32>size;
      break;
    }
    case Field.Sign:
      o.signLength = r.len;
      break;
    case Field.Signature:
      if (!WITH_SIGNATURES) break;
      o.signatureLength = r.len;
      break;
    case Field.Md5:
      // the same digest once more, for packages that are signed with MD5
      o.md5Seen = true;
      break;
    case Field.Method:
      o.methodSeen = true;
      if (equalsIgnoreCase(short, r.len, S("md5"))) o.method = Digest.Md5;
      else if (equalsIgnoreCase(short, r.len, S("sha256"))) o.method = Digest.Sha256;
      else refuse(o, Code.Unsupported);
      break;
    case Field.Module:
      // absent and "default" mean the whole device (Alink §7)
      o.otherModule = !equals(short, r.total, S("default"));
      break;
    case Field.Diff:
      if (!equals(short, r.len, S("0"))) refuse(o, Code.Unsupported);
      break;
    default:
      if (!equalsIgnoreCase(short, r.len, S("https")) && !equalsIgnoreCase(short, r.len, S("http")))
        refuse(o, Code.Unsupported);
  }
}

/** Versions are 1–64 of letters, digits, dot, underscore and hyphen (Alink §8). */
export function plainVersion(ptr: usize, len: u32): bool {
  return len - 1 < VERSION_MAX && plainText(ptr, len, VERSION_MARKS);
}

/** The document is complete. -> Ok, or why the offer cannot be taken. */
export function offerEnd(o: Offer): i32 {
  if (o.refusal != 0) return o.refusal;
  if (o.versionLength == 0 || o.urlLength == 0 || !o.sizeSeen || o.size == 0 || o.signLength == 0)
    return Code.BadMessage;
  // without signMethod the length of the digest says which one it is
  if (!o.methodSeen) o.method = o.signLength == 64 ? Digest.Sha256 : Digest.Md5;
  fill(o.digest, 0, DIGEST_MAX);
  if (hexDecode(o.digest, o.scratch, o.signLength) != <i32>digestLength(o.method)) return Code.BadMessage;
  return Code.Ok;
}
