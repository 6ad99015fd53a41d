import { Code } from "../../../assembly/abi";
import { JsonReader, JsonToken, jsonInit, jsonNext } from "../../../assembly/codec/json";
import { URL_MAX } from "../../../assembly/profile";
import { Digest } from "../../../assembly/crypto/hmac";
import {
  DIGEST_MAX,
  OFFER_SCRATCH,
  Offer,
  VERSION_MAX,
  offerEnd,
  offerInit,
  offerKey,
  offerValue,
} from "../../../assembly/protocol/offer";
import { hex, put, text } from "../ranges";

const offer = changetype<Offer>(memory.data(offsetof<Offer>(), 8));
const reader = changetype<JsonReader>(memory.data(offsetof<JsonReader>(), 8));
const document = memory.data(8192);
offer.version = memory.data(VERSION_MAX);
offer.url = memory.data(URL_MAX);
offer.digest = memory.data(DIGEST_MAX);
offer.scratch = memory.data(OFFER_SCRATCH);

const MD5 = "d41d8cd98f00b204e9800998ecf8427e";
const SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const REST = ',"version":"2.0.0","url":"https://h/f","size":10';

/** Read the object, `slice` bytes at a time. -> what offerEnd says. */
function read(json: string, slice: u32 = 8192): i32 {
  const length = put(document, json);
  offerInit(offer);
  jsonInit(reader);
  for (let at: u32 = 0; at < length; at += slice) {
    reader.at = document + at;
    reader.end = document + min<u32>(at + slice, length);
    for (;;) {
      const token = jsonNext(reader);
      if (token <= JsonToken.NeedMore || token == JsonToken.End) break;
      const starts = token == JsonToken.ObjectStart || token == JsonToken.ArrayStart;
      const ends = token == JsonToken.ObjectEnd || token == JsonToken.ArrayEnd;
      if (token == JsonToken.Key) {
        if (reader.depth == 1) offerKey(offer, reader);
      } else if (!ends && (reader.depth == 1 ? !starts : reader.depth == 2 && starts)) offerValue(offer, reader, token);
    }
  }
  return offerEnd(offer);
}

describe("an offer", () => {
  it("is taken with MD5 and with SHA-256, whatever the letters' case", () => {
    expect(read(`{"sign":"${MD5}","signMethod":"Md5"${REST}}`)).toBe(Code.Ok);
    expect(offer.method).toBe(Digest.Md5);
    expect(hex(offer.digest, 32)).toBe(MD5 + "00".repeat(16));
    expect(read(`{"sign":"${SHA256.toUpperCase()}","signMethod":"SHA256"${REST}}`)).toBe(Code.Ok);
    expect(offer.method).toBe(Digest.Sha256);
    expect(hex(offer.digest, 32)).toBe(SHA256);
    expect(text(offer.version, offer.versionLength)).toBe("2.0.0");
    expect(text(offer.url, offer.urlLength)).toBe("https://h/f");
    expect(offer.size).toBe(10);
  });

  it("is the same in any slices and any order of members", () => {
    const json = `{"extData":{"url":"no","sign":"no"},"size":70000,"url":"https:\\/\\/h\\/f?a=%20","version":"1.0_b-2","sign":"${SHA256}","md5":"x","isDiff":0,"module":"default","dProtocol":"https"}`;
    for (let slice: u32 = 1; slice < 60; slice++) {
      expect(read(json, slice)).toBe(Code.Ok);
      expect(text(offer.url, offer.urlLength)).toBe("https://h/f?a=%20");
      expect(text(offer.version, offer.versionLength)).toBe("1.0_b-2");
      expect(offer.size).toBe(70000);
      expect(hex(offer.digest, 32)).toBe(SHA256);
    }
  });

  it("without signMethod: the digest's length says which it is", () => {
    expect(read(`{"sign":"${MD5}"${REST}}`)).toBe(Code.Ok);
    expect(offer.method).toBe(Digest.Md5);
    expect(read(`{"sign":"${SHA256}"${REST}}`)).toBe(Code.Ok);
    expect(offer.method).toBe(Digest.Sha256);
  });

  it("nothing of an earlier one is left", () => {
    read(`{"sign":"${SHA256}","signMethod":"SHA256"${REST}}`);
    expect(read("{}")).toBe(Code.BadMessage);
    expect(offer.any).toBe(false);
    expect(read(`{"sign":"${MD5}"${REST}}`)).toBe(Code.Ok);
    expect(offer.any).toBe(true);
  });
});

