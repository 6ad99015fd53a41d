// The library face `alink-agent/crypto`: node:crypto's answers, many objects at once, and errors that say what to do.

import assert from "node:assert/strict";
import { createCipheriv, createHash as createNodeHash, createHmac as createNodeHmac } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  aes128cbc,
  aes256cbc,
  type Cbc,
  createHash,
  createHmac,
  type Digest,
  timingSafeEqual,
} from "../../host/crypto.js";

const names: Digest[] = ["md5", "sha1", "sha256"];
const anyName = fc.constantFrom(...names);
/** Pieces small and large beside the staging of a slot. */
const pieces = fc.array(fc.uint8Array({ maxLength: 500, size: "max" }), { maxLength: 12 });
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7 + 3);

function nodeEncrypt(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, iv);
  return Buffer.concat([cipher.update(plaintext), cipher.final()]);
}

describe("createHash and createHmac", () => {
  it("give node:crypto's digest for any pieces", () => {
    fc.assert(
      fc.property(anyName, pieces, (name, data) => {
        const [hash, node] = [createHash(name), createNodeHash(name)];
        for (const piece of data) {
          assert.equal(hash.update(piece), hash);
          node.update(piece);
        }
        assert.equal(hash.digest("hex"), node.digest("hex"));
      }),
      { numRuns: 300 },
    );
  });

  it("give node:crypto's HMAC for any key and pieces", () => {
    fc.assert(
      fc.property(anyName, fc.uint8Array({ maxLength: 200, size: "max" }), pieces, (name, key, data) => {
        const [mac, node] = [createHmac(name, key), createNodeHmac(name, key)];
        for (const piece of data) {
          mac.update(piece);
          node.update(piece);
        }
        assert.deepEqual(Buffer.from(mac.digest()), node.digest());
      }),
      { numRuns: 300 },
    );
  });

  it("every length up to 1200 bytes, in one piece", () => {
    const bytes = counting(1200);
    for (const name of names)
      for (let length = 0; length <= bytes.length; length++) {
        const piece = bytes.subarray(0, length);
        assert.equal(
          createHash(name).update(piece).digest("hex"),
          createNodeHash(name).update(piece).digest("hex"),
          `${name} ${length}`,
        );
      }
  });

  it("a megabyte in one piece", () => {
    const bytes = counting(1_048_576 + 5);
    for (const name of names) {
      assert.equal(createHash(name).update(bytes).digest("hex"), createNodeHash(name).update(bytes).digest("hex"));
      assert.equal(
        createHmac(name, "key").update(bytes).digest("hex"),
        createNodeHmac(name, "key").update(bytes).digest("hex"),
      );
    }
  });

  it("take text as UTF-8", () => {
    const text = "漢字 and ASCII, é";
    for (const name of names) {
      assert.equal(createHash(name).update(text).digest("hex"), createNodeHash(name).update(text).digest("hex"));
      const node = createNodeHmac(name, text).update(text).digest("hex");
      assert.equal(createHmac(name, text).update(text).digest("hex"), node);
    }
  });

  it("digest() gives bytes that are the caller's own", () => {
    const first = createHash("sha256").update("a").digest();
    const kept = Buffer.from(first);
    first.fill(0);
    assert.deepEqual(Buffer.from(createHash("sha256").update("a").digest()), kept);
    assert.deepEqual(first, new Uint8Array(32));
  });

  it("what was passed may be changed afterwards", () => {
    const bytes = counting(100);
    const hash = createHash("md5").update(bytes);
    bytes.fill(0);
    assert.equal(hash.digest("hex"), createNodeHash("md5").update(counting(100)).digest("hex"));
  });

  it("copies go on by themselves, wherever they are taken", () => {
    const bytes = counting(1000);
    for (const name of names)
      for (const cut of [0, 1, 63, 64, 200, 247, 248, 249, 300, 400, 700]) {
        const hash = createHash(name).update(bytes.subarray(0, cut));
        const mac = createHmac(name, "key").update(bytes.subarray(0, cut));
        const [hashCopy, macCopy] = [hash.copy(), mac.copy()];
        hash.update("something else");
        mac.update("something else");
        hash.digest();
        mac.digest();
        const rest = bytes.subarray(cut);
        assert.equal(hashCopy.update(rest).digest("hex"), createNodeHash(name).update(bytes).digest("hex"));
        assert.equal(macCopy.update(rest).digest("hex"), createNodeHmac(name, "key").update(bytes).digest("hex"));
      }
  });

  it("thousands of objects live at once, and the memory grows for them", () => {
    const hashes = Array.from({ length: 5000 }, (_, i) => createHash(names[i % 3]!).update(`first ${i}`));
    const macs = Array.from({ length: 500 }, (_, i) => createHmac(names[i % 3]!, `${i}`).update(`first ${i}`));
    for (const [i, hash] of hashes.entries()) hash.update(counting(i % 700));
    for (const [i, hash] of hashes.entries()) {
      const node = createNodeHash(names[i % 3]!)
        .update(`first ${i}`)
        .update(counting(i % 700));
      assert.equal(hash.digest("hex"), node.digest("hex"));
    }
    for (const [i, mac] of macs.entries()) {
      const node = createNodeHmac(names[i % 3]!, `${i}`).update(`first ${i}`);
      assert.equal(mac.digest("hex"), node.digest("hex"));
    }
  });

  it("refuse what they do not know, by name", () => {
    assert.throws(() => createHash("sha512" as Digest), /no digest "sha512": md5, sha1 and sha256/);
    assert.throws(() => createHmac("constructor" as Digest, "k"), /no digest "constructor"/);
    assert.throws(() => createHash("md5").update(5 as unknown as string), /neither a Uint8Array nor a string/);
    assert.throws(() => createHmac("md5", undefined as unknown as string), /the key is neither/);
    assert.throws(() => createHash("md5").digest("base64" as "hex"), /"hex"/);
  });

  it("an object is at its end after digest()", () => {
    for (const object of [createHash("sha1"), createHmac("sha1", "key")]) {
      object.update("a").digest();
      assert.throws(() => object.update("b"), /digest\(\) has ended this object: create another/);
      assert.throws(() => object.digest(), /digest\(\) has ended/);
      assert.throws(() => object.copy(), /digest\(\) has ended/);
    }
  });

  it("a refused encoding does not end the object", () => {
    const hash = createHash("md5").update("a");
    assert.throws(() => hash.digest("latin1" as "hex"));
    assert.equal(hash.digest("hex"), createNodeHash("md5").update("a").digest("hex"));
  });
});

