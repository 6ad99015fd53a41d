// Posts over CoAP: the module against the npm package coap with node:crypto, which does the same. Both talk to one peer in
// memory that answers every request at once, so that what is measured is the device's side: JSON, AES, CoAP, matching of
// the answer; no socket, no network. The clock is the processor time of this process.

import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { generate } from "coap-packet";
import { Post, Want } from "../abi.js";
import { Agent } from "../agent.js";

/** The case's name, and who takes part. */
export const COAP_CASE = "coap post";
export const OTHER = "coap + node:crypto";

const IDENTITY = { productKey: "a1X2bEnP82z", deviceName: "lamp-1", deviceSecret: "made-up-for-the-bench" };
const PARAMS = { temperature: 21.5, humidity: 40 };
const TOPIC = ["topic", "sys", IDENTITY.productKey, IDENTITY.deviceName, "thing", "event", "property", "post"];
const SESSION = { random: "ad2b3a5eb51d64f7", seqOffset: 1, token: "MZ8m37hp01w1SSqoDFzo0010500d00.ad2b" };
const IV = "543yhjy97ae7fyfg";
const KEY = createHash("sha256").update(`${IDENTITY.deviceSecret},${SESSION.random}`).digest().subarray(8, 24);

function encrypt(text: string): Buffer {
  const cipher = createCipheriv("aes-128-cbc", KEY, IV);
  return Buffer.concat([cipher.update(text), cipher.final()]);
}

function decrypt(bytes: Buffer): Buffer {
  const decipher = createDecipheriv("aes-128-cbc", KEY, IV);
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}

/** The platform: its answers are made once, a request only lends them its message ID and token. */
export class Peer {
  /** Data requests that were answered. */
  requests = 0;
  readonly #auth: Buffer;
  readonly #data: Buffer;

  constructor() {
    const tail = (options: { name: string; value: Buffer }[], payload: Buffer) =>
      generate({ ack: true, code: "2.05", messageId: 0, options, payload }).subarray(4);
    const json = { name: "12", value: Buffer.of(50) };
    const messageId = { name: "2090", value: Buffer.from("1353214563928702464") };
    this.#auth = tail([json], Buffer.from(JSON.stringify(SESSION)));
    this.#data = tail([json, messageId], encrypt('{"id":"1","code":200,"data":{}}'));
  }

  answer(request: Uint8Array): Buffer {
    const tokenLength = request[0]! & 15;
    // The first option of all requests here is Uri-Path; "auth" has four letters, "topic" five.
    const isAuth = request[4 + tokenLength] === 0xb4;
    if (!isAuth) this.requests++;
    const tail = isAuth ? this.#auth : this.#data;
    const answer = Buffer.allocUnsafe(4 + tokenLength + tail.length);
    answer[0] = 0x60 | tokenLength;
    answer[1] = 0x45;
    answer.set(request.subarray(2, 4 + tokenLength), 2);
    answer.set(tail, 4 + tokenLength);
    return answer;
  }
}

/** Posts `count` times, one after the other, and checks every answer. */
export type Poster = (count: number) => Promise<void>;

/** What a post reports, as JSON. */
export const PAYLOAD = new TextEncoder().encode(JSON.stringify(PARAMS));

/** The module, driven as a host drives it. */
export async function modulePoster(module: WebAssembly.Module, peer: Peer): Promise<Poster> {
  const agent = await Agent.create(module);
  const { exports } = agent;
  // No pull in between: the other subject makes none.
  agent.configure({ ...IDENTITY, endpoint: "coap://127.0.0.1:5682", pullInterval: 0 });
  exports.booted(0, 0, 0);
  let answered = 0;
  const turn = () => {
    const want = exports.poll(Math.trunc(performance.now()) | 0);
    if (want < 0) throw new Error(`the module cannot be polled: ${want}`);
    if ((want & Want.Event) !== 0)
      for (let event = agent.takeEvent(); event !== undefined; event = agent.takeEvent()) {
        if (event.event === "property.posted" && event.code === 200) answered++;
        else if (event.event === "device.disconnected") throw new Error(`the module is disconnected: ${event.code}`);
      }
    if ((want & Want.Entropy) !== 0) exports.entropyDone();
    if ((want & Want.Open) !== 0) exports.opened(0);
    if ((want & Want.Transmit) === 0) return;
    const request = agent.tx(0);
    const answer = peer.answer(request);
    exports.sent(0, request.length);
    agent.rx(0).set(answer);
    exports.received(0, answer.length);
  };
  return async (count) => {
    for (const until = answered + count; answered < until; ) {
      const before = answered;
      while (agent.post(Post.Property, PAYLOAD) <= 0) turn();
      while (answered === before) turn();
    }
  };
}

