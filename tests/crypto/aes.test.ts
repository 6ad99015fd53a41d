// AES-CBC of each module against NIST's vectors, node:crypto, and everything that a padding can be.

import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { vectors } from "../paths.js";
import { load, modules } from "./digests.js";
import { hex, readRsp } from "./rsp.js";

const ENCRYPT = 0;
const DECRYPT = 1;
/** Codes of assembly/abi.ts. */
const BAD_ARGUMENT = -3;
const BAD_MESSAGE = -20;

const files: [string, number][] = [
  ["CBCGFSbox128.rsp", 14],
  ["CBCVarKey128.rsp", 256],
  ["CBCVarTxt128.rsp", 256],
  ["CBCMMT128.rsp", 20],
  ["CBCMMT256.rsp", 20],
];

function nodeEncrypt(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array, padding = true): Buffer {
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, iv).setAutoPadding(padding);
  return Buffer.concat([cipher.update(plaintext), cipher.final()]);
}

interface AlinkVector {
  id: string;
  kind: string;
  in: Record<string, string>;
  out: Record<string, string>;
}
const alink = JSON.parse(readFileSync(vectors("alink.json"), "utf8")) as AlinkVector[];
const ofKind = (kind: string): AlinkVector[] => {
  const found = alink.filter((vector) => vector.kind === kind);
  assert.notEqual(found.length, 0, `alink.json has no ${kind}`);
  return found;
};

