/**
 * MQTT 3.1.1 packets (OASIS standard, 29 October 2014): emitters, and a reader for the fixed header that can stop at
 * any byte. QoS 2, wills and the retain flag are left out on purpose: the platform does not take them (Alink §3).
 */
import { Code } from "../abi";
import { putByte, putBytes, putText, putU16, Writer } from "../bytes/writer";
import { litLen, S } from "../bytes/text";

/** Packet types, the high four bits of the first byte (§2.2.1). */
export const enum Packet {
  Connect = 1,
  Connack = 2,
  Publish = 3,
  Puback = 4,
  Subscribe = 8,
  Suback = 9,
  Unsubscribe = 10,
  Unsuback = 11,
  Pingreq = 12,
  Pingresp = 13,
  Disconnect = 14,
}

/** Bit of the first byte of a PUBLISH that says it is sent again (§3.3.1.1). */
export const DUP: u32 = 8;

/** Longest PUBLISH taken from the platform: 256 KiB of payload, topic and packet identifier (Alink §3). */
const LONGEST: u32 = 262144 + 130 + 2;

/** Reader of a fixed header; plain memory, so it may be copied in mid-stream. */
@unmanaged
@final
export class FixedHeader {
  first: u32 = 0;
  remaining: u32 = 0;
  bytes: u32 = 0;
}

export function fixedHeaderInit(h: FixedHeader): void {
  h.first = 0;
  h.remaining = 0;
  h.bytes = 0;
}

/** Take one byte. -> 1 when the header is complete, 0 when more is needed, or a Code. */
export function fixedHeaderByte(h: FixedHeader, byte: u32): i32 {
  if (h.bytes == 0) {
    h.first = byte;
    h.bytes = 1;
    return 0;
  }
  // §2.2.3: seven bits a byte, least significant first, at most four bytes
  h.remaining |= (byte & 127) << (7 * (h.bytes - 1));
  h.bytes += 1;
  if (byte & 128) return h.bytes > 4 ? Code.BadMessage : 0;
  return h.remaining > LONGEST ? Code.OverLimit : 1;
}

/** First byte and remaining length of a packet. */
export function putFixedHeader(w: Writer, first: u32, remaining: u32): void {
  putByte(w, first);
  let rest = remaining;
  for (; rest > 127; rest >>>= 7) putByte(w, (rest & 127) | 128);
  putByte(w, rest);
}

/** Bytes of the fixed header that announces `remaining` bytes. */
export function fixedHeaderSize(remaining: u32): u32 {
  return remaining < 128 ? 2 : remaining < 16384 ? 3 : remaining < 2097152 ? 4 : 5;
}

/** A length and a counted text (§1.5.3). */
export function putString(w: Writer, text: usize): void {
  putU16(w, litLen(text));
  putText(w, text);
}

/** Variable header of a CONNECT, protocol level 4, with user name and password (§3.1.2). */
export function putConnectHeader(w: Writer, cleanSession: bool, keepAlive: u32): void {
  putString(w, S("MQTT"));
  putByte(w, 4);
  putByte(w, cleanSession ? 0xc2 : 0xc0);
  putU16(w, keepAlive);
}

/** Bytes of that variable header. */
export const CONNECT_HEADER: u32 = 10;

export function putPuback(w: Writer, packetId: u32): void {
  putFixedHeader(w, Packet.Puback << 4, 2);
  putU16(w, packetId);
}

/** SUBSCRIBE to one filter at QoS 1 (§3.8). */
export function putSubscribe(w: Writer, packetId: u32, filter: usize, len: u32): void {
  putFixedHeader(w, (Packet.Subscribe << 4) | 2, 2 + 2 + len + 1);
  putU16(w, packetId);
  putU16(w, len);
  putBytes(w, filter, len);
  putByte(w, 1);
}

/** UNSUBSCRIBE from one filter (§3.10). */
export function putUnsubscribe(w: Writer, packetId: u32, filter: usize, len: u32): void {
  putFixedHeader(w, (Packet.Unsubscribe << 4) | 2, 2 + 2 + len);
  putU16(w, packetId);
  putU16(w, len);
  putBytes(w, filter, len);
}

/** PINGREQ and DISCONNECT are a first byte and a zero (§3.12, §3.14). */
export function putEmpty(w: Writer, packet: Packet): void {
  putFixedHeader(w, packet << 4, 0);
}