/** What the bench uses of the package coap, which is a development dependency and has no place in the types of the build. */
interface CoapPackage {
  Agent: new (options: { socket: unknown }) => { request(url: Record<string, unknown>): CoapRequest };
}
interface CoapRequest {
  on(name: "response", listener: (response: { payload: Buffer; code: string }) => void): void;
  on(name: "error", listener: (error: Error) => void): void;
  end(payload: Buffer): void;
}

/** A socket whose other end is the peer. */
class PeerSocket extends EventEmitter {
  readonly type = "udp4";

  constructor(private readonly peer: Peer) {
    super();
  }

  send(
    bytes: Buffer,
    _from: number,
    _length: number,
    port: number,
    address: string,
    sent: (error: null) => void,
  ): void {
    const answer = this.peer.answer(bytes);
    queueMicrotask(() => {
      sent(null);
      this.emit("message", answer, { address, port });
    });
  }

  address(): { address: string; port: number } {
    return { address: "127.0.0.1", port: 1 };
  }
}

/** The package coap with node:crypto. */
export function packagePoster(coap: CoapPackage, peer: Peer): Poster {
  const agent = new coap.Agent({ socket: new PeerSocket(peer) });
  const token = Buffer.from(SESSION.token);
  let sequence = SESSION.seqOffset;
  let id = 0;
  const post = () =>
    new Promise<void>((resolve, reject) => {
      const request = agent.request({
        host: "127.0.0.1",
        port: 5682,
        method: "POST",
        pathname: `/${TOPIC.join("/")}`,
        options: {
          "Content-Format": Buffer.of(50),
          Accept: Buffer.of(50),
          2088: token,
          2089: encrypt(String(sequence++)),
        },
      });
      request.on("error", reject);
      request.on("response", ({ payload, code }) => {
        const answer = JSON.parse(decrypt(payload).toString()) as { code: number };
        if (code === "2.05" && answer.code === 200) resolve();
        else reject(new Error(`the answer was ${code}, ${answer.code}`));
      });
      const envelope = { id: String(++id), version: "1.0", params: PARAMS, method: "thing.event.property.post" };
      request.end(encrypt(JSON.stringify(envelope)));
    });
  return async (count) => {
    for (let i = 0; i < count; i++) await post();
  };
}

/** Posts per second of processor time in one turn. */
export async function turnOf(poster: Poster, count: number): Promise<number> {
  const before = process.cpuUsage();
  await poster(count);
  const { user, system } = process.cpuUsage(before);
  return (count * 1_000_000) / (user + system);
}

/** Both subjects by name; one whose package is not there is undefined. */
export async function coapPosters(): Promise<{ ours: Poster; other: Poster | undefined; version: string }> {
  const file = join(import.meta.dirname, "..", "..", "agent-coap.wasm");
  if (!existsSync(file)) throw new Error(`${file} is missing: build it with npm run build`);
  const ours = await modulePoster(await WebAssembly.compile(readFileSync(file)), new Peer());
  const require = createRequire(import.meta.url);
  try {
    const coap = require("coap") as CoapPackage;
    const { version } = require("coap/package.json") as { version: string };
    return { ours, other: packagePoster(coap, new Peer()), version };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    return { ours, other: undefined, version: "" };
  }
}
