// What the benchmark compares: for each algorithm, one function per library that does the same work on the same bytes.
//
// The other libraries are development dependencies. One that is not installed is left out and named.

import {
  createCipheriv,
  createDecipheriv,
  createHash as createNodeHash,
  createHmac as createNodeHmac,
} from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { aes128cbc, createHash, createHmac, type Digest } from "../crypto.js";

/** Does the work once. The result is compared between subjects before anything is timed. */
export type Work = (input: Uint8Array) => Uint8Array;

/** One line of the benchmark: an algorithm and an input size, and who can do it. */
export interface Case {
  name: string;
  /** Bytes of input. */
  size: number;
  works: Map<string, Work>;
}

/** Input sizes, bytes. */
export const SIZES = [64, 1024, 16384, 1048576];
/** Messages are absorbed in pieces of this many bytes, as they come from a socket. */
export const PIECE = 4096;
export const OURS = "alink-agent";

const DIGESTS: Digest[] = ["md5", "sha1", "sha256"];
const KEY = Uint8Array.from({ length: 16 }, (_, i) => i * 11 + 1);
const IV = Uint8Array.from({ length: 16 }, (_, i) => 255 - i);

interface Streaming {
  update(data: Uint8Array): unknown;
}

function absorb(hash: Streaming, input: Uint8Array): void {
  if (input.length <= PIECE) hash.update(input);
  else for (let at = 0; at < input.length; at += PIECE) hash.update(input.subarray(at, at + PIECE));
}

/** The works of one library by the case's name, for any size. */
type Library = Record<string, Work>;

const ENCRYPT = "aes-128-cbc encrypt";
const DECRYPT = "aes-128-cbc decrypt";
const HMAC = "hmac-sha256";

function ours(): Library {
  const library: Library = {
    [ENCRYPT]: (input) => aes128cbc.encrypt({ key: KEY, iv: IV }, input),
    [DECRYPT]: (input) => aes128cbc.decrypt({ key: KEY, iv: IV }, input),
    [HMAC]: (input) => {
      const mac = createHmac("sha256", KEY);
      absorb(mac, input);
      return mac.digest();
    },
  };
  for (const name of DIGESTS)
    library[name] = (input) => {
      const hash = createHash(name);
      absorb(hash, input);
      return hash.digest();
    };
  return library;
}

function node(): Library {
  const library: Library = {
    [ENCRYPT]: (input) => {
      const cipher = createCipheriv("aes-128-cbc", KEY, IV);
      return Buffer.concat([cipher.update(input), cipher.final()]);
    },
    [DECRYPT]: (input) => {
      const decipher = createDecipheriv("aes-128-cbc", KEY, IV);
      return Buffer.concat([decipher.update(input), decipher.final()]);
    },
    [HMAC]: (input) => {
      const mac = createNodeHmac("sha256", KEY);
      absorb(mac, input);
      return mac.digest();
    },
  };
  for (const name of DIGESTS)
    library[name] = (input) => {
      const hash = createNodeHash(name);
      absorb(hash, input);
      return hash.digest();
    };
  return library;
}

interface HashWasm {
  init(): HashWasm;
  update(data: Uint8Array): HashWasm;
  digest(encoding: "binary"): Uint8Array;
}

async function hashWasm(): Promise<Library> {
  const name = "hash-wasm";
  const m = (await import(name)) as Record<"createMD5" | "createSHA1" | "createSHA256", () => Promise<HashWasm>> & {
    createHMAC(hash: Promise<HashWasm>, key: Uint8Array): Promise<HashWasm>;
  };
  // Made once and used again, which is the quicker of its two ways.
  const works: Library = {};
  for (const [digest, hash] of [
    ["md5", await m.createMD5()],
    ["sha1", await m.createSHA1()],
    ["sha256", await m.createSHA256()],
    [HMAC, await m.createHMAC(m.createSHA256(), KEY)],
  ] as const)
    works[digest] = (input) => {
      hash.init();
      absorb(hash, input);
      return hash.digest("binary");
    };
  return works;
}

interface NobleHash {
  create(): Streaming & { digest(): Uint8Array };
}

