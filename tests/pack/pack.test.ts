// `alink-agent pack`: the folder is whole and says the truth about itself, wherever the package is installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import binaryen from "binaryen";
import { ABI_VERSION } from "../../host/abi.js";
import type { Agent } from "../../host/agent.js";
import { amplePool, type Footprint } from "../../host/pack/costs.js";
import type { Manifest } from "../../host/pack/manifest.js";
import { PROFILES, type Profile } from "../../host/size/budgets.js";
import { LEFT_OUT } from "../../host/size/left_out.js";
import { root, wasm } from "../paths.js";
import { command, finish, folder } from "../platform/command.js";

const built = (Object.keys(PROFILES) as Profile[]).filter((profile) => existsSync(wasm(PROFILES[profile])));

/** Every file below a folder, relative to it. */
function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(directory, path)).isFile())
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}

const text = (...path: string[]): string => readFileSync(join(...path), "utf8");

test("a module to pack is built", () => assert.ok(built.includes("full")));

for (const profile of built)
  test(`${profile}: the manifest tells every file, and the C array is the module`, async (t) => {
    const out = join(folder(t), "made", "pack");
    const { code, stdout, stderr } = await finish(command(t, ["pack", "--profile", profile, "--out", out, "--json"]));
    assert.deepEqual([code, stderr], [0, ""]);
    const manifest = JSON.parse(text(out, "manifest.json")) as Manifest;
    const paths = filesOf(out);
    assert.deepEqual([...manifest.files.map(({ path }) => path), "manifest.json"].sort(), paths);
    for (const file of manifest.files) {
      const bytes = readFileSync(join(out, file.path));
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      assert.deepEqual(file, { path: file.path, bytes: bytes.length, sha256 });
    }
    const module = readFileSync(wasm(PROFILES[profile]));
    assert.ok(module.equals(readFileSync(join(out, "agent.wasm"))));
    const [array] = /(?<=agent_wasm\[AGENT_WASM_SIZE\] AGENT_WASM_ALIGNED = \{)[^}]*/.exec(
      text(out, "src/agent_wasm.h"),
    )!;
    assert.ok(module.equals(Buffer.from(array.split(",").map(Number))));
    assert.match(text(out, "src/agent_wasm.h"), new RegExp(`#define AGENT_WASM_SIZE ${module.length}u\n`));
    const [, digest] = /#define AGENT_WASM_SHA256 \\\n([0-9a-fx,\\\s]*)/.exec(text(out, "src/agent_wasm.h"))!;
    const told = Buffer.from(digest!.replaceAll("\\", "").split(",").map(Number));
    assert.equal(told.toString("hex"), createHash("sha256").update(module).digest("hex"));
    const { instance } = await WebAssembly.instantiate(module);
    const memory = (instance.exports.__heap_base as WebAssembly.Global).value as number;
    const own = manifest.files.find(({ path }) => path === "agent.wasm");
    assert.deepEqual(manifest.module, { ...own, source: `${PROFILES[profile]}.wasm`, memory });
    assert.deepEqual([manifest.profile, manifest.abiVersion], [profile, ABI_VERSION]);
    const done = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([done.event, done.done, done.files], ["done", true, paths.length]);
    for (const path of paths) {
      assert.doesNotMatch(text(out, path), /@[A-Z][A-Z_]+@/, path);
      assert.ok(!text(out, path).includes(root), `${path} tells where it was made`);
    }
  });

