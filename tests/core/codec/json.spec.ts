import { Code } from "../../../assembly/abi";
import {
  JSON_DEPTH,
  JSON_KEY,
  JsonReader,
  JsonToken,
  jsonFinish,
  jsonInit,
  jsonKeyPtr,
  jsonNext,
} from "../../../assembly/codec/json";
import { jsonEscape } from "../../../assembly/codec/json_escape";
import { Writer, writerDone, writerInit } from "../../../assembly/bytes/writer";
import { put, text } from "../ranges";

const reader = changetype<JsonReader>(memory.data(offsetof<JsonReader>()));
const copyOfReader = changetype<JsonReader>(memory.data(offsetof<JsonReader>()));
const writer = changetype<Writer>(memory.data(offsetof<Writer>()));
const INPUT = memory.data(1024);
const SINK = memory.data(256);

/** The tokens of a whole document, one letter each; values in parentheses; "!" and the code at an error. */
function tokens(document: string, cap: u32 = 200): string {
  jsonInit(reader);
  reader.at = INPUT;
  reader.end = INPUT + put(INPUT, document);
  return rest(cap);
}

function rest(cap: u32): string {
  let told = "";
  let token = finish(cap);
  for (; token > 0 && token != JsonToken.End; token = finish(cap)) {
    told += "?{}[]ksnTFN".charAt(token);
    if (token == JsonToken.Key) told += "(" + text(jsonKeyPtr(reader), min(reader.keyLen, JSON_KEY)) + ")";
    else if (token == JsonToken.String || token == JsonToken.Number) told += "(" + text(SINK, reader.len) + ")";
  }
  return token < 0 ? told + "!" + token.toString() : told + ".";
}

function finish(cap: u32): i32 {
  reader.out = SINK;
  reader.cap = cap;
  return jsonFinish(reader);
}

function escaped(value: string, cap: u32): string {
  writerInit(writer, SINK, cap);
  jsonEscape(writer, INPUT, put(INPUT, value));
  const length = writerDone(writer);
  return length < 0 ? "does not fit" : text(SINK, length);
}