async function nobleHashes(): Promise<Library> {
  const name = "@noble/hashes";
  const legacy = (await import(`${name}/legacy.js`)) as Record<"md5" | "sha1", NobleHash>;
  const { sha256 } = (await import(`${name}/sha2.js`)) as Record<"sha256", NobleHash>;
  const { hmac } = (await import(`${name}/hmac.js`)) as {
    hmac: { create(hash: NobleHash, key: Uint8Array): Streaming & { digest(): Uint8Array } };
  };
  const work =
    (create: () => Streaming & { digest(): Uint8Array }): Work =>
    (input) => {
      const hash = create();
      absorb(hash, input);
      return hash.digest();
    };
  return {
    md5: work(() => legacy.md5.create()),
    sha1: work(() => legacy.sha1.create()),
    sha256: work(() => sha256.create()),
    [HMAC]: work(() => hmac.create(sha256, KEY)),
  };
}

async function nobleCiphers(): Promise<Library> {
  const name = "@noble/ciphers";
  const { cbc } = (await import(`${name}/aes.js`)) as {
    cbc(key: Uint8Array, iv: Uint8Array): { encrypt: Work; decrypt: Work };
  };
  return { [ENCRYPT]: (input) => cbc(KEY, IV).encrypt(input), [DECRYPT]: (input) => cbc(KEY, IV).decrypt(input) };
}

interface AesJs {
  ModeOfOperation: { cbc: new (key: Uint8Array, iv: Uint8Array) => { encrypt: Work; decrypt: Work } };
  padding: { pkcs7: { pad: Work; strip: Work } };
}

async function aesJs(): Promise<Library> {
  const name = "aes-js";
  const { ModeOfOperation, padding } = ((await import(name)) as { default: AesJs }).default;
  return {
    [ENCRYPT]: (input) => new ModeOfOperation.cbc(KEY, IV).encrypt(padding.pkcs7.pad(input)),
    [DECRYPT]: (input) => padding.pkcs7.strip(new ModeOfOperation.cbc(KEY, IV).decrypt(input)),
  };
}

const LIBRARIES: [string, () => Library | Promise<Library>][] = [
  [OURS, ours],
  ["hash-wasm", hashWasm],
  ["@noble/hashes", nobleHashes],
  ["@noble/ciphers", nobleCiphers],
  ["aes-js", aesJs],
  ["node:crypto", node],
];

/** The version of an installed package; undefined = it is not installed. */
function versionOf(name: string): string | undefined {
  if (name === "node:crypto") return process.versions.node;
  if (name === OURS) return packageVersion(join(import.meta.dirname, "..", "..", "..", "package.json"));
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const file = join(folder, name, "package.json");
    if (existsSync(file)) return packageVersion(file);
  }
  return undefined;
}

const packageVersion = (file: string): string =>
  (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;

/** What takes part. */
export interface Subjects {
  cases: Case[];
  /** Versions by library, in the order of the report; undefined = not installed. */
  versions: Map<string, string | undefined>;
}

/** Bytes that no algorithm finds simple; the same in every run. */
function message(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 16;
  });
}

/** The input of a case: `size` bytes, or for decryption their ciphertext. */
export function inputOf(name: string, size: number): Uint8Array {
  const bytes = message(size);
  return name === DECRYPT ? aes128cbc.encrypt({ key: KEY, iv: IV }, bytes) : bytes;
}

/** Load every library that is installed. */
export async function loadSubjects(): Promise<Subjects> {
  const versions = new Map<string, string | undefined>();
  const libraries = new Map<string, Library>();
  for (const [name, load] of LIBRARIES) {
    const version = versionOf(name);
    versions.set(name, version);
    if (version !== undefined) libraries.set(name, await load());
  }
  const cases = [...DIGESTS, HMAC, ENCRYPT, DECRYPT].flatMap((name) =>
    SIZES.map((size) => {
      const works = [...libraries].flatMap(([library, { [name]: work }]) => (work ? [[library, work] as const] : []));
      return { name, size, works: new Map(works) };
    }),
  );
  return { cases, versions };
}
