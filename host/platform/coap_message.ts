// CoAP messages (RFC 7252 §3) as the platform sees them: the package coap-packet with numbers for options, and strict.

import { generate, type OptionName, parse } from "coap-packet";

/** Option numbers (RFC 7252 §12.2, RFC 7959 §6) and those of this platform. */
export const Option = {
  UriHost: 3,
  UriPort: 7,
  UriPath: 11,
  ContentFormat: 12,
  UriQuery: 15,
  Accept: 17,
  Block2: 23,
  Block1: 27,
  Size2: 28,
  Size1: 60,
  /** The token that /auth gave, as text. */
  Token: 2088,
  /** The sequence number, decimal text encrypted with the session's key. */
  Sequence: 2089,
  /** The platform's id of the message, as text. */
  MessageId: 2090,
} as const;

/** Content formats (RFC 7252 §12.3). */
export const Format = { OctetStream: 42, Json: 50, Cbor: 60 } as const;

export type MessageType = "CON" | "NON" | "ACK" | "RST";

/** One message. `code` is written as RFC 7252 does, "0.02" for POST. */
export interface Message {
  type: MessageType;
  code: string;
  /** 0…65535 */
  messageId: number;
  /** 0…8 bytes */
  token: Buffer;
  /** In the order of the wire; a number may repeat. */
  options: { number: number; value: Buffer }[];
  payload: Buffer;
}

const NUMBERS: Record<OptionName, number> = {
  "If-Match": 1,
  "Uri-Host": 3,
  ETag: 4,
  "If-None-Match": 5,
  Observe: 6,
  "Uri-Port": 7,
  "Location-Path": 8,
  OSCORE: 9,
  "Uri-Path": 11,
  "Content-Format": 12,
  "Max-Age": 14,
  "Uri-Query": 15,
  "Hop-Limit": 16,
  Accept: 17,
  "Q-Block1": 19,
  "Location-Query": 20,
  Block2: 23,
  Block1: 27,
  Size2: 28,
  "Q-Block2": 31,
  "Proxy-Uri": 35,
  "Proxy-Scheme": 39,
  Size1: 60,
  "No-Response": 258,
  "OCF-Accept-Content-Format-Version": 2049,
  "OCF-Content-Format-Version": 2053,
};

/** Longest datagram the platform writes or reads, bytes: the most UDP carries. */
const MAX_DATAGRAM = 65_507;
const MAX_TOKEN = 8;

/** The message in a datagram; undefined when it is not one of RFC 7252. */
export function readMessage(datagram: Buffer): Message | undefined {
  try {
    const packet = parse(datagram);
    // The package reads on over cut values and empty payloads; written again, only what was well formed is the same.
    if (packet.token.length > MAX_TOKEN || !generate({ ...packet }, MAX_DATAGRAM).equals(datagram)) return undefined;
    const { code, messageId, token, payload } = packet;
    const options = packet.options.map(({ name, value }) => ({
      number: NUMBERS[name as OptionName] ?? Number(name),
      value,
    }));
    const type = packet.confirmable ? "CON" : packet.ack ? "ACK" : packet.reset ? "RST" : "NON";
    return { type, code, messageId, token, options, payload };
  } catch {
    return undefined;
  }
}

/** The datagram of a message. */
export function writeMessage(message: Message): Buffer {
  const { type, code, messageId, token, payload } = message;
  const flags = { confirmable: type === "CON", ack: type === "ACK", reset: type === "RST" };
  const options = message.options.map(({ number, value }) => ({ name: String(number), value }));
  return generate({ ...flags, code, messageId, token, options, payload }, MAX_DATAGRAM);
}

/** The values of an option, in their order. */
export function optionValues({ options }: Pick<Message, "options">, number: number): Buffer[] {
  return options.filter((option) => option.number === number).map(({ value }) => value);
}

/** The unsigned integer of an option (RFC 7252 §3.2); undefined when the option is absent, or longer than 4 bytes. */
export function optionNumber(message: Pick<Message, "options">, number: number): number | undefined {
  const [value] = optionValues(message, number);
  if (value === undefined || value.length > 4) return undefined;
  return value.length === 0 ? 0 : value.readUIntBE(0, value.length);
}

/** An unsigned integer in as few bytes as it takes. */
export function numberValue(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  let from = 0;
  while (from < 4 && bytes[from] === 0) from++;
  return bytes.subarray(from);
}
