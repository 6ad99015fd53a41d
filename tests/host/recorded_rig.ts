// A run on the bench under a recorder: a session and an update with credentials wherever they occur, in pieces.

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { Boot, Channel, Closed, Post } from "../../host/abi.js";
import { RecordReader } from "../../host/record/reader.js";
import { CapsuleFile, RecordFile } from "../../host/record/record_file.js";
import { Recorder } from "../../host/record/recorder.js";
import { type Follower, Replay, type Replayed } from "../../host/record/replay.js";
import { Broker, FLASH_SIZE, identity, layout, module, Rig } from "../agent/rig.js";
import { fileServer, response, Web } from "../agent/web.js";
import { wasm } from "../paths.js";

export const digest = createHash("sha256")
  .update(readFileSync(wasm("agent")))
  .digest();
const { productKey, deviceName, deviceSecret } = identity;
const folder = mkdtempSync(join(tmpdir(), "alink-record-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const FILE = Buffer.alloc(9000, "firmware ");

/** What must not be in a record; the first ones come from the peer. */
export const CREDENTIALS = [
  "OsSaCcEsSkEyId4711",
  "SiGnAtUrE0123456789",
  "SeCuRiTyToKeN0123456789",
  "ReDiReCtSiGnAtUrE012345",
  "DeViCeToKeN0123456789",
  deviceSecret,
];
const [KEY_ID, SIGNATURE, TOKEN, REDIRECTED, DEVICE_TOKEN] = CREDENTIALS;

let files = 0;
export const newFile = (): string => join(folder, `${files++}`);

export interface Recorded {
  file: string;
  capsule: string;
  rig: Rig;
  faults: string[];
  recorder: Recorder;
}

/** A bench whose module is recorded. @param fragment most bytes that the module gets at once */
export async function recordedRig(keepSecrets: boolean, fragment = 13, secret = deviceSecret): Promise<Recorded> {
  const [file, capsule] = [newFile(), newFile()];
  const faults: string[] = [];
  const sinks = [new RecordFile(file), new CapsuleFile(capsule, 1)];
  const recorder = new Recorder({ module, digest, keepSecrets, sinks, onFault: (text) => faults.push(text) });
  const rig = await Rig.create({ fragment });
  start(recorder, rig, { deviceSecret: secret });
  return { file, capsule, rig, faults, recorder };
}

function start(recorder: Recorder, rig: Rig, members: Record<string, unknown>, booted = [0, Boot.Confirmed, 0]): void {
  const { sector, write, erased } = layout;
  rig.agent = recorder.instance({ sector, write, erased, bytes: FLASH_SIZE, boot: [FLASH_SIZE, 0] });
  rig.agent.configure({ ...identity, flash: layout, ...members });
  rig.agent.exports.booted(booted[0]!, booted[1]!, booted[2]!);
}

/** Connect, posts, an offer whose URL is signed, a redirect to another such URL, the restart. */
export function mainJob({ rig, recorder }: Recorded): void {
  const broker = new Broker(rig);
  const serve = fileServer(FILE);
  const web = new Web(rig, (request) => {
    if (request.target.includes("moved")) return serve(request);
    const Location = `https://files.example/moved?Expires=1&Signature=${REDIRECTED}%3D`;
    return { bytes: response("302 Found", { Location, "Content-Length": 0 }), end: Closed.Peer };
  });
  rig.settle();
  rig.agent.post(Post.Property, Buffer.from(`{"a":1,"password":"${deviceSecret}"}`));
  rig.agent.post(Post.Subscribe, Buffer.from(`/${productKey}/${deviceName}/user/get`));
  rig.settle();
  broker.publish(`/${productKey}/${deviceName}/user/get`, `{"deviceToken" : "${DEVICE_TOKEN}"}`);
  broker.publish(`/${productKey}/${deviceName}/user/get`, `once more: ${DEVICE_TOKEN}`);
  broker.publish(`/ota/device/upgrade/${productKey}/${deviceName}`, offer());
  rig.advance(60_000);
  if (!rig.restart) throw new Error(JSON.stringify(rig.events.slice(-3)));
  if (web.requests.length !== 2) throw new Error(`${web.requests.length} requests`);
  start(recorder, rig, {}, [1, Boot.Trial, 0]);
  rig.restart = false;
  rig.linked.fill(false);
  rig.settle();
  rig.hangUp(Channel.Mqtt, Closed.Broken);
  rig.settle();
  recorder.end();
}

function offer(): unknown {
  const query = `Expires=1502955804&OSSAccessKeyId=${KEY_ID}&Signature=${SIGNATURE}%2B%3D&security-token=${TOKEN}`;
  const sign = createHash("sha256").update(FILE).digest("hex");
  const data = { size: FILE.length, version: "2.0.0", sign, signMethod: "SHA256" };
  // Some servers escape the ampersand.
  const text = JSON.stringify({
    code: "1000",
    data: { ...data, url: `https://files.example/fw.bin?${query}` },
    id: 1695281536874,
    message: "success",
  });
  return text.replace("&Signature", "\\u0026Signature");
}

/** Make the calls again. */
export function replay(bytes: Uint8Array, follower?: Follower, wanted: Uint8Array = digest): Replayed {
  return new Replay(new RecordReader(bytes), module, wanted, follower).run();
}
