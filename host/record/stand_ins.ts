/**
 * Stand-ins for credentials: bytes of the same number, so that lengths, and with them the module's course, stay what
 * they were. A credential is known by the name before it, in JSON and in the query of a URL, or because its value was
 * met before. docs/record.md lists the names.
 */

/** Members of JSON documents, in lower case. The `sign` of an offer is the digest of a package and stays. */
const MEMBERS = new Set([
  "devicesecret",
  "productsecret",
  "devicetoken",
  "iottoken",
  "filetoken",
  "accesstoken",
  "securitytoken",
  "accesskeysecret",
  "password",
  "secret",
  "token",
]);

/** Parameters of queries: presigned URLs of the object storage, versions 1 and 4, and plain tokens. In lower case. */
const PARAMETERS = new Set([
  "signature",
  "ossaccesskeyid",
  "security-token",
  "x-oss-signature",
  "x-oss-credential",
  "x-oss-security-token",
  "accesskeyid",
  "token",
]);

const LONGEST_NAME = 32;
/** A value shorter than this is not searched for elsewhere: it would be found where it does not stand. */
const SHORTEST_KNOWN = 8;
const LONGEST_KNOWN = 256;
const [QUOTE, BACKSLASH, PERCENT, STAND_IN] = [0x22, 0x5c, 0x25, 0x78];
/** The four digits of an `x` behind `\u`. */
const ESCAPED_STAND_IN = [0x30, 0x30, 0x37, 0x38];

type State = "text" | "colon" | "member" | "escape" | "unicode" | "parameter";

function isDigitOrLetter(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

/** What a parameter's value may be made of beside digits, letters and percent escapes: the rest ends it. */
function isOfValue(byte: number): boolean {
  return "-._~+/=*!:,@".includes(String.fromCharCode(byte));
}

/** One stream of text that comes in pieces, which may be cut anywhere. */
export class StandIns {
  #state: State = "text";
  #name = "";
  #quoted = false;
  /** Digits of an escape that are still to come. */
  #digits = 0;
  #value: number[] = [];

  /** @param learn told of each JSON value that was replaced */
  constructor(readonly learn: (value: Uint8Array) => void = () => {}) {}

  /** Put stand-ins into `bytes`. */
  replace(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.#next(bytes[at]!);
  }

  #next(byte: number): number {
    switch (this.#state) {
      case "text":
        return this.#text(byte);
      case "colon":
        if (byte === QUOTE) this.#begin("member");
        else if (!" \t\r\n:".includes(String.fromCharCode(byte))) this.#begin("text");
        return byte;
      case "member":
        return this.#member(byte);
      case "escape":
        this.#state = byte === 0x75 ? "unicode" : "member";
        this.#digits = ESCAPED_STAND_IN.length;
        return byte === 0x75 ? byte : BACKSLASH;
      case "unicode":
        if (--this.#digits === 0) this.#state = "member";
        return ESCAPED_STAND_IN[3 - this.#digits]!;
      case "parameter":
        return this.#parameter(byte);
    }
  }

  #begin(state: State, quoted = false): void {
    this.#state = state;
    this.#quoted = quoted;
    this.#name = "";
    this.#digits = 0;
    this.#value = [];
  }

  #text(byte: number): number {
    const char = String.fromCharCode(byte);
    if (isDigitOrLetter(byte) || char === "-" || char === "_") {
      if (this.#name.length <= LONGEST_NAME) this.#name += char.toLowerCase();
      return byte;
    }
    // `&` may be escaped in JSON.
    if (char === "=" && PARAMETERS.has(this.#name.replace(/^u0026/, ""))) this.#begin("parameter");
    else if (byte === QUOTE && this.#quoted && MEMBERS.has(this.#name)) this.#begin("colon");
    else this.#begin("text", byte === QUOTE);
    return byte;
  }

  #member(byte: number): number {
    if (byte === QUOTE) {
      if (this.#value.length >= SHORTEST_KNOWN && this.#value.length <= LONGEST_KNOWN)
        this.learn(Uint8Array.from(this.#value));
      this.#begin("text");
      return byte;
    }
    if (this.#value.length <= LONGEST_KNOWN) this.#value.push(byte);
    if (byte !== BACKSLASH) return STAND_IN;
    this.#state = "escape";
    return byte;
  }

  #parameter(byte: number): number {
    if (this.#digits > 0) {
      this.#digits--;
      return byte;
    }
    if (isDigitOrLetter(byte)) return STAND_IN;
    if (byte === PERCENT) this.#digits = 2;
    else if (!isOfValue(byte)) this.#begin("text", byte === QUOTE);
    return byte;
  }
}

/** Credentials that were met, wherever they stand again as a whole. */
export class Known {
  readonly #values = new Set<string>();

  readonly add = (value: Uint8Array): void => {
    const text = Buffer.from(value).toString("latin1");
    if (!/^x*$/.test(text) && this.#values.size < 64) this.#values.add(text);
  };

  /** Put stand-ins into `bytes`. */
  replace(bytes: Uint8Array): void {
    if (this.#values.size === 0) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const value of this.#values) {
      const stand = value.length;
      for (let at = text.indexOf(value, 0, "latin1"); at >= 0; at = text.indexOf(value, at + stand, "latin1"))
        bytes.fill(STAND_IN, at, at + stand);
    }
  }
}

/** The head of an HTTP response is text with URLs in it; its body is a package, whose digest the module checks. */
export class HttpHead {
  readonly #standIns = new StandIns();
  #end = "";
  #over = false;

  /** Put stand-ins into the part of `bytes` that belongs to the head. */
  replace(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.#over; at++) {
      this.#end = (this.#end + String.fromCharCode(bytes[at]!)).slice(-4);
      this.#over = this.#end === "\r\n\r\n";
      this.#standIns.replace(bytes.subarray(at, at + 1));
    }
  }
}
