// Templates: texts put together of fields, and what does not fit.

import { L, litLen, litPtr, S, wordAt } from "../../../assembly/bytes/text";
import {
  putTemplate,
  TEMPLATE_OWN,
  TEMPLATE_TEXT,
  Writer,
  writerDone,
  writerInit,
} from "../../../assembly/bytes/writer";

const WRITER = memory.data(offsetof<Writer>());
const OUT = memory.data(64);
const NUMBER = memory.data<i32>([-12]);
// one number, at 1, and one text, at TEMPLATE_TEXT
const FIELDS = memory.data(64);

function made(template: usize, room: u32): string {
  const w = changetype<Writer>(WRITER);
  store<u16>(FIELDS, <u16>NUMBER, 2);
  store<u16>(FIELDS + 2 * TEMPLATE_TEXT, <u16>S("text"));
  writerInit(w, OUT, room);
  putTemplate(w, template, FIELDS, S("own"));
  const length = writerDone(w);
  return length < 0 ? "does not fit" : String.UTF8.decodeUnsafe(OUT, length);
}

describe("putTemplate", () => {
  it("puts numbers and texts where their bytes stand, first, last and side by side", () => {
    expect(TEMPLATE_TEXT).toBe(9);
    expect(TEMPLATE_OWN).toBe(31);
    expect(made(S("a\x01b\x09c\x1fd"), 64)).toBe("a-12btextcownd");
    expect(made(S("\x01\x09\x1f"), 64)).toBe("-12textown");
    expect(made(S("no field é"), 64)).toBe("no field é");
    expect(made(S(""), 64)).toBe("");
  });

  it("writes nothing more once something did not fit", () => {
    expect(made(S("a\x01b"), 5)).toBe("a-12b");
    expect(made(S("a\x01b"), 4)).toBe("does not fit");
    expect(made(S("\x09\x01"), 3)).toBe("does not fit");
  });
});

describe("wordAt", () => {
  it("counts the entries of a list from 0, of words and of texts with blanks", () => {
    const words = L("one two three");
    expect(wordAt(words, 0)).toBe(words);
    expect(litLen(wordAt(words, 2))).toBe(5);
    const texts = L("a b", "", "c d e");
    expect(litLen(wordAt(texts, 1))).toBe(0);
    expect(litLen(wordAt(texts, 2))).toBe(5);
    expect(load<u8>(litPtr(wordAt(texts, 2)))).toBe(99);
    // the list ends with an empty literal
    expect(litLen(wordAt(texts, 3))).toBe(0);
  });
});
