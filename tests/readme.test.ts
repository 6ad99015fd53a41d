import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { startPlatform } from "../host/platform/index.js";
import { root } from "./paths.js";

/** The code blocks of one language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map((match) => match[1]!);
}

test("the README's fixtures and library example work as they stand", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const [fixtures] = blocks(readme, "json");
  const [example] = blocks(readme, "js");
  const folder = await mkdtemp(join(tmpdir(), "alink-readme-"));
  const platform = await startPlatform({ fixtures: JSON.parse(fixtures!), data: join(folder, "platform-data") });
  try {
    const library = pathToFileURL(join(root, "build/host/index.js")).href;
    const program = example!
      .replace('from "alink-agent"', `from ${JSON.stringify(library)}`)
      .replace("mqtts://127.0.0.1:8883", platform.ready.mqtts!);
    assert.notEqual(program, example);
    await writeFile(join(folder, "example.mjs"), `${program}\nawait device.stop();\n`);
    const posted = once(platform, "property.post");
    const reported = once(platform, "event.post");
    const env = { ...process.env, ALINK_DEVICE_SECRET: JSON.parse(fixtures!).products[0].devices[0].deviceSecret };
    await promisify(execFile)(process.execPath, ["example.mjs"], { cwd: folder, env });
    const [event] = (await posted) as [{ params: unknown }];
    assert.deepEqual(event.params, { brightness: 80 });
    const [{ identifier, params }] = (await reported) as [
      { identifier: string; params: { value: unknown; time: number } },
    ];
    assert.deepEqual([identifier, params.value], ["overheated", { temperature: 91.5 }]);
    assert.ok(Math.abs(params.time - Date.now()) < 600_000, "the time that the device gave");
  } finally {
    await platform.close();
    await rm(folder, { recursive: true });
  }
});

test("every file that the documents link to is there", async () => {
  for (const file of [
    "README.md",
    "CONTRIBUTING.md",
    "docs/design.md",
    "docs/state-region.md",
    "docs/boot-record.md",
    "docs/wamr.md",
    "docs/coap.md",
  ]) {
    const text = await readFile(join(root, file), "utf8");
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)]
      .map((match) => match[1]!)
      .filter((link) => !link.includes("://"));
    if (file === "README.md") assert.ok(links.length > 5);
    for (const link of links) await readFile(join(root, file, "..", link));
  }
});