describe("json reader", () => {
  it("tells objects, arrays, keys and values", () => {
    expect(tokens('{"a":[1,"x",true,false,null],"b":{}}')).toBe("{k(a)[n(1)s(x)TFN]k(b){}}.");
    expect(tokens(" \t\r\n[ ] ")).toBe("[].");
    expect(tokens('"top"')).toBe("s(top).");
    expect(tokens("true ")).toBe("T.");
  });

  it("ends a number at the end of the document only when told that it ends", () => {
    jsonInit(reader);
    reader.at = INPUT;
    reader.end = INPUT + put(INPUT, "12");
    expect(jsonNext(reader)).toBe(JsonToken.NeedMore);
    expect(rest(8)).toBe("n().");
    expect(tokens("-0.5e+10")).toBe("n(-0.5e+10).");
    expect(tokens("[1")).toBe("[!-20");
    expect(tokens("1.")).toBe("!-20");
    expect(tokens("")).toBe("!-20");
  });

  it("keeps numbers as they are written and checks their grammar", () => {
    expect(tokens("[9007199254740993,1E400,-0]")).toBe("[n(9007199254740993)n(1E400)n(-0)].");
    expect(tokens("[01]")).toBe("[n(0)!-20");
    expect(tokens("[+1]")).toBe("[!-20");
    expect(tokens("[1.]")).toBe("[!-20");
    expect(tokens("[1e]")).toBe("[!-20");
    expect(tokens("[-]")).toBe("[!-20");
  });

  it("undoes escapes and pairs surrogates", () => {
    expect(tokens('"\\"\\\\\\/\\u0041\\u00e9\\ud83d\\ude00"')).toBe('s("\\/Aé😀).');
    expect(tokens('"\\ud83dx\\ude00"')).toBe("s(\uFFFDx\uFFFD).");
    expect(tokens('"\\ud83d\\n"')).toBe("s(\uFFFD\n).");
    expect(tokens('"\\x"')).toBe("!-20");
    expect(tokens('"\\u00g0"')).toBe("!-20");
  });

  it("refuses control characters and what is not UTF-8", () => {
    expect(tokens('"\n"')).toBe("!-20");
    jsonInit(reader);
    put(INPUT, '"xx"');
    store<u8>(INPUT + 1, 0xc0);
    store<u8>(INPUT + 2, 0x80);
    reader.at = INPUT;
    reader.end = INPUT + 4;
    expect(jsonNext(reader)).toBe(Code.BadMessage);
    expect(jsonNext(reader)).toBe(Code.BadMessage, "for good");
    jsonInit(reader);
    reader.at = INPUT;
    reader.end = INPUT;
    expect(jsonNext(reader)).toBe(JsonToken.NeedMore, "jsonInit forgets the error");
  });

  it("cuts values before a character that does not fit, and tells their length", () => {
    expect(tokens('"aé😀"', 2)).toBe("s(a).");
    expect(reader.total).toBe(7);
    expect(tokens('"aé😀"', 3)).toBe("s(aé).");
    expect(tokens('"aé😀b"', 6)).toBe("s(aé).");
    expect(tokens('"aé😀"', 7)).toBe("s(aé😀).");
    expect(tokens('["abc",12]', 0)).toBe("[s()n()].");
  });

  it("uses the sink for one value", () => {
    jsonInit(reader);
    reader.at = INPUT;
    reader.end = INPUT + put(INPUT, '[{"a":"x"}]');
    reader.out = SINK;
    reader.cap = 8;
    expect(jsonNext(reader)).toBe(JsonToken.ArrayStart);
    expect(reader.cap).toBe(0, "an array is a value too");
    expect(jsonNext(reader)).toBe(JsonToken.ObjectStart);
    expect(jsonNext(reader)).toBe(JsonToken.Key);
    reader.out = SINK;
    reader.cap = 8;
    expect(jsonNext(reader)).toBe(JsonToken.String);
    expect(reader.len).toBe(1);
    expect(reader.cap).toBe(0);
    expect(reader.out).toBe(0);
  });

  it("keeps a sink that is given before the key", () => {
    jsonInit(reader);
    reader.at = INPUT;
    reader.end = INPUT + put(INPUT, '{"a":"xyz"}');
    jsonNext(reader);
    reader.out = SINK;
    reader.cap = 8;
    expect(jsonNext(reader)).toBe(JsonToken.Key);
    expect(jsonNext(reader)).toBe(JsonToken.String);
    expect(text(SINK, reader.len)).toBe("xyz");
  });

  it("keeps the length of keys that are longer than the carry", () => {
    expect(tokens('{"' + "k".repeat(41) + '":1}')).toBe("{k(" + "k".repeat(40) + ")n(1)}.");
    expect(reader.keyLen).toBe(41);
    expect(tokens('{"' + "k".repeat(40) + '":1}')).toBe("{k(" + "k".repeat(40) + ")n(1)}.");
    expect(reader.keyLen).toBe(40);
  });

  it("nests 32 deep, each level of its own kind", () => {
    expect(tokens("[".repeat(32) + "]".repeat(32))).toBe("[".repeat(32) + "]".repeat(32) + ".");
    expect(tokens("[".repeat(33))).toBe("[".repeat(32) + "!-22");
    expect(tokens('[{"a":[{}]}]')).toBe("[{k(a)[{}]}].");
    expect(tokens('[{"a":[{]')).toBe("[{k(a)[{!-20");
    expect(tokens("[}")).toBe("[!-20");
    expect(JSON_DEPTH).toBe(32);
  });

  it("takes white space after the end and nothing else", () => {
    jsonInit(reader);
    reader.at = INPUT;
    reader.end = INPUT + put(INPUT, "{} ");
    expect(jsonNext(reader)).toBe(JsonToken.ObjectStart);
    expect(jsonNext(reader)).toBe(JsonToken.ObjectEnd);
    expect(jsonNext(reader)).toBe(JsonToken.End);
    reader.at = INPUT + 2;
    expect(jsonNext(reader)).toBe(JsonToken.End);
    reader.at = INPUT + 1;
    expect(jsonNext(reader)).toBe(Code.BadMessage);
  });

  it("goes on from a byte copy made in the middle", () => {
    const document = '{"key":["\\ud83d\\ude00é",-1.5e3,false]}';
    const length = put(INPUT, document);
    for (let cut: u32 = 0; cut <= length; cut++) {
      jsonInit(reader);
      reader.at = INPUT;
      reader.end = INPUT + cut;
      let count = 0;
      while (jsonNext(reader) != JsonToken.NeedMore && reader.at < reader.end) count++;
      memory.copy(changetype<usize>(copyOfReader), changetype<usize>(reader), offsetof<JsonReader>());
      reader.end = INPUT + length;
      copyOfReader.end = INPUT + length;
      let token = 0;
      while (token != JsonToken.End) {
        token = jsonFinish(reader);
        expect(jsonFinish(copyOfReader)).toBe(token);
        expect(token).toBeGreaterThan(0);
        expect(copyOfReader.keyLen).toBe(reader.keyLen);
      }
      expect(text(jsonKeyPtr(copyOfReader), copyOfReader.keyLen)).toBe("key");
    }
  });
});

describe("json writer", () => {
  it("escapes what must be escaped, and only that", () => {
    expect(escaped('a"b\\c/d\u007fé😀', 64)).toBe('a\\"b\\\\c/d\u007fé😀');
    expect(escaped("\b\t\n\f\r", 64)).toBe("\\b\\t\\n\\f\\r");
    expect(escaped("\u0001\u001f", 64)).toBe("\\u0001\\u001f");
  });

  it("puts U+FFFD in the place of what is not UTF-8", () => {
    const length = put(INPUT, "a??b");
    store<u8>(INPUT + 1, 0xff);
    store<u8>(INPUT + 2, 0xe2);
    writerInit(writer, SINK, 64);
    jsonEscape(writer, INPUT, length);
    expect(text(SINK, writerDone(writer))).toBe("a\uFFFD\uFFFDb");
  });

  it("keeps the writer's fault", () => {
    expect(escaped("\n", 2)).toBe("\\n");
    expect(escaped("\n", 1)).toBe("does not fit");
  });
});
