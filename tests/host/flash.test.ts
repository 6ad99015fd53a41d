import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FlashImage } from "../../host/node/flash.js";
import { flashBytes, flashLayout } from "../../host/node/flash_layout.js";

const folder = mkdtempSync(join(tmpdir(), "alink-flash-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const small = flashLayout({
  sector: 256,
  slots: [
    [0, 1024],
    [1024, 1024],
  ],
});
let count = 0;
const fresh = () => join(folder, `${count++}.flash`);

test("the default layout is two slots of 16 MiB with state, queue and boot after them", () => {
  const layout = flashLayout();
  const slot = 16 * 1024 * 1024;
  assert.deepEqual(layout, {
    sector: 4096,
    write: 16,
    erased: 255,
    slots: [
      [0, slot],
      [slot, slot],
    ],
    state: [2 * slot, 16384],
    queue: [2 * slot + 16384, 65536],
    boot: [2 * slot + 16384 + 65536, 12288],
  });
  assert.equal(flashBytes(layout), 2 * slot + 16384 + 65536 + 12288);
});

test("a layout may be given in any letter case; what is given is kept", () => {
  const layout = flashLayout({
    Sector: 1024,
    WRITE: 8,
    Slots: [
      [2048, 1024],
      [0, 1024],
    ],
    State: [4096, 2048],
  });
  assert.deepEqual(layout.slots, [
    [2048, 1024],
    [0, 1024],
  ]);
  assert.deepEqual([layout.write, layout.state], [8, [4096, 2048]]);
  assert.deepEqual(layout.queue, [6144, 16 * 1024]);
});

for (const [given, message] of [
  [[], /^flash: must be an object/],
  [{ write: 12 }, /^flash\.write: 12 is not/],
  [{ write: 64 }, /^flash\.write: must be a whole number from 1 to 32$/],
  [{ sector: 4010 }, /^flash\.sector: 4010 is not a multiple/],
  [{ erased: 7 }, /^flash\.erased: 7/],
  [{ slots: [[0, 4096]] }, /^flash\.slots: must be two/],
  [
    {
      slots: [
        [0, 4096],
        [4000, 4096],
      ],
    },
    /^flash\.slots\[1\]: \[4000,4096\] is not made of whole sectors of 4096/,
  ],
  [
    {
      slots: [
        [0, 8192],
        [4096, 8192],
      ],
    },
    /^flash\.slots\[1\]: overlaps flash\.slots\[0\], which ends at 8192/,
  ],
  [{ state: [0, 8192] }, /overlaps/],
  [{ boot: [40 * 1024 * 1024, 4096] }, /^flash\.boot: 4096 bytes are too few, it needs at least 8192/],
  [
    {
      slots: [
        [0, 2 ** 30],
        [2 ** 30, 2 ** 30],
      ],
    },
    /^flash\.slots\[1\]: ends at 2147483648/,
  ],
  [{ sectors: 1 }, /^flash\.sectors: is not known/],
  [{ state: ["0", 8192] }, /^flash\.state offset: must be a whole number/],
] as const)
  test(`the layout ${JSON.stringify(given)} is refused`, () => {
    assert.throws(() => flashLayout(given), { name: "LayoutError", message });
  });

test("a missing image is made of erased bytes, and keeps what is written", () => {
  const path = fresh();
  const image = FlashImage.open(path, small);
  assert.equal(statSync(path).size, flashBytes(small));
  assert.deepEqual(image.read(1000, 40), new Uint8Array(40).fill(255));
  image.write(16, new Uint8Array(32).fill(7));
  image.close();
  const again = FlashImage.open(path, small);
  assert.deepEqual(again.read(16, 32), new Uint8Array(32).fill(7));
  again.erase(0, 256);
  assert.deepEqual(again.read(16, 32), new Uint8Array(32).fill(255));
  assert.deepEqual(again.operations, { read: 2, write: 0, erase: 1 });
  again.close();
});

test("an erase is in the file before any other operation, and at the latest when the image is closed", () => {
  const path = fresh();
  const image = FlashImage.open(path, small);
  const file = (from: number, to: number) => new Uint8Array(readFileSync(path).subarray(from, to));
  const [old, blank, next] = [7, 255, 9].map((value) => new Uint8Array(256).fill(value));
  const again = () => {
    image.erase(0, 512);
    image.write(0, old!);
    image.write(256, old!);
  };
  for (const other of [
    () => image.flush(),
    () => image.read(600, 1),
    () => image.erase(512, 256),
    () => image.write(512, next!),
  ]) {
    again();
    image.erase(0, 512);
    assert.deepEqual(image.read(0, 256), blank);
    again();
    image.erase(0, 512);
    other();
    assert.deepEqual(file(0, 256), blank);
    assert.deepEqual(file(256, 512), blank);
  }
  again();
  image.erase(0, 512);
  // covers the half of it
  image.write(0, next!);
  assert.deepEqual([file(0, 256), file(256, 512)], [next, blank]);
  again();
  image.erase(0, 256);
  image.write(0, next!);
  assert.deepEqual([file(0, 256), file(256, 512)], [next, old], "a write that covers the erase is all of it");
  image.erase(0, 512);
  image.close();
  assert.deepEqual([file(0, 256), file(256, 512)], [blank, blank]);
});

