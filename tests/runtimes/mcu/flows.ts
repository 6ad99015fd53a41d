// What an agent's module is measured at: the calls of a whole flow, and the dearest single calls that the tests know.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Channel, Counter, Post, Want } from "../../../host/abi.js";
import { CoapPeer } from "../../agent/coap_peer.js";
import { CoapRig } from "../../agent/coap_rig.js";
import { fromText, Recorder, type Recording, type Step } from "../../agent/recording.js";
import { Broker, Rig } from "../../agent/rig.js";
import { root, wasm } from "../../paths.js";

/** The poll that has bytes for the platform. */
const transmits = ({ name, result }: Step): boolean => name === "poll" && (result & Want.Transmit) !== 0;

const PROPERTIES = '{"temperature":23.5,"humidity":48}';

/** What the agent's module is measured at, beside its dearest calls. */
export function flows(module: string): Promise<Recording[]> {
  return module === "agent-coap" ? coapFlows(module) : mqttFlows(module);
}

/** From waking up to the end of a confirmed property post, after which the memory is what sleeps. */
async function coapFlows(module: string): Promise<Recording[]> {
  const compiled = new WebAssembly.Module(readFileSync(wasm(module)));
  const recorder = new Recorder(compiled);
  const rig = await CoapRig.create({}, compiled, recorder.agent);
  const peer = new CoapPeer(rig);
  assert.ok(rig.advance(10_000, () => rig.named("device.connected").length > 0));
  // a device sleeps when nothing is under way: the version is told, what waited was asked for
  rig.advance(10_000);
  assert.equal(recorder.agent.exports.counter(Counter.Underway), 0);
  const before = rig.sent.length;
  rig.drop();
  rig.now = 50;
  const confirmed = () => rig.named("property.posted").length > 0;
  recorder.begin(({ name }) => name === "poll" && confirmed());
  recorder.agent.exports.resumed(3_600_000);
  assert.ok(rig.post(Post.Property, PROPERTIES) > 0);
  assert.ok(rig.advance(10_000, confirmed));
  rig.settle();
  assert.equal(peer.auths.length, 1, "the session was not gone on with");
  assert.equal(rig.sent.length - before, 1, "a datagram each way");
  return [recorder.taken("wake, post confirmed")];
}

/** From `configure` to the CONNECT packet in the transmit window, and a property post in a session that is ready. */
async function mqttFlows(module: string): Promise<Recording[]> {
  const recorder = new Recorder(new WebAssembly.Module(readFileSync(wasm(module))));
  const { agent } = recorder;
  recorder.begin(transmits);
  const rig = await Rig.create({ agent });
  const broker = new Broker(rig);
  const sent: Buffer[] = [];
  const { received } = rig.peers[Channel.Mqtt]!;
  rig.peers[Channel.Mqtt]!.received = (bytes) => {
    sent.push(bytes);
    received?.(bytes);
  };
  rig.settle();
  const connect = recorder.taken("start to CONNECT");
  assert.equal(sent[0]?.[0], 0x10, "the first bytes are not a CONNECT packet");
  recorder.begin(transmits);
  assert.ok(agent.post(Post.Property, Buffer.from(PROPERTIES)) > 0);
  rig.settle();
  assert.deepEqual(broker.payloads("property/post").at(-1)?.params, JSON.parse(PROPERTIES));
  return [connect, recorder.taken("property post")];
}

/** What makes calls dear: all that peers may do, by hand and by a fuzzer. */
const TESTS = ["bounded", "hostile", "hostile_host", "corners"];

/**
 * The dearest calls of those tests, one of each export and scenario.
 * @param file where a test may leave them
 */
export function dearestCalls(file: string): Recording[] {
  return TESTS.flatMap((name) => {
    const test = join(root, "build", "tests", "agent", `${name}.test.js`);
    const run = spawnSync(process.execPath, [test], { env: { ...process.env, DEAREST: file }, encoding: "utf8" });
    assert.equal(run.status, 0, `tests/agent/${name}.test.ts failed: ${run.stdout.slice(-2000)}`);
    return fromText(readFileSync(file, "utf8"));
  });
}
