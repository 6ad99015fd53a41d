import { fill } from "../../../assembly/bytes/text";
import {
  FLIGHTS,
  FLIGHT_TABLE,
  Window,
  windowAcknowledge,
  windowBegin,
  windowConnected,
  windowConnecting,
  windowEnd,
  windowHas,
  windowInit,
  windowRewind,
  windowRoom,
  windowSent,
} from "../../../assembly/protocol/mqtt_window";
import { hex } from "../ranges";

const CAP: u32 = 64;
const w = changetype<Window>(memory.data(offsetof<Window>(), 8));
const buffer = memory.data(CAP + 16);
const table = memory.data(FLIGHT_TABLE);

function begin(): void {
  fill(buffer, 0xee, CAP + 16);
  windowInit(w, buffer, CAP, table);
}

/** A packet of `len` bytes `byte`; `id` 0 = not to be acknowledged. -> whether there was room. */
function write(byte: u32, len: u32, id: u32): bool {
  const at = windowBegin(w, len);
  if (at == 0) return false;
  fill(at, byte, len);
  windowEnd(w, len, id);
  return true;
}

/** The bytes that wait to be sent, which then are sent. */
function sent(): string {
  const bytes = hex(w.base + w.out, w.end - w.out);
  windowSent(w, w.end - w.out);
  return bytes;
}

describe("the transmit window", () => {
  it("gives the bytes in order, in any portions, and is empty again", () => {
    begin();
    write(0x11, 2, 0);
    write(0x22, 3, 0);
    expect(hex(w.base + w.out, w.end - w.out)).toBe("1111222222");
    windowSent(w, 3);
    expect(sent()).toBe("2222");
    expect(windowRoom(w)).toBe(CAP);
    expect(w.end).toBe(0);
  });

  it("keeps a message until it is acknowledged, and only one that was sent can be", () => {
    begin();
    write(0x32, 10, 7);
    expect(windowHas(w, 7)).toBe(true);
    expect(windowAcknowledge(w, 7)).toBe(false);
    windowSent(w, 9);
    expect(windowAcknowledge(w, 7)).toBe(false);
    windowSent(w, 1);
    expect(windowAcknowledge(w, 8)).toBe(false);
    expect(windowRoom(w)).toBe(CAP - 10);
    expect(windowAcknowledge(w, 7)).toBe(true);
    expect(windowAcknowledge(w, 7)).toBe(false);
    expect(windowHas(w, 7)).toBe(false);
    expect(windowRoom(w)).toBe(CAP);
  });

  it("refuses what does not fit, and never writes behind its end", () => {
    begin();
    expect(write(1, CAP + 1, 0)).toBe(false);
    expect(write(1, CAP, 1)).toBe(true);
    expect(write(1, 1, 0)).toBe(false);
    sent();
    expect(write(1, 1, 0)).toBe(false);
    expect(windowAcknowledge(w, 1)).toBe(true);
    expect(write(1, CAP, 0)).toBe(true);
    expect(hex(buffer + CAP, 16)).toBe("ee".repeat(16));
  });

  it("moves what it keeps to the front when room is needed; acknowledgements still find it", () => {
    begin();
    write(0x31, 20, 1);
    write(0x32, 20, 2);
    sent();
    windowAcknowledge(w, 1);
    write(0x33, 20, 3);
    windowSent(w, 5);
    expect(write(0x34, 20, 4)).toBe(true);
    expect(sent()).toBe("33".repeat(15) + "34".repeat(20));
    windowRewind(w);
    expect(sent()).toBe("3a".repeat(1) + "32".repeat(19) + "3b" + "33".repeat(19) + "3c" + "34".repeat(19));
    expect(windowAcknowledge(w, 3)).toBe(true);
    expect(windowAcknowledge(w, 2)).toBe(true);
    expect(windowAcknowledge(w, 4)).toBe(true);
    expect(windowRoom(w)).toBe(CAP);
  });

  it("takes FLIGHTS messages, acknowledged in any order", () => {
    begin();
    for (let id: u32 = 1; id <= FLIGHTS; id++) expect(write(id, 4, id)).toBe(true);
    sent();
    for (let id = FLIGHTS; id >= 1; id--) expect(windowAcknowledge(w, id)).toBe(true);
    expect(windowRoom(w)).toBe(CAP);
  });
});

describe("a lost link", () => {
  it("keeps unacknowledged messages alone, marked where any of their bytes went out", () => {
    begin();
    write(0x32, 4, 1);
    write(0xd0, 2, 0);
    write(0x32, 4, 2);
    write(0x32, 4, 3);
    windowSent(w, 7);
    windowRewind(w);
    expect(sent()).toBe("3a323232" + "3a323232" + "32323232");
  });

  it("CONNECT goes first and alone, and what waits goes after the answer", () => {
    begin();
    write(0x32, 4, 1);
    const at = windowBegin(w, 6);
    windowConnecting(w);
    fill(at, 0x10, 6);
    windowEnd(w, 6, 0);
    expect(sent()).toBe("10".repeat(6));
    windowConnected(w);
    expect(sent()).toBe("32323232");
    expect(windowAcknowledge(w, 1)).toBe(true);
    expect(windowRoom(w)).toBe(CAP);
  });

  it("a link that is lost before the answer marks nothing", () => {
    begin();
    write(0x32, 4, 1);
    for (let i = 0; i < 3; i++) {
      const at = windowBegin(w, 6);
      windowConnecting(w);
      fill(at, 0x10, 6);
      windowEnd(w, 6, 0);
      windowSent(w, i * 3);
      windowRewind(w);
    }
    expect(hex(w.base, w.end)).toBe("32323232");
    expect(w.out).toBe(0);
  });

  it("a mark that stands is kept", () => {
    begin();
    write(0x32, 4, 1);
    sent();
    windowRewind(w);
    windowRewind(w);
    expect(sent()).toBe("3a323232");
  });
});