for (const profile of built)
  test(`${profile}: README.md speaks of what the module does, and the manifest of what it does not`, async (t) => {
    const out = folder(t);
    await finish(command(t, ["pack", "--profile", profile, "--out", out]));
    const readme = text(out, "README.md");
    const { leftOut } = JSON.parse(text(out, "manifest.json")) as Manifest;
    assert.deepEqual(leftOut, LEFT_OUT[profile]);
    assert.equal(leftOut.length === 0, profile === "full");
    assert.equal(readme.includes("## What this module leaves out"), profile !== "full");
    for (const { what, instead } of leftOut) assert.ok(readme.includes(`| ${what} | ${instead} |`), what);
    assert.doesNotMatch(readme, /<!--/);
    const overTls = [/ mqtts:\/\/HOST:PORT ca\.pem device\.flash\n/, /heap \(mbedTLS/, /an update has/, /boot record/];
    const datagrams = [/ coap:\/\/HOST:5682\n/, /`alink_agent_sleep`/, /`property\.posted`/, /nothing for TLS/];
    const [said, unsaid] = profile === "coap" ? [datagrams, overTls] : [overTls, datagrams];
    for (const words of said) assert.match(readme, words);
    for (const words of unsaid) assert.doesNotMatch(readme, words);
    if (profile === "coap") assert.doesNotMatch(readme, /mqtts|ca\.pem|slots/);
  });

test("what lite is said to leave out, its module refuses, and the full one takes", async () => {
  const left = LEFT_OUT.lite.map(({ what }) => what).join();
  const members = [...left.matchAll(/`(update\w+)`/g)].map(([, member]) => member!);
  assert.deepEqual(members.sort(), ["updateConfirm", "updateFloor", "updateKey", "updateQuiet", "updateRate"]);
  const valid: Record<string, unknown> = {
    updateConfirm: "ask",
    updateFloor: "1.0",
    updateQuiet: [60, 120],
    updateRate: 1024,
  };
  for (const [name, expected] of [
    ["agent", 0],
    ["agent-lite", -1],
  ] as const)
    for (const [member, value] of Object.entries(valid)) {
      const { instance } = await WebAssembly.instantiate(readFileSync(wasm(name)));
      const x = instance.exports as unknown as Agent["exports"];
      const document = Buffer.from(JSON.stringify({ [member]: value }));
      new Uint8Array(x.memory.buffer, x.inPtr(), x.inCap()).set(document);
      let code = x.configure(document.length);
      while (code > 0) code = x.configure(0);
      assert.equal(Math.sign(code), expected, `${name}: ${member}`);
    }
});

test("the documents that texts send to are in the pack, and send to no others", async (t) => {
  const out = folder(t);
  await finish(command(t, ["pack", "--profile", "lite", "--out", out]));
  const packed = filesOf(out).filter((path) => path.startsWith("docs/"));
  const said = [
    text(out, "README.md"),
    readFileSync(join(out, "agent.wasm"), "latin1"),
    text(out, "example/example.c"),
  ];
  const named = said.flatMap((words) => [...words.matchAll(/docs\/[\w-]+\.md/g)].map(([path]) => path));
  assert.ok(named.includes("docs/configuration.md"));
  for (const path of named) assert.ok(packed.includes(path), path);
  for (const path of packed) {
    assert.equal(text(out, path), text(root, path));
    assert.doesNotMatch(text(out, path), /\]\((?!#)/, `${path} has a link`);
  }
});

test("what the manifest says of WebAssembly and of WAMR's options holds", async (t) => {
  const out = folder(t);
  await finish(command(t, ["pack", "--out", out]));
  const { wamr } = JSON.parse(text(out, "manifest.json")) as Manifest;
  assert.equal(wamr.webAssembly, "1.0");
  const module = binaryen.readBinary(readFileSync(join(out, "agent.wasm")));
  module.setFeatures(binaryen.Features.MVP);
  assert.equal(module.validate(), 1);
  module.dispose();
  const cmake = text(out, "wamr/CMakeLists.txt");
  const off = /foreach\(feature ([^)]*)\)/.exec(cmake)![1]!.split(/\s+/);
  const readme = text(out, "README.md");
  for (const [option, value] of Object.entries(wamr.options)) {
    if (value === 1) assert.match(cmake, new RegExp(`set\\(${option} 1\\)`));
    else assert.ok(off.includes(option.replace("WAMR_BUILD_", "")), option);
    assert.ok(readme.includes(option) || readme.includes(option.replace("WAMR_BUILD", "…")), option);
  }
});

test("every source that a build file names is there", async (t) => {
  const out = folder(t);
  await finish(command(t, ["pack", "--out", out]));
  let named = 0;
  for (const file of filesOf(out).filter((path) => path.endsWith("CMakeLists.txt")))
    for (const [source] of text(out, file).matchAll(/(?<=[\s("])(\.\.\/)*(src|posix|example)\/\w+\.c\b/g)) {
      assert.ok(existsSync(join(out, dirname(file), source)), `${file}: ${source}`);
      named++;
    }
  assert.ok(named >= 10);
});

test("the library is whole: it includes nothing beside itself, and every build file has all of its sources", async (t) => {
  const out = folder(t);
  await finish(command(t, ["pack", "--out", out]));
  const library = readdirSync(join(out, "src"));
  const builds = filesOf(out).filter((path) => path.endsWith("CMakeLists.txt") && !path.startsWith("wamr/"));
  assert.equal(builds.length, 3);
  for (const file of library) {
    for (const [, header] of text(out, "src", file).matchAll(/^#include "([^"]+)"/gm))
      assert.ok(library.includes(header!) || header === "wasm_export.h", `src/${file} includes ${header}`);
    if (file.endsWith(".c"))
      for (const build of builds) assert.ok(text(out, build).includes(`src/${file}`), `${build} lacks src/${file}`);
  }
});

test("an installed package packs the same", async (t) => {
  const directory = folder(t);
  // npm has settings from the environment of a script that runs it. Which npm is found there is any version, and each of
  // them leaves the archive where it runs.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const npm = ["pack", root, "--ignore-scripts", "--silent"];
  const printed = execFileSync("npm", npm, { encoding: "utf8", cwd: directory, env });
  const archive = printed.trim().split("\n").at(-1)!;
  execFileSync("tar", ["-xzf", join(directory, archive), "-C", directory]);
  const installed = join(directory, "package");
  symlinkSync(join(root, "node_modules"), join(installed, "node_modules"), "dir");
  const main = join(installed, "build/host/cli/main.js");
  execFileSync(process.execPath, [main, "pack", "--out", join(directory, "installed")]);
  execFileSync(process.execPath, [main, "size"]);
  await finish(command(t, ["pack", "--out", join(directory, "here")]));
  const paths = filesOf(join(directory, "here"));
  assert.deepEqual(filesOf(join(directory, "installed")), paths);
  for (const path of paths) assert.equal(text(directory, "installed", path), text(directory, "here", path), path);
});

test("a folder that is not empty is left alone, unless it is forced", async (t) => {
  const out = folder(t);
  writeFileSync(join(out, "notes.txt"), "mine");
  mkdirSync(join(out, "src"));
  writeFileSync(join(out, "src", "agent.c"), "old");
  const refused = await finish(command(t, ["pack", "--out", out]));
  assert.equal(refused.code, 1);
  assert.equal(refused.stderr, `alink-agent: ${out} is not empty: name another folder with --out, or add --force\n`);
  assert.deepEqual(filesOf(out), ["notes.txt", "src/agent.c"]);
  const forced = await finish(command(t, ["pack", "--out", out, "--force"]));
  assert.equal(forced.code, 0, forced.stderr);
  assert.equal(text(out, "notes.txt"), "mine");
  assert.equal(text(out, "src/agent.c"), text(root, "host/wamr/agent.c"));
});

test("wrong usage ends with 2, a folder that cannot be used with 1, each with one line", async (t) => {
  const directory = folder(t);
  const file = join(directory, "file");
  writeFileSync(file, "");
  for (const [args, expected, message] of [
    [[], 2, /required option '--out <dir>' not specified/],
    [["--out", directory, "--profile", "tiny"], 2, /'tiny' is invalid. Allowed choices are full, lite, coap/],
    [["--out", ""], 2, /option '--out <dir>' argument '' is invalid\. it names a file or folder and cannot be empty/],
    [["--out", "", "--force"], 2, /cannot be empty/],
    [["--out", file], 1, /cannot write to .*: it is a file; name another folder with --out/],
    [["--out", join(file, "below"), "--force"], 1, /cannot write to .*: a part of its path is a file/],
    [["--out", "/proc/x"], 1, /cannot write to \/proc\/x: its file system takes no folders there/],
    [["--out", "/proc/x/y", "--force"], 1, /cannot write to \/proc\/x\/y: its file system takes no folders there/],
  ] as const) {
    const { code, stdout, stderr } = await finish(command(t, ["pack", ...args]));
    assert.deepEqual([code, stdout], [expected, ""], stderr);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split("\n").length, 1);
  }
  assert.deepEqual(filesOf(directory), [relative(directory, file)]);
});

test("the pool of a pack is enough for what was measured", () => {
  const footprint = JSON.parse(text(root, "docs/footprint.json")) as Footprint;
  const pools = footprint.modules.agent!.ways.map(({ pool }) => pool);
  const pool = amplePool(footprint, "agent", 0, 0);
  assert.ok(pool >= Math.max(...pools) && pool < 1.2 * Math.max(...pools));
  assert.equal(pool % 1024, 0);
  // One that has grown since gets as much more.
  assert.ok(amplePool(footprint, "agent", 2 * footprint.modules.agent!.ways[0]!.module, 0) >= 2 * Math.max(...pools));
  // A module that was not measured gets what the measured one would get, or more.
  const { bytes, memory } = { bytes: footprint.modules.agent!.ways[0]!.module, memory: pools.at(-1)! };
  assert.ok(amplePool(footprint, "another", bytes, memory) >= pool);
});
