/** The server's end of the HTTP channel. */
import { Channel, Closed } from "../../host/abi.js";
import type { Rig } from "./rig.js";

export interface Request {
  uri: string;
  target: string;
  headers: Map<string, string>;
  /** First byte that was asked for, undefined without a range. */
  from?: number;
}

/** What the server does with a request: bytes to send, and how the link ends after them. */
export interface Answer {
  bytes: Uint8Array;
  /** A Closed reason; undefined = the link stays. */
  end?: number | undefined;
}

export class Web {
  readonly requests: Request[] = [];
  answer: (request: Request) => Answer;

  constructor(rig: Rig, answer: (request: Request) => Answer) {
    this.answer = answer;
    let uri = "";
    let text = "";
    rig.peers[Channel.Http] = {
      dial: (peer) => {
        uri = peer;
        text = "";
        return "open";
      },
      received: (bytes) => {
        text += bytes.toString("latin1");
        if (!text.endsWith("\r\n\r\n")) return;
        const request = parse(uri, text);
        text = "";
        this.requests.push(request);
        const { bytes: body, end } = this.answer(request);
        rig.feed(Channel.Http, body);
        if (end !== undefined) rig.hangUp(Channel.Http, end);
      },
    };
  }
}

function parse(uri: string, text: string): Request {
  const [line, ...fields] = text.trimEnd().split("\r\n");
  const [method, target, version] = line!.split(" ");
  if (method !== "GET" || version !== "HTTP/1.1") throw new Error(`not a request: ${line}`);
  const headers = new Map(fields.map((field) => [field.split(": ")[0]!.toLowerCase(), field.split(": ")[1]!]));
  const from = /^bytes=(\d+)-$/.exec(headers.get("range") ?? "")?.[1];
  return { uri, target: target!, headers, ...(from === undefined ? {} : { from: Number(from) }) };
}

/** A response head and a body. */
export function response(
  status: string,
  headers: Record<string, string | number>,
  body: Uint8Array = Buffer.alloc(0),
): Buffer {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${fields.join("")}\r\n`), body]);
}

/** A well-behaved file server. */
export function fileServer(file: Uint8Array): (request: Request) => Answer {
  return ({ from }) => {
    if (from === undefined)
      return { bytes: response("200 OK", { "Content-Length": file.length }, file), end: Closed.Peer };
    const range = `bytes ${from}-${file.length - 1}/${file.length}`;
    const part = file.subarray(from);
    return {
      bytes: response("206 Partial Content", { "Content-Length": part.length, "Content-Range": range }, part),
      end: Closed.Peer,
    };
  };
}

/** The chunked transfer coding, in chunks of `size` bytes. */
export function chunked(body: Uint8Array, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    parts.push(
      Buffer.from(`${piece.length.toString(16)}${size > 100 ? ";x=1" : ""}\r\n`),
      Buffer.from(piece),
      Buffer.from("\r\n"),
    );
  }
  return Buffer.concat([...parts, Buffer.from("0\r\nTrailer: x\r\n\r\n")]);
}
