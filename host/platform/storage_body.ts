// The body of a download: a part of an object, and what faults make of it.

import { Transform } from "node:stream";
import { setTimeout } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import type { Log } from "./events.js";
import type { Faults } from "./faults.js";
import type { ObjectInfo, ObjectStore } from "./objects.js";

/** What is sent of an object: bytes start … end, both included. */
export interface Slice {
  start: number;
  end: number;
  /** Bytes of the long-body fault after the object's own. */
  extra: number;
}

/** Send the body after the head; the connection ends early when a fault says so. */
export function streamBody(
  { raw }: FastifyReply,
  info: ObjectInfo,
  slice: Slice,
  { objects, log }: { objects: ObjectStore; log: Log },
  faults: Faults,
): void {
  const cutAfter = faults.cutBody;
  const length = slice.end - slice.start + 1;
  const end = cutAfter === undefined ? slice.end : Math.min(slice.end, slice.start + cutAfter - 1);
  const finish = () => {
    if (cutAfter !== undefined && cutAfter < length + slice.extra) {
      // Let what was written leave, then end the connection without the rest.
      raw.write("", () => raw.socket?.destroySoon());
    } else raw.end(Buffer.alloc(slice.extra));
  };
  if (end < slice.start) {
    finish();
    return;
  }
  const object = objects.read(info, slice.start, end);
  const body = faults.slow === undefined ? object : object.pipe(slowed(faults.slow));
  object.on("error", (error) => {
    log(`storage: ${info.key}: ${error.message}`);
    raw.destroy();
  });
  raw.on("close", () => {
    object.destroy();
    body.destroy();
  });
  body.on("end", finish);
  body.pipe(raw, { end: false });
}

/** Ten pieces a second, together `rate` bytes. */
function slowed(rate: number): Transform {
  const piece = Math.max(1, Math.floor(rate / 10));
  const stream: Transform = new Transform({
    async transform(chunk: Buffer, _encoding, done) {
      for (let at = 0; at < chunk.length && !stream.destroyed; at += piece) {
        stream.push(chunk.subarray(at, at + piece));
        await setTimeout(100);
      }
      done();
    },
  });
  return stream;
}
