// The import lines of the sources: layers point one way, and nothing reaches around a border.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { test } from "node:test";
import { root } from "./paths.js";

interface Import {
  /** Importing file, from the repository's root. */
  file: string;
  line: number;
  /** As it is written. */
  specifier: string;
  /** Imported file without its extension, from the repository's root; undefined = a package. */
  target?: string;
}

/** Lower layers first: a file may import files of layers at its left, and of its own. */
const ORDER = ["bytes", "crypto", "codec", "protocol", "agent", "index"];

/** Two files of codec/ where one is used by another. Everything else in codec/ knows none of its siblings. */
const ONE_CODEC: Record<string, string> = {
  "json -> json_text": "strings and keys are one part of the reader",
  "json_escape -> json_text": "which bytes have an escape is one table",
  "cbor_encode -> cbor": "writing and reading have heads and the stack in common",
  "cbor_decode -> cbor": "as above",
  "cbor_encode -> json": "it is made of JSON's tokens",
  "http -> http_range": "Content-Range is one field of the response head",
  "http -> url": "the request line and Host are written from the URL",
};

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

/** Comments become blanks, so that places stay what they are. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<![:"'`])\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, " "));
}

const IMPORT = /^\s*(?:import|export)\s(?:[^;"'=()]*?\sfrom\s*)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;

function importsOf(file: string, text = readFileSync(join(root, file), "utf8")): Import[] {
  const plain = withoutComments(text);
  return [...plain.matchAll(IMPORT)].map((match) => {
    const specifier = (match[1] ?? match[2])!;
    const end = match.index + match[0].length;
    const line = plain.slice(0, end).split("\n").length;
    if (!specifier.startsWith(".")) return { file, line, specifier };
    return { file, line, specifier, target: posix.join(dirname(file), specifier).replace(/\.(js|ts)$/, "") };
  });
}

const importsBelow = (folder: string): Import[] => sources(folder).flatMap((file) => importsOf(file));

const told = ({ file, line, specifier }: Import, why: string): string =>
  `${file}:${line} imports "${specifier}": ${why}`;

function refuse(faults: string[]): void {
  assert.equal(faults.length, 0, `\n${faults.join("\n")}`);
}

/** `assembly/codec/json` -> `codec`, `assembly/abi.ts` -> `abi`, any entry or arena of a module -> `index`, `arena`. */
function layerOf(path: string): string {
  const [, first] = path.replace(/\.ts$/, "").split("/");
  return /^(?:\w+_)?(index|arena)$/.exec(first!)?.[1] ?? first!;
}

const nameOf = (path: string): string => posix.basename(path).replace(/\.ts$/, "");

/** Why a file of the core may not import another; undefined = it may. */
function faultOf(edge: Import): string | undefined {
  if (edge.target === undefined) return "the core imports no package";
  if (!edge.target.startsWith("assembly/")) return "the core imports nothing from outside assembly/";
  const [from, to] = [layerOf(edge.file), layerOf(edge.target)];
  if (from === "abi") return "abi.ts stands alone";
  if (to === "abi") return undefined;
  if (from === "profile") return "profile.ts knows abi.ts alone";
  if (to === "profile") return undefined;
  if (to === "arena") return from === "agent" ? undefined : "only agent/ knows the arena; take pointers";
  // the arena lays out the structures of every layer, those of agent/ included
  const [low, high] = [ORDER.indexOf(to), ORDER.indexOf(from === "arena" ? "agent" : from)];
  if (low < 0 || high < 0) return `a layer that is not in ${ORDER.join(" -> ")}`;
  if (low > high) return `layers point one way: ${ORDER.join(" -> ")}`;
  if (from === "codec" && to === "codec" && ONE_CODEC[`${nameOf(edge.file)} -> ${nameOf(edge.target)}`] === undefined)
    return "codecs know none of their siblings";
  return undefined;
}

test("the core's layers point one way", () => {
  const edges = importsBelow("assembly");
  assert.ok(edges.length > 100, `only ${edges.length} imports were found`);
  const faults = edges.flatMap((edge) => {
    const why = faultOf(edge);
    return why === undefined ? [] : [told(edge, why)];
  });
  refuse(faults);
});

test("every named exception is in use", () => {
  const used = new Set(
    importsBelow("assembly/codec").map((edge) => `${nameOf(edge.file)} -> ${nameOf(edge.target ?? "")}`),
  );
  refuse(
    Object.keys(ONE_CODEC)
      .filter((pair) => !used.has(pair))
      .map((pair) => `${pair}: no such import, take it out`),
  );
});

test("an entry exports its own layer and nothing else", () => {
  const targets = importsOf("assembly/index.ts").map((edge) => edge.target);
  assert.deepEqual(targets, ["assembly/agent/agent", "assembly/agent/channels"]);
  const coap = importsOf("assembly/coap_index.ts").map((edge) => edge.target);
  assert.deepEqual(
    coap,
    ["abi", "agent/coap_agent", "agent/coap_inbox", "agent/coap_queue"].map((of) => `assembly/${of}`),
  );
  for (const entry of sources("assembly").filter((file) => file === "assembly/crypto_index.ts")) {
    const above = importsOf(entry).filter((edge) => !["bytes", "crypto"].includes(layerOf(edge.target ?? "/")));
    refuse(above.map((edge) => told(edge, "the modules of digests know bytes/ and crypto/ alone")));
  }
});

