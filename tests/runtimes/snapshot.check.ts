// The functions of agent.h for a sleep, one by one, under the sanitisers; SHA-256; and the lines of the documents.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { root, wasm } from "../paths.js";
import { compileSanitized, hostSource, source, wamrLibrary } from "./c_host.js";

const LIBRARY = ["agent.c", "capsule.c", "instance.c", "sha256.c", "snapshot.c"].map(hostSource);
const folder = mkdtempSync(join(tmpdir(), "alink-snapshot-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let program: string;
before(() => {
  program = compileSanitized(join(folder, "sleep"), [source("sleep.c"), ...LIBRARY, ...wamrLibrary()]);
});

function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe("the C host's functions for a sleep", () => {
  it("take, refuse and go on as agent.h says", () => {
    assert.equal(run(wasm("agent-coap"), wasm("agent"), wasm("agent-lite")), "as agent.h says\n");
  });

  it("SHA-256 of every length up to 600 bytes", () => {
    const message = Uint8Array.from({ length: 600 }, (_, i) => i * 7 + 3);
    const lines = run("digest").trimEnd().split("\n");
    assert.equal(lines.length, 601);
    for (const [length, digest] of lines.entries())
      assert.equal(digest, createHash("sha256").update(message.subarray(0, length)).digest("hex"), `${length} bytes`);
  });

  it("the lines in docs/coap.md compile", () => {
    const [, lines] = /```c\n(alink_agent_sleep[\s\S]*?)```/.exec(readFileSync(join(root, "docs", "coap.md"), "utf8"))!;
    const text = [
      '#include <string.h>\n#include "agent.h"',
      "extern struct alink_agent agent;\nextern const struct alink_agent_options options;\nextern uint8_t asleep[8192];",
      `uint64_t rtc_ms(void);\nvoid documented(void);\nvoid documented(void) {\n${lines}}\n`,
    ];
    const file = join(folder, "documented.c");
    writeFileSync(file, text.join("\n"));
    const [system, include] = wamrLibrary();
    compileSanitized(join(folder, "documented.o"), ["-c", system!, include!, file]);
  });
});
