/**
 * URLs (RFC 3986) as far as a device meets them: absolute ones of six schemes, and the references that a redirect may
 * hold. Left out on purpose: user information (it would put secrets into texts that are logged), relative paths and the
 * removal of dot segments. A Url holds offsets into the caller's text, nothing is copied.
 */
import { Code } from "../abi";
import { Ascii, L, parseU32, wordIndex } from "../bytes/text";
import { putByte, putBytes, putDecimal, Writer, writerDone } from "../bytes/writer";

/** Schemes that are known. The odd ones run over TLS. */
export const enum Scheme {
  Http = 0,
  Https = 1,
  Mqtt = 2,
  Mqtts = 3,
  Tcp = 4,
  Tls = 5,
}

/** Longest host, bytes (RFC 1035 §2.3.4, as text). */
export const URL_HOST: u32 = 253;

/** A URL by its parts; all offsets count from `text`. */
@unmanaged
@final
export class Url {
  /** The text it was read from; the caller moves it along when the text moves. */
  text: usize = 0;
  /** A Scheme. */
  scheme: u32 = 0;
  /** 1..65535, the scheme's own when the text names none. */
  port: u32 = 0;
  /** Offset of the host: a name, an IPv4 address, or an IPv6 address in its brackets. */
  hostAt: u32 = 0;
  /** 1..URL_HOST. */
  hostLen: u32 = 0;
  /** Offset of path and query; the fragment is cut off. */
  pathAt: u32 = 0;
  /** May be 0, and may begin with "?": urlPutPath writes it as a request needs it. */
  pathLen: u32 = 0;
}

/** -> whether the connection is to run over TLS. */
export function urlTls(u: Url): bool {
  return (u.scheme & 1) != 0;
}

/** -> first byte of the host. */
export function urlHost(u: Url): usize {
  return u.text + u.hostAt;
}

/** -> the port of a URL that names none. tcp and tls carry MQTT here, so they have its ports. */
export function urlDefaultPort(u: Url): u32 {
  switch (u.scheme) {
    case Scheme.Http:
      return 80;
    case Scheme.Https:
      return 443;
  }
  return u.scheme & 1 ? 8883 : 1883;
}

/**
 * Read an absolute URL in the `len` bytes at `text`.
 * -> Ok; BadMessage when it is none, holds user information, a space or a control character; Unsupported for another
 * scheme; OverLimit for a longer host. Bytes above 127 pass in the path.
 */
export function urlParse(u: Url, text: usize, len: u32): i32 {
  u.text = text;
  const schemeLen = schemeLength(text, len);
  if (schemeLen == 0 || len - schemeLen < 3) return Code.BadMessage;
  if (load<u8>(text + schemeLen, 1) != 0x2f || load<u8>(text + schemeLen, 2) != 0x2f) return Code.BadMessage;
  const scheme = schemeOf(text, schemeLen);
  if (scheme < 0) return Code.Unsupported;
  u.scheme = scheme;
  u.hostAt = schemeLen + 3;
  let at = u.hostAt;
  while (at < len && !endsAuthority(load<u8>(text + at))) at++;
  const code = authority(u, at);
  if (code < 0) return code;
  u.pathAt = at;
  u.pathLen = len - at;
  for (; at < len; at++) {
    const byte: u32 = load<u8>(text + at);
    if (byte <= 0x20 || byte == 0x7f) return Code.BadMessage;
    if (byte == 0x23 && u.pathLen == len - u.pathAt) u.pathLen = at - u.pathAt;
  }
  return Code.Ok;
}

/** -> length of the scheme before the ":" (RFC 3986 §3.1), or 0 when the text begins with none. */
function schemeLength(text: usize, len: u32): u32 {
  for (let i: u32 = 0; i < len; i++) {
    const byte: u32 = load<u8>(text + i);
    if (byte == 0x3a) return i;
    if (Ascii.lower(byte) - 97 < 26) continue;
    if (i == 0 || (byte - 48 >= 10 && byte != 0x2b && byte != 0x2d && byte != 0x2e)) return 0;
  }
  return 0;
}

