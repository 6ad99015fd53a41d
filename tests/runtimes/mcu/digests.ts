// crypto-mcu.wasm on the boards: instructions per byte of 64 KiB, and whether the digests are right.

import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { type Board, type Program, runOn } from "./boards.js";
import type { Figure } from "./figures.js";

interface Count {
  name: string;
  instructionsPerByte: number;
  /** The first four bytes of the digest, or of the last piece, hexadecimal. */
  result: string;
}

const NAMES = ["md5", "sha1", "sha256", "aes-128-cbc encrypt", "aes-128-cbc decrypt"];

const piece = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7 + 3) & 255));
const PIECES = 16;

/** What node:crypto makes of the work that digests.c does. */
function expected(name: string): string {
  const key = Buffer.alloc(16, 0x2b);
  const first = (bytes: Buffer) => bytes.subarray(0, 4).toString("hex");
  if (!name.startsWith("aes")) {
    const hash = createHash(name);
    for (let i = 0; i < PIECES; i++) hash.update(piece);
    return first(hash.digest());
  }
  const cipher = name.endsWith("encrypt")
    ? createCipheriv("aes-128-cbc", key, key)
    : createDecipheriv("aes-128-cbc", key, key);
  cipher.setAutoPadding(false);
  let bytes: Buffer = piece;
  for (let i = 0; i < PIECES; i++) bytes = cipher.update(bytes);
  return first(bytes);
}

/** @param crypto crypto-mcu.wasm as C. @param folder a place for files @param how what is added to the names */
export function digestFigures(board: Board, crypto: Program, folder: string, how = ""): Figure[] {
  const counts = runOn<Count>(board, { ...crypto, sources: ["digests.c", ...crypto.sources] }, folder);
  assert.deepEqual(
    counts.map(({ name }) => name),
    NAMES,
  );
  return counts.map(({ name, instructionsPerByte, result }) => {
    assert.equal(result, expected(name), `${name} on ${board.name}: the result is wrong`);
    return { what: `${name}${how}`, where: board.name, value: instructionsPerByte, unit: "instructions per byte" };
  });
}
