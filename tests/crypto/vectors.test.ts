// The digests and HMAC of each module against every published vector kept in tests/vectors/, in every split of the short
// ones, and against node:crypto on generated input.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Kind, kinds, load, modules, names } from "./digests.js";
import { field, hex, message, readRsp } from "./rsp.js";

const SPLIT_MAX = 300;

/** Every way to cut `length` bytes in two, both empty ends included, and to cut short messages in three. */
function* splits(length: number): Generator<number[]> {
  for (let i = 0; i <= length; i++) yield [i];
  const step = Math.max(1, Math.ceil(length / 20));
  for (let i = 0; i <= length; i += step) for (let j = i; j <= length; j += step) yield [i, j];
}

const messageFiles: [Kind, string, number][] = [
  ["md5", "rfc-1321.txt", 7],
  ["sha1", "SHA1ShortMsg.rsp", 65],
  ["sha1", "SHA1LongMsg.rsp", 64],
  ["sha256", "SHA256ShortMsg.rsp", 65],
  ["sha256", "SHA256LongMsg.rsp", 64],
];

for (const module of modules)
  describe(`${module}.wasm`, () => {
    const { at, contextSize, digest, digestLength, hash, hmac, mac, memory, messageMax } = load(module);

    describe("published digests", () => {
      for (const [kind, file, count] of messageFiles) {
        const records = readRsp(file);
        it(`${file}: every message`, () => {
          assert.equal(records.length, count);
          for (const record of records)
            assert.equal(hash(kind, message(record)), field(record, "MD"), `Len ${field(record, "Len")}`);
        });
        it(`${file}: every split of messages up to ${SPLIT_MAX} bytes`, () => {
          for (const record of records) {
            const bytes = message(record);
            if (bytes.length > SPLIT_MAX) continue;
            for (const cuts of splits(bytes.length))
              assert.equal(hash(kind, bytes, cuts), field(record, "MD"), `cuts ${cuts}`);
          }
        });
        it(`${file}: one byte at a time`, () => {
          for (const record of records) {
            const bytes = message(record);
            assert.equal(
              hash(
                kind,
                bytes,
                Array.from(bytes, (_, i) => i),
              ),
              field(record, "MD"),
              `Len ${field(record, "Len")}`,
            );
          }
        });
      }
    });

    // SHAVS §6.4: each of a hundred checkpoints is a chain of a thousand digests of the last three.
    for (const [kind, file] of [
      ["sha1", "SHA1Monte.rsp"],
      ["sha256", "SHA256Monte.rsp"],
    ] as const) {
      it(`${file}: Monte Carlo`, () => {
        const [seed, ...checkpoints] = readRsp(file);
        assert.equal(checkpoints.length, 100);
        let last = hex(seed!, "Seed");
        for (const checkpoint of checkpoints) {
          let three = [last, last, last];
          for (let i = 0; i < 1000; i++)
            three = [three[1]!, three[2]!, Buffer.from(hash(kind, Buffer.concat(three)), "hex")];
          last = three[2]!;
          assert.equal(last.toString("hex"), field(checkpoint, "MD"), `COUNT ${field(checkpoint, "COUNT")}`);
        }
      });
    }

    describe("published HMACs", () => {
      for (const [kind, file, count] of [
        ["md5", "rfc-2202-md5.txt", 7],
        ["sha1", "rfc-2202-sha1.txt", 7],
        ["sha256", "rfc-4231-sha256.txt", 6],
      ] as const) {
        it(`${file}: every message, every split`, () => {
          const records = readRsp(file);
          assert.equal(records.length, count);
          for (const record of records) {
            const bytes = message(record);
            assert.equal(mac(kind, hex(record, "Key"), bytes), field(record, "MD"));
            for (const cuts of splits(bytes.length)) {
              assert.equal(mac(kind, hex(record, "Key"), bytes, cuts), field(record, "MD"), `cuts ${cuts}`);
            }
          }
        });
      }
    });

    const kindOf = fc.constantFrom(...names);
    const cutsOf = (length: number) =>
      fc.array(fc.nat(length), { maxLength: 12 }).map((cuts) => cuts.sort((a, b) => a - b));
    const splitMessage = (maxLength: number) =>
      fc.uint8Array({ maxLength, size: "max" }).chain((bytes) => fc.tuple(fc.constant(bytes), cutsOf(bytes.length)));

    describe("generated input, against node:crypto", () => {
      it("digests of any bytes, at any address, in any pieces", () => {
        fc.assert(
          fc.property(kindOf, splitMessage(4096), fc.nat(15), (kind, [bytes, cuts], skew) => {
            assert.equal(hash(kind, bytes, cuts, skew), createHash(kind).update(bytes).digest("hex"));
          }),
          { numRuns: 300 },
        );
      });

      it("HMACs under keys of any length", () => {
        fc.assert(
          fc.property(kindOf, fc.uint8Array({ maxLength: 200 }), splitMessage(1024), (kind, key, [bytes, cuts]) => {
            assert.equal(mac(kind, key, bytes, cuts), createHmac(kind, key).update(bytes).digest("hex"));
          }),
          { numRuns: 300 },
        );
      });

      it("HMACs under keys of every length round the block's", () => {
        for (const kind of names) {
          for (let length = 0; length <= 140; length++) {
            const key = Buffer.alloc(length, length + 1);
            assert.equal(
              mac(kind, key, Buffer.from("m")),
              createHmac(kind, key).update("m").digest("hex"),
              `${kind} ${length}`,
            );
          }
        }
      });

      it("a message as long as the scratch memory, in large pieces", () => {
        const bytes = Buffer.alloc(messageMax - 16, "alink");
        for (const kind of names)
          assert.equal(hash(kind, bytes, [4096, 4097, 20000], 3), createHash(kind).update(bytes).digest("hex"));
      });
    });

    it("every split of every message up to 300 bytes, in any number of pieces", () => {
      // From the context of each length, one piece leads to the context of each greater length: the rest is induction.
      const bytes = Buffer.from(Array.from({ length: SPLIT_MAX }, (_, i) => (i * 31) & 255));
      for (const kind of names) {
        memory.set(bytes, at.message);
        const size = 72 + digestLength(kind);
        /** What counts of a context: its length, the bytes that wait, the state. */
        const meaning = (length: number): Buffer => {
          const context = Buffer.from(memory.slice(at.ctx, at.ctx + size));
          return context.fill(0, 8 + (length & 63), 72);
        };
        const contexts: Buffer[] = [];
        for (let length = 0; length <= SPLIT_MAX; length++) {
          digest.init(kind);
          digest.update(kind, at.message, length);
          contexts.push(meaning(length));
          assert.equal(digest.final(kind), createHash(kind).update(bytes.subarray(0, length)).digest("hex"));
        }
        for (let from = 0; from <= SPLIT_MAX; from++) {
          for (let to = from; to <= SPLIT_MAX; to++) {
            memory.set(contexts[from]!, at.ctx);
            digest.update(kind, at.message + from, to - from);
            if (!meaning(to).equals(contexts[to]!)) assert.fail(`${kind}: ${from} bytes, then ${to - from}`);
          }
        }
      }
    });

    describe("contexts", () => {
      const isZero = (byte: number) => byte === 0;
      const bytes = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7) & 255));
      const copyContext = (size: number) => memory.copyWithin(at.other, at.ctx, at.ctx + size);

      it("a byte copy in mid-stream is a second digest, whatever follows in either", () => {
        for (const kind of names) {
          for (let cut = 0; cut <= 200; cut++) {
            memory.set(bytes, at.message);
            digest.init(kind);
            digest.update(kind, at.message, cut);
            copyContext(contextSize.digest);
            digest.update(kind, at.message + cut, 100);
            assert.equal(
              digest.final(kind),
              createHash(kind)
                .update(bytes.subarray(0, cut + 100))
                .digest("hex"),
            );
            digest.update(kind, at.message, 3, at.other);
            const expected = createHash(kind).update(bytes.subarray(0, cut)).update(bytes.subarray(0, 3)).digest("hex");
            assert.equal(digest.final(kind, at.other), expected);
          }
        }
      });

      it("a byte copy of a fresh HMAC authenticates another message without the key", () => {
        for (const kind of names) {
          const key = Buffer.alloc(100, 9);
          hmac.init(kind, key);
          copyContext(contextSize.hmac);
          memory.set(bytes, at.message);
          hmac.update(at.message, 300);
          assert.equal(hmac.final(kind), createHmac(kind, key).update(bytes).digest("hex"));
          hmac.update(at.message, 65, at.other);
          const expected = createHmac(kind, key).update(bytes.subarray(0, 65)).digest("hex");
          assert.equal(hmac.final(kind, at.other), expected);
        }
      });

      it("Final leaves no byte of the message, the state or the key", () => {
        for (const kind of names) {
          for (const length of [0, 1, 55, 56, 64, 119]) {
            memory.fill(0xa5, at.ctx, at.ctx + contextSize.hmac);
            digest.init(kind);
            digest.update(kind, at.message, length);
            digest.final(kind);
            const used = memory.subarray(at.ctx, at.ctx + 72 + digestLength(kind));
            assert.ok(used.every(isZero), `${kind} ${length}`);
            hmac.init(kind, Buffer.alloc(64, 7));
            hmac.update(at.message, length);
            hmac.final(kind);
            assert.ok(memory.subarray(at.ctx, at.ctx + contextSize.hmac).every(isZero), `hmac ${kind} ${length}`);
          }
        }
      });

      it("Final leaves no word of the message anywhere else in memory, in either byte order", () => {
        for (const kind of names) {
          const word = Buffer.from([0x9d, 0x1c, 0xe7, 0x42]);
          const swapped = Buffer.from(word).reverse();
          hash(kind, Buffer.concat([word, word]));
          memory.fill(0, at.message, at.message + 8);
          assert.equal(Buffer.from(memory.buffer).indexOf(word), -1, kind);
          assert.equal(Buffer.from(memory.buffer).indexOf(swapped), -1, kind);
        }
      });

      it("a fresh HMAC context holds the key's two states and nothing else of the key", () => {
        for (const kind of names) {
          const key = Buffer.from("ThisIsTheKeyOfTheDevice!");
          memory.fill(0xa5, at.ctx, at.ctx + contextSize.hmac);
          hmac.init(kind, key);
          assert.ok(memory.subarray(at.ctx + 8, at.ctx + 72).every(isZero), `${kind}: the block`);
          const context = Buffer.from(memory.subarray(at.ctx, at.ctx + contextSize.hmac));
          for (const pad of [0, 0x36, 0x5c]) assert.equal(context.indexOf(key.subarray(0, 8).map((b) => b ^ pad)), -1);
        }
      });

      it("writes to the context and the digest alone", () => {
        for (const kind of names) {
          memory.fill(0x11, at.ctx, at.key);
          hmac.init(kind, Buffer.alloc(100, 3));
          hmac.update(at.message, 70);
          hmac.final(kind);
          const outside = [
            memory.subarray(at.ctx + contextSize.hmac, at.out),
            memory.subarray(at.out + digestLength(kind), at.key),
          ];
          for (const range of outside)
            assert.ok(
              range.every((b) => b === 0x11),
              kind,
            );
        }
      });

      it("the length is counted in 64 bits", () => {
        // A context is data, and `length` its first member: the end of a long message can be had without its bytes, and must
        // be that of a block of padding absorbed as a message. The state stands behind the block, 72 bytes into the context.
        const view = new DataView(memory.buffer);
        const littleEndian = (kind: Kind) => kind === "md5";
        for (const kind of names) {
          for (const length of [0n, 64n, 1n << 29n, 1n << 32n, (1n << 35n) + (1n << 29n), (1n << 61n) - 64n]) {
            memory.fill(0, at.message, at.message + 64).fill(0x80, at.message, at.message + 1);
            view.setBigUint64(at.message + 56, length * 8n, littleEndian(kind));
            digest.init(kind);
            digest.update(kind, at.message, 64);
            const expected = Buffer.from(memory.slice(at.ctx + 72, at.ctx + 72 + digestLength(kind)));
            digest.init(kind);
            view.setBigUint64(at.ctx, length, true);
            assert.equal(
              digest.final(kind),
              (littleEndian(kind) ? expected : expected.swap32()).toString("hex"),
              `${kind} ${length}`,
            );
          }
        }
      });

      it("numbers the digests as the core does", () => {
        assert.deepEqual(names.map(digestLength), [16, 20, 32]);
        assert.deepEqual(kinds, { md5: 0, sha1: 1, sha256: 2 });
      });
    });
  });
