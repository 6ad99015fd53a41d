// Messages longer than 4 GiB, whose length needs more than 32 bits, against node:crypto. Minutes, so not part of npm test.

import assert from "node:assert/strict";
import { createHash as createNodeHash } from "node:crypto";
import { test } from "node:test";
import { createHash, type Digest } from "../../host/crypto.js";

const PIECE = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * i) >> 3);
/** 4 GiB and a little. */
const PIECES = 4097;

for (const name of ["md5", "sha1", "sha256"] as Digest[])
  test(`${name} of ${PIECES} MiB and 5 bytes`, () => {
    const [hash, node] = [createHash(name), createNodeHash(name)];
    for (let i = 0; i < PIECES; i++) {
      hash.update(PIECE);
      node.update(PIECE);
    }
    assert.equal(hash.update("alink").digest("hex"), node.update("alink").digest("hex"));
  });