describe("an offer that cannot be taken", () => {
  it("a member is missing, empty, or of the wrong type", () => {
    expect(read(`{"sign":"${MD5}","url":"https://h/f","size":10}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"${MD5}","version":"1","size":10}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"${MD5}","version":"1","url":"https://h/f"}`)).toBe(Code.BadMessage);
    expect(read('{"version":"1","url":"https://h/f","size":10}')).toBe(Code.BadMessage);
    expect(read(`{"sign":"${MD5}","version":"","url":"https://h/f","size":10}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"${MD5}","version":"a/b","url":"https://h/f","size":10}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"${MD5}","version":"1","url":7,"size":10}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"${MD5}","version":"1","url":{"a":1},"size":10}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":{"a":1}${REST}}`)).toBe(Code.BadMessage);
  });

  it("a size that is none", () => {
    const sizes = ["0", "-1", "1.5", "1e3", "4294967296", "true", "null", '""', '"x"'];
    for (let i = 0; i < sizes.length; i++)
      expect(read(`{"sign":"${MD5}","version":"1","url":"https://h/f","size":${sizes[i]}}`)).toBe(
        Code.BadMessage,
        sizes[i],
      );
  });

  it("an array or object in the place of a text or number: nothing that was read before is taken for it", () => {
    const values = ["[]", "{}", '["10"]', '{"size":10}'];
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      read(`{"sign":"${MD5}"${REST}}`);
      expect(read(`{"sign":"${MD5}","version":"1","url":"https://h/f","size":${value}}`)).toBe(
        Code.BadMessage,
        `size ${value}`,
      );
      read(`{"sign":"${MD5}"${REST}}`);
      expect(read(`{"sign":"${MD5}","url":"https://h/f","size":10,"version":${value}}`)).toBe(
        Code.BadMessage,
        `version ${value}`,
      );
      read(`{"sign":"${MD5}"${REST}}`);
      expect(read(`{"version":"1","url":"https://h/f","size":10,"sign":${value}}`)).toBe(
        Code.BadMessage,
        `sign ${value}`,
      );
      read(`{"sign":"${MD5}"${REST}}`);
      expect(read(`{"version":"1","sign":"${MD5}","size":10,"url":${value}}`)).toBe(Code.BadMessage, `url ${value}`);
    }
  });

  it("a digest of another length, or that is no hexadecimal", () => {
    expect(read(`{"sign":"${MD5}","signMethod":"SHA256"${REST}}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"${SHA256}","signMethod":"Md5"${REST}}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"${MD5.slice(1)}"${REST}}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"g${MD5.slice(1)}"${REST}}`)).toBe(Code.BadMessage);
    expect(read(`{"sign":"${SHA256}00"${REST}}`)).toBe(Code.OverLimit);
  });

  it("what this agent does not do", () => {
    expect(read(`{"sign":"${MD5}","signMethod":"crc"${REST}}`)).toBe(Code.Unsupported);
    // whether it is for this agent at all is asked before
    read(`{"sign":"${MD5}","module":"mcu"${REST}}`);
    expect(offer.otherModule).toBe(true);
    read(`{"sign":"${MD5}","module":"default"${REST}}`);
    expect(offer.otherModule).toBe(false);
    expect(read(`{"sign":"${MD5}","isDiff":1${REST}}`)).toBe(Code.Unsupported);
    expect(read(`{"sign":"${MD5}","dProtocol":"mqtt"${REST}}`)).toBe(Code.Unsupported);
    expect(read(`{"sign":"${MD5}","files":[{"url":"https://h/f"}]${REST}}`)).toBe(Code.Unsupported);
  });

  it("what does not fit", () => {
    expect(read(`{"sign":"${MD5}","version":"${"1".repeat(65)}","url":"https://h/f","size":10}`)).toBe(Code.OverLimit);
    expect(read(`{"sign":"${MD5}","version":"1","url":"https://h/${"u".repeat(1015)}","size":10}`)).toBe(
      Code.OverLimit,
    );
    expect(
      read(`{"sign":"${MD5}","version":"${"1".repeat(64)}","url":"https://h/${"u".repeat(1014)}","size":10}`),
    ).toBe(Code.Ok);
  });
});