/** A cycle in the graph, as the nodes along it; undefined = none. */
function cycleIn(graph: Map<string, Map<string, Import>>): Import[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): Import[] | undefined => {
    const at = path.indexOf(node);
    if (at >= 0) {
      const ring = [...path.slice(at), node];
      return ring.slice(1).map((to, i) => graph.get(ring[i]!)!.get(to)!);
    }
    if (done.has(node)) return undefined;
    path.push(node);
    for (const next of graph.get(node)?.keys() ?? []) {
      const found = visit(next);
      if (found !== undefined) return found;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const found = visit(node);
    if (found !== undefined) return found;
  }
  return undefined;
}

function graphOf(edges: Import[], node: (path: string) => string): Map<string, Map<string, Import>> {
  const graph = new Map<string, Map<string, Import>>();
  for (const edge of edges) {
    if (edge.target === undefined) continue;
    const [from, to] = [node(edge.file.replace(/\.ts$/, "")), node(edge.target)];
    if (from === to) continue;
    if (!graph.has(from)) graph.set(from, new Map());
    graph.get(from)!.set(to, edge);
  }
  return graph;
}

/** An agent and its arena belong together: no module has two. */
test("an agent knows its own arena", () => {
  const faults = importsBelow("assembly/agent").flatMap((edge) => {
    if (layerOf(edge.target ?? "") !== "arena") return [];
    const own = nameOf(edge.file).startsWith("coap_") ? "coap_arena" : "arena";
    return nameOf(edge.target!) === own ? [] : [told(edge, `its arena is ${own}`)];
  });
  refuse(faults);
});

/** A folder below `top`, or the file itself where it stands in `top`; the arena is the agent's. */
function folderOf(path: string): string {
  const parts = path.split("/");
  if (/^assembly\/(\w+_)?arena$/.test(path)) return "assembly/agent";
  return parts.length > 2 ? parts.slice(0, 2).join("/") : path;
}

test("no import cycles between folders", () => {
  for (const top of ["assembly", "host"]) {
    const cycle = cycleIn(graphOf(importsBelow(top), folderOf));
    refuse((cycle ?? []).map((edge) => told(edge, "part of a cycle between folders")));
  }
});

test("no import cycles between files of the core", () => {
  const cycle = cycleIn(graphOf(importsBelow("assembly"), (path) => path));
  refuse((cycle ?? []).map((edge) => told(edge, "part of a cycle between files")));
});

test("the platform shares nothing with the agent", () => {
  const outside = importsBelow("host/platform").filter(
    (edge) => edge.target !== undefined && !edge.target.startsWith("host/platform/"),
  );
  refuse(outside.map((edge) => told(edge, "agent and platform check each other, so they share no code")));
});

test("the module's loader runs in a browser, too", () => {
  const reached = new Set<string>();
  const faults: string[] = [];
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const edge of importsOf(file)) {
      if (edge.specifier.startsWith("node:")) faults.push(told(edge, "host/agent.ts and what it imports know no Node"));
      if (edge.target !== undefined) visit(`${edge.target}.ts`);
    }
  };
  visit("host/agent.ts");
  assert.ok(reached.has("host/abi.ts"));
  refuse(faults);
});

test("hosts know nothing of the core's sources", () => {
  const inside = importsBelow("host").filter((edge) => edge.target?.startsWith("assembly/"));
  refuse(inside.map((edge) => told(edge, "a host knows the exports alone")));
});

test("the rules refuse what they are for", () => {
  const fault = (file: string, line: string): string | undefined => faultOf(importsOf(file, line)[0]!);
  assert.match(fault("assembly/bytes/a.ts", 'import { b } from "../crypto/b";')!, /one way/);
  assert.match(fault("assembly/protocol/a.ts", 'import {\n  b,\n} from "../arena";')!, /arena/);
  assert.match(fault("assembly/index.ts", 'export * from "./arena";')!, /arena/);
  assert.match(fault("assembly/codec/json.ts", 'import { b } from "./http";')!, /siblings/);
  assert.match(fault("assembly/abi.ts", 'import { b } from "./bytes/b";')!, /alone/);
  assert.match(fault("assembly/agent/a.ts", 'import "left-pad";')!, /package/);
  assert.match(fault("assembly/agent/a.ts", 'import { b } from "../../host/b";')!, /outside/);
  assert.match(fault("assembly/agent/a.ts", 'import { b } from "../misc/b";')!, /not in/);
  assert.equal(fault("assembly/codec/json.ts", 'import { b } from "./json_text";'), undefined);
  assert.deepEqual(importsOf("x.ts", '// import "a";\n/* import "b"; */\nconst c = await import("./c.js");').length, 1);
  const ring = cycleIn(
    graphOf(
      [...importsOf("host/a/x.ts", 'import "../b/y.js";'), ...importsOf("host/b/y.ts", 'import "../a/z.js";')],
      folderOf,
    ),
  );
  assert.deepEqual(ring!.map((edge) => edge.file).sort(), ["host/a/x.ts", "host/b/y.ts"]);
});