/** -> a Scheme, in the order of which the words stand, or -1. */
function schemeOf(text: usize, len: u32): i32 {
  return wordIndex(text, len, L("http https mqtt mqtts tcp tls"), true) - 1;
}

function endsAuthority(byte: u32): bool {
  return byte == 0x2f || byte == 0x3f || byte == 0x23;
}

/** RFC 3986 §3.2: host and port in [u.hostAt, end). User information fails on its "@". */
function authority(u: Url, end: u32): i32 {
  const text = u.text;
  let at = u.hostAt;
  if (at < end && load<u8>(text + at) == 0x5b) {
    at++;
    while (at < end && inAddress(load<u8>(text + at))) at++;
    if (at == end || load<u8>(text + at) != 0x5d || at - u.hostAt < 3) return Code.BadMessage;
    at++;
  } else while (at < end && inName(load<u8>(text + at))) at++;
  u.hostLen = at - u.hostAt;
  if (u.hostLen == 0) return Code.BadMessage;
  if (u.hostLen > URL_HOST) return Code.OverLimit;
  u.port = urlDefaultPort(u);
  if (at == end) return Code.Ok;
  return load<u8>(text + at) == 0x3a ? port(u, at + 1, end) : Code.BadMessage;
}

/** Digits, colons and dots: whether it is an address at all is seen by who connects to it. */
function inAddress(byte: u32): bool {
  return byte == 0x3a || byte == 0x2e || Ascii.hexDigit(byte) >= 0;
}

/** Letters, digits, ".", "-" and "_": what host names are made of. */
function inName(byte: u32): bool {
  return Ascii.lower(byte) - 97 < 26 || byte - 48 < 10 || byte == 0x2e || byte == 0x2d || byte == 0x5f;
}

/** An empty port is the scheme's own (RFC 3986 §3.2.3). */
function port(u: Url, at: u32, end: u32): i32 {
  if (at == end) return Code.Ok;
  const value = parseU32(u.text + at, end - at);
  if (value < 1 || value > 65535) return Code.BadMessage;
  u.port = <u32>value;
  return Code.Ok;
}

/** Write host, and port when it is not the scheme's own: the Host field (RFC 9110 §7.2). */
export function urlPutAuthority(w: Writer, u: Url): void {
  putBytes(w, urlHost(u), u.hostLen);
  if (u.port == urlDefaultPort(u)) return;
  putByte(w, 0x3a);
  putDecimal(w, u.port);
}

/** Write path and query as a request target (RFC 9112 §3.2.1): an empty path is "/". */
export function urlPutPath(w: Writer, u: Url): void {
  if (u.pathLen == 0 || load<u8>(u.text + u.pathAt) != 0x2f) putByte(w, 0x2f);
  putBytes(w, u.text + u.pathAt, u.pathLen);
}

/**
 * Write the absolute URL that the reference in the `len` bytes at `ptr` stands for (RFC 3986 §5.2): an absolute one, one
 * that begins with "//" (the scheme is kept) or with "/" (scheme, host and port are kept). What comes out is for urlParse
 * to judge. The writer must not lie over the base's text.
 * -> its length; Unsupported for another kind of reference, OverLimit when it does not fit.
 */
export function urlResolve(w: Writer, base: Url, ptr: usize, len: u32): i32 {
  if (schemeLength(ptr, len) == 0) {
    if (len == 0 || load<u8>(ptr) != 0x2f) return Code.Unsupported;
    // The base's text has its scheme and "://" right before the host.
    const network = len > 1 && load<u8>(ptr, 1) == 0x2f;
    putBytes(w, base.text, network ? base.hostAt - 2 : base.hostAt);
    if (!network) urlPutAuthority(w, base);
  }
  putBytes(w, ptr, len);
  const length = writerDone(w);
  return length < 0 ? Code.OverLimit : length;
}