test("units are told apart at any place of a row", () => {
  const image = FlashImage.open(fresh(), small);
  for (let first = 0; first < 20; first++)
    for (let count = 1; count < 30; count += 4) {
      image.erase(0, 1024);
      image.write(first * 16, new Uint8Array(count * 16).fill(255));
      for (const [from, length] of [
        [0, first],
        [first + count, 64 - first - count],
      ] as const)
        if (length > 0) image.write(from * 16, new Uint8Array(length * 16));
      for (let unit = 0; unit < 64; unit += 7)
        assert.throws(() => image.write(unit * 16, new Uint8Array(16)), new RegExp(`the unit at ${unit * 16} was`));
    }
  image.close();
});

test("a write unit is programmed once between erases, also with the erased value", () => {
  const image = FlashImage.open(fresh(), small);
  const again = { name: "FlashError", message: /at 0: the unit at 16 was programmed before: erase its sector first$/ };
  image.write(16, new Uint8Array(16).fill(255));
  assert.throws(() => image.write(0, new Uint8Array(32)), again);
  image.erase(0, 256);
  image.write(16, new Uint8Array(16).fill(1));
  assert.throws(() => image.write(0, new Uint8Array(32)), again);
  assert.deepEqual(image.read(0, 16), new Uint8Array(16).fill(255), "a refused write changes nothing");
  image.write(32, new Uint8Array(16));
  image.close();
});

test("a unit programmed by a former process is still programmed", () => {
  const path = fresh();
  const image = FlashImage.open(path, small);
  image.write(16, new Uint8Array(16));
  image.close();
  const later = FlashImage.open(path, small);
  assert.throws(() => later.write(16, new Uint8Array(16)), /programmed before/);
  later.close();
});

test("offsets and lengths that are no multiples or out of range are refused", () => {
  const image = FlashImage.open(fresh(), small);
  const end = flashBytes(small);
  assert.throws(() => image.write(8, new Uint8Array(16)), /write of 16 bytes at 8: both must be multiples of 16/);
  assert.throws(() => image.write(0, new Uint8Array(15)), /multiples of 16/);
  assert.throws(() => image.erase(128, 256), /multiples of 256/);
  assert.throws(() => image.erase(0, 100), /multiples of 256/);
  assert.throws(() => image.read(end - 1, 2), new RegExp(`the flash has ${end} bytes`));
  assert.throws(() => image.write(end, new Uint8Array(16)), /the flash has/);
  assert.throws(() => image.erase(-256, 256), /the flash has/);
  image.close();
  assert.throws(() => image.read(0, 1), /the image is closed/);
  image.close();
});

test("a file of another size is left alone", () => {
  const path = fresh();
  writeFileSync(path, "my thesis");
  assert.throws(() => FlashImage.open(path, small), {
    name: "FlashError",
    message: /has 9 bytes, the layout asks for/,
  });
  assert.equal(readFileSync(path, "utf8"), "my thesis");
  assert.equal(existsSync(`${path}.lock`), false);
});

test("a folder that is not there is a one-line error", () => {
  assert.throws(
    () => FlashImage.open(join(folder, "none", "x.flash"), small),
    /^FlashError: flash image .*no such file/,
  );
});

test("an image in use is refused to this process and to others; the lock ends with close", () => {
  const path = fresh();
  const image = FlashImage.open(path, small);
  assert.throws(() => FlashImage.open(path, small), /it is in use in this process/);
  const script = `import { FlashImage } from ${JSON.stringify(new URL("../../host/node/flash.js", import.meta.url).href)};
    import { flashLayout } from ${JSON.stringify(new URL("../../host/node/flash_layout.js", import.meta.url).href)};
    try { FlashImage.open(process.argv[1], flashLayout({ sector: 256, slots: [[0, 1024], [1024, 1024]] })); console.log("opened"); process.kill(process.pid, "SIGKILL") }
    catch (error) { console.log(error.message) }`;
  const other = () => spawnSync(process.execPath, ["--input-type=module", "-e", script, path], { encoding: "utf8" });
  assert.match(other().stdout, new RegExp(`process ${process.pid} uses it`));
  image.close();
  assert.equal(other().stdout, "opened\n");
  assert.equal(existsSync(`${path}.lock`), true, "the killed process leaves its lock");
  FlashImage.open(path, small).close();
  assert.equal(existsSync(`${path}.lock`), false);
});

test("a lock left by a former process with this process's id is taken over", () => {
  const path = fresh();
  writeFileSync(`${path}.lock`, `${process.pid} 1\n`);
  FlashImage.open(path, small).close();
});

test("a damaged lock is named", () => {
  const path = fresh();
  writeFileSync(`${path}.lock`, "");
  assert.throws(() => FlashImage.open(path, small), /lock .* is damaged: remove it if no process uses the file/);
});

test("small reads, which share one reading of the file, see every write and erase between them", () => {
  const image = FlashImage.open(fresh(), small);
  const model = new Uint8Array(flashBytes(small)).fill(255);
  const same = (): void => {
    for (const [offset, length] of [
      [0, 16],
      [240, 32],
      [1000, 256],
      [0, model.length],
    ] as const)
      assert.deepEqual(image.read(offset, length), model.slice(offset, offset + length));
  };
  const write = (offset: number, value: number): void => {
    const bytes = new Uint8Array(48).fill(value);
    image.write(offset, bytes);
    model.set(bytes, offset);
  };
  same();
  write(0, 1);
  same();
  write(224, 2);
  write(992, 3);
  same();
  image.erase(0, 512);
  model.fill(255, 0, 512);
  same();
  write(0, 4);
  same();
  image.close();
});
