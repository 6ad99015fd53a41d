// CRCs, Base64, hexadecimal and the comparison of each module, against known answers and Node.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { load, modules } from "./digests.js";

/** The definition: one bit at a time, polynomial reflected. */
function crcByBits(bytes: Uint8Array, polynomial: bigint, ones: bigint): bigint {
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? polynomial : 0n);
  }
  return crc ^ ones;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const anyBytes = (maxLength: number) => fc.uint8Array({ maxLength, size: "max" });

for (const module of modules)
  describe(`${module}.wasm`, () => {
    const { at, call, memory } = load(module);
    const view = new DataView(memory.buffer);
    const src = at.message;
    const dst = at.message + 8192;

    const crc16 = (bytes: Uint8Array, before = 0): number => {
      memory.set(bytes, src);
      return call("crc16", before, src, bytes.length);
    };
    const crc64 = (bytes: Uint8Array, before = 0n): bigint => {
      memory.set(bytes, src);
      view.setBigUint64(at.out, before, true);
      call("crc64", at.out, src, bytes.length);
      return view.getBigUint64(at.out, true);
    };

    it("CRC-16/ARC and CRC-64/XZ: check values, none, and any split", () => {
      const check = Buffer.from("123456789");
      assert.equal(crc16(check), 0xbb3d);
      assert.equal(crc64(check), 0x995dc9bbdf1939fan);
      assert.equal(crc16(Buffer.alloc(0)), 0);
      assert.equal(crc64(Buffer.alloc(0)), 0n);
      for (let cut = 0; cut <= check.length; cut++) {
        assert.equal(crc16(check.subarray(cut), crc16(check.subarray(0, cut))), 0xbb3d, `cut ${cut}`);
        assert.equal(crc64(check.subarray(cut), crc64(check.subarray(0, cut))), 0x995dc9bbdf1939fan, `cut ${cut}`);
      }
    });

    it("CRCs of any bytes are those of the definition", () => {
      fc.assert(
        fc.property(anyBytes(600), (bytes) => {
          assert.equal(crc16(bytes), Number(crcByBits(bytes, 0xa001n, 0n)));
          assert.equal(crc64(bytes), crcByBits(bytes, 0xc96c5795d7870f42n, 0xffffffffffffffffn));
        }),
      );
    });

    const decode = (verb: string, text: string, place = dst): Buffer | undefined => {
      memory.set(Buffer.from(text, "latin1"), src);
      memory.fill(0x5a, dst, dst + 4096);
      const length = call(verb, place, src, text.length);
      return length < 0 ? undefined : Buffer.from(memory.slice(place, place + length));
    };

    it("Base64 of any bytes is Node's, and back, in place too; nothing is written behind it", () => {
      fc.assert(
        fc.property(anyBytes(400), (bytes) => {
          memory.set(bytes, src);
          memory.fill(0x5a, dst, dst + 2048);
          const length = call("base64Encode", dst, src, bytes.length);
          const text = Buffer.from(memory.slice(dst, dst + length)).toString("latin1");
          assert.equal(text, Buffer.from(bytes).toString("base64"));
          assert.equal(memory[dst + length], 0x5a);
          assert.deepEqual(decode("base64Decode", text), Buffer.from(bytes));
          assert.equal(memory[dst + bytes.length], 0x5a);
          assert.deepEqual(decode("base64Decode", text, src), Buffer.from(bytes));
        }),
      );
    });

    it("RFC 4648 §10, and nothing that is not canonical", () => {
      for (const [text, plain] of [
        ["", ""],
        ["Zg==", "f"],
        ["Zm8=", "fo"],
        ["Zm9v", "foo"],
        ["Zm9vYg==", "foob"],
        ["Zm9vYmE=", "fooba"],
        ["Zm9vYmFy", "foobar"],
      ] as const)
        assert.equal(decode("base64Decode", text)?.toString(), plain);
      const wrong = [
        "Z",
        "Zg",
        "Zg=",
        "Zg===",
        "=",
        "====",
        "Z===",
        "Zg=v",
        "Zg==Zg==",
        "Zm9=",
        "Zh==",
        "Zm8=Zm8=",
        "Zm 8",
        "Zm8\n",
      ];
      for (const text of wrong) assert.equal(decode("base64Decode", text), undefined, text);
    });

    it("Base64 knows its 64 characters and no other byte, in each place", () => {
      for (let byte = 0; byte < 256; byte++) {
        const character = String.fromCharCode(byte);
        const known = ALPHABET.includes(character);
        for (let place = 0; place < 4; place++) {
          const text = `AAAA${"A".repeat(place)}${character}${"A".repeat(3 - place)}AAAA`;
          assert.equal(decode("base64Decode", text) !== undefined, known, `byte ${byte} in place ${place}`);
        }
      }
    });

    it("hexadecimal there and back", () => {
      fc.assert(
        fc.property(anyBytes(300), fc.boolean(), (bytes, upper) => {
          memory.set(bytes, src);
          call("hexEncode", dst, src, bytes.length, upper ? 1 : 0);
          const text = Buffer.from(memory.slice(dst, dst + 2 * bytes.length)).toString("latin1");
          const expected = Buffer.from(bytes).toString("hex");
          assert.equal(text, upper ? expected.toUpperCase() : expected);
          assert.deepEqual(decode("hexDecode", text), Buffer.from(bytes));
        }),
      );
      assert.equal(decode("hexDecode", "0g"), undefined);
      assert.equal(decode("hexDecode", "012"), undefined);
    });

    it("constantTimeEqual sees every bit of difference", () => {
      const bytes = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 5));
      memory.set(bytes, src);
      for (let bit = 0; bit < 256; bit++) {
        memory.set(bytes, dst);
        assert.equal(call("constantTimeEqual", src, dst, 32), 1);
        memory[dst + (bit >> 3)]! ^= 1 << (bit & 7);
        assert.equal(call("constantTimeEqual", src, dst, 32), 0, `bit ${bit}`);
      }
    });
  });