describe("AES-CBC", () => {
  const ciphers: [Cbc, number][] = [
    [aes128cbc, 16],
    [aes256cbc, 32],
  ];

  it("is node:crypto's, there and back", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ciphers),
        fc.uint8Array({ minLength: 48, maxLength: 48 }),
        fc.uint8Array({ maxLength: 400, size: "max" }),
        ([cipher, keyLength], secret, plaintext) => {
          const key = secret.subarray(0, keyLength);
          const iv = secret.subarray(32);
          const expected = nodeEncrypt(key, iv, plaintext);
          assert.deepEqual(Buffer.from(cipher.encrypt({ key, iv }, plaintext)), expected);
          assert.deepEqual(Buffer.from(cipher.decrypt({ key, iv }, expected)), Buffer.from(plaintext));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("messages round the size of the module's window", () => {
    const key = counting(16);
    const iv = counting(16);
    for (const size of [16384, 32768, 65536, 100_000])
      for (let length = size - 33; length <= size + 33; length += size === 100_000 ? 33 : 1) {
        const expected = nodeEncrypt(key, iv, counting(length));
        assert.ok(expected.equals(aes128cbc.encrypt({ key, iv }, counting(length))), `${length}`);
        assert.ok(Buffer.from(counting(length)).equals(aes128cbc.decrypt({ key, iv }, expected)), `${length}`);
      }
  });

  it("refuses keys and vectors of another length, and damaged ciphertexts", () => {
    const key = counting(16);
    const iv = counting(16);
    assert.throws(() => aes128cbc.encrypt({ key: counting(32), iv }, key), /key has 32 bytes, it must have 16/);
    assert.throws(() => aes256cbc.encrypt({ key, iv }, key), /key has 16 bytes, it must have 32/);
    assert.throws(() => aes128cbc.decrypt({ key, iv: counting(12) }, key), /iv has 12 bytes, it must have 16/);
    assert.throws(() => aes128cbc.encrypt({ key: "k" as never, iv }, key), /key is no Uint8Array/);
    assert.throws(() => aes128cbc.encrypt({ key, iv }, "text" as never), /plaintext is no Uint8Array/);
    assert.throws(() => aes128cbc.decrypt({ key, iv }, counting(15)), /multiple of 16 bytes, not 15/);
    assert.throws(() => aes128cbc.decrypt({ key, iv }, new Uint8Array()), /not 0/);
    const ciphertext = nodeEncrypt(key, iv, counting(40));
    ciphertext[31]! ^= 0x80;
    assert.throws(() => aes128cbc.decrypt({ key, iv }, ciphertext), /padding is wrong/);
  });
});

it("timingSafeEqual", () => {
  assert.equal(timingSafeEqual(counting(32), counting(32)), true);
  assert.equal(timingSafeEqual(counting(32), counting(31)), false);
  for (let i = 0; i < 32; i++) {
    const other = counting(32);
    other[i]! ^= 1;
    assert.equal(timingSafeEqual(counting(32), other), false);
  }
});