for (const module of modules)
  describe(`${module}.wasm`, () => {
    const { at, call, contextSize, memory } = load(module);
    /** Bytes around what may be written keep this value. */
    const GUARD = 0x5a;

    function start(direction: number, key: Uint8Array, iv: Uint8Array): void {
      memory.set(key, at.key);
      memory.set(iv, at.key + 64);
      assert.equal(call("aesInit", at.ctx, direction, at.key, key.length), 0);
      call("cbcStart", at.ctx, at.key + 64);
      memory.fill(0, at.key, at.key + 80);
    }

    /** Runs `verb` on `input` from `skew` past a multiple of eight; `apart` = into another place. */
    function run(verb: string, input: Uint8Array, { skew = 0, apart = false, room = input.length } = {}) {
      const src = at.message + 64 + skew;
      const dst = apart ? src + 8192 + 3 : src;
      memory.fill(GUARD, at.message, at.message + 20000);
      memory.set(input, src);
      const result = call(verb, at.ctx, dst, src, input.length);
      const outside = [memory.subarray(at.message, Math.min(src, dst)), memory.subarray(dst + room, dst + room + 1000)];
      assert.ok(
        outside.every((bytes) => bytes.every((byte) => byte === GUARD)),
        "written outside",
      );
      if (apart) assert.deepEqual(Buffer.from(memory.subarray(src, src + input.length)), Buffer.from(input));
      return { result, bytes: Buffer.from(memory.slice(dst, dst + Math.max(0, Number(result ?? room)))) };
    }

    const seal = (plaintext: Uint8Array, options = {}): Buffer =>
      run("cbcSeal", plaintext, { ...options, room: plaintext.length + 16 - (plaintext.length % 16) }).bytes;

    function blocks(input: Uint8Array): Buffer {
      memory.set(input, at.message);
      call("cbcBlocks", at.ctx, at.message, at.message, input.length);
      return Buffer.from(memory.slice(at.message, at.message + input.length));
    }

    for (const [file, count] of files)
      it(`${file}: encryption and decryption`, () => {
        const records = readRsp(file);
        assert.equal(records.length, count);
        for (const record of records) {
          for (const [direction, from, to] of [
            [ENCRYPT, "PLAINTEXT", "CIPHERTEXT"],
            [DECRYPT, "CIPHERTEXT", "PLAINTEXT"],
          ] as const) {
            start(direction, hex(record, "KEY"), hex(record, "IV"));
            assert.equal(blocks(hex(record, from)).toString("hex"), hex(record, to).toString("hex"));
          }
        }
      });

    it("the payloads of Alink over CoAP and the passwords of OPC UA", () => {
      for (const { in: given, out } of ofKind("coapEncrypt")) {
        start(ENCRYPT, Buffer.from(given.key!, "hex"), Buffer.from(given.iv!));
        assert.equal(seal(Buffer.from(given.plain!)).toString("hex"), out.hex);
      }
      for (const { in: given, out } of ofKind("opcuaPassword")) {
        const key = Buffer.from(given.deviceSecret!);
        start(DECRYPT, key, key.subarray(0, 16));
        assert.equal(run("cbcOpen", Buffer.from(out.base64!, "base64")).bytes.toString(), given.plain);
      }
    });

    it("any message, key and address, in place and apart, against node:crypto", () => {
      const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
      fc.assert(
        fc.property(
          fc.constantFrom(16, 32).chain(bytes),
          bytes(16),
          fc.uint8Array({ maxLength: 600, size: "max" }),
          fc.nat(15),
          fc.boolean(),
          (key, iv, plaintext, skew, apart) => {
            const expected = nodeEncrypt(key, iv, plaintext);
            start(ENCRYPT, key, iv);
            assert.deepEqual(seal(plaintext, { skew, apart }), expected);
            start(DECRYPT, key, iv);
            const opened = run("cbcOpen", expected, { skew, apart });
            assert.deepEqual(opened.bytes, Buffer.from(plaintext));
          },
        ),
        { numRuns: 300 },
      );
    });

    it("every cut at a block gives the same, and a byte copy of the context goes on by itself", () => {
      const key = Buffer.alloc(16, 7);
      const iv = Buffer.alloc(16, 9);
      const plaintext = Buffer.from(Array.from({ length: 160 }, (_, i) => i));
      const ciphertext = nodeEncrypt(key, iv, plaintext, false);
      for (const [direction, input, output] of [
        [ENCRYPT, plaintext, ciphertext],
        [DECRYPT, ciphertext, plaintext],
      ] as const)
        for (let cut = 0; cut <= 160; cut += 16) {
          start(direction, key, iv);
          assert.deepEqual(blocks(input.subarray(0, cut)), output.subarray(0, cut));
          const saved = memory.slice(at.ctx, at.ctx + contextSize.aes);
          blocks(Buffer.alloc(32, 1));
          memory.set(saved, at.ctx);
          assert.deepEqual(blocks(input.subarray(cut)), output.subarray(cut), `cut ${cut}`);
        }
    });

    it("refuses a key of another length and leaves the context alone", () => {
      for (const length of [0, 1, 15, 17, 24, 31, 33, 64]) {
        memory.fill(GUARD, at.ctx, at.ctx + contextSize.aes);
        assert.equal(call("aesInit", at.ctx, ENCRYPT, at.key, length), BAD_ARGUMENT);
        assert.ok(memory.subarray(at.ctx, at.ctx + contextSize.aes).every((byte) => byte === GUARD));
      }
    });

    it("refuses a ciphertext of a wrong length and writes nothing", () => {
      for (const length of [0, 1, 15, 17, 31, 33, 47]) {
        start(DECRYPT, Buffer.alloc(16), Buffer.alloc(16));
        assert.equal(
          run("cbcOpen", Buffer.alloc(length, 1), { apart: true, room: 0 }).result,
          BAD_MESSAGE,
          `${length}`,
        );
      }
    });

    it("takes each right padding and refuses each other last block", () => {
      const key = Buffer.alloc(16, 3);
      const iv = Buffer.alloc(16, 4);
      const open = (plaintext: Buffer): number => {
        start(DECRYPT, key, iv);
        return run("cbcOpen", nodeEncrypt(key, iv, plaintext, false)).result;
      };
      for (let last = 0; last < 256; last++) {
        const plaintext = Buffer.alloc(32, last);
        assert.equal(open(plaintext), last >= 1 && last <= 16 ? 32 - last : BAD_MESSAGE, `all bytes ${last}`);
      }
      for (let padding = 1; padding <= 16; padding++) {
        for (let wrong = 0; wrong < 32; wrong++) {
          const plaintext = Buffer.alloc(32, padding);
          plaintext[wrong] = padding ^ 0x80;
          const inside = wrong >= 32 - padding;
          assert.equal(open(plaintext), inside ? BAD_MESSAGE : 32 - padding, `padding ${padding}, byte ${wrong}`);
        }
      }
    });

    it("aesWipe leaves no byte of key or message", () => {
      const key = Buffer.from("0123456789abcdefghijklmnopqrstuv");
      for (const direction of [ENCRYPT, DECRYPT]) {
        start(direction, key, Buffer.alloc(16, 200));
        blocks(Buffer.alloc(64, 77));
        call("aesWipe", at.ctx);
        assert.ok(memory.subarray(at.ctx, at.ctx + contextSize.aes).every((byte) => byte === 0));
        memory.fill(0, at.key, at.message + 64);
        assert.equal(Buffer.from(memory.buffer).indexOf(key.subarray(0, 8)), -1);
      }
    });
  });
