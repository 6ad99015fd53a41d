import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { Code } from "../../host/abi.js";
import { printEvent } from "../../host/cli/device_events.js";
import { Output } from "../../host/cli/output.js";
import type { Device } from "../../host/node/device.js";

/** What people read about a lost link. */
function told(code: number, detail: number, retryMs: number): string {
  const stdout = new PassThrough();
  const device = { linkError: () => "" } as unknown as Device;
  printEvent(new Output({ stdout }), { event: "device.disconnected", code, detail, retryMs, desc: "" }, device);
  return String(stdout.read());
}

test("an event's answer is told in words", () => {
  const words = (code: number) => {
    const stdout = new PassThrough();
    const event = { event: "event.posted", id: 7, code } as const;
    printEvent(new Output({ stdout }), event, { linkError: () => "" } as unknown as Device);
    return String(stdout.read());
  };
  assert.equal(words(200), "event posted (7)\n");
  assert.equal(words(460), "event post 7: the platform answered 460\n");
  assert.equal(words(Code.TimedOut), "event post 7: TimedOut (-24)\n");
});

test("the next try is announced only when there is one", () => {
  assert.match(told(Code.LinkFailed, 0, 4200), /; next try in 4\.2 s\n$/);
  // Server unavailable: it may come back.
  assert.match(told(Code.Refused, 3, 4200), /; next try in 4\.2 s\n$/);
  for (const connack of [1, 2, 4, 5])
    assert.match(told(Code.Refused, connack, 4200), /^disconnected: Refused \(-?\d+\) \d\n$/);
  assert.match(told(Code.Untrusted, 0, 4200), /^disconnected: \w+ \(-?\d+\)\n$/);
  assert.match(told(Code.LinkFailed, 0, -1), /^disconnected: \w+ \(-?\d+\)\n$/);
});
