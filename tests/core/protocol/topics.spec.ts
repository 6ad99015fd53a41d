import { Writer, writerDone, writerInit } from "../../../assembly/bytes/writer";
import { Identity } from "../../../assembly/protocol/sign";
import { IDENTIFIER_MAX, identifierLength } from "../../../assembly/protocol/identifier";
import { Topic, putTopic, topicOf } from "../../../assembly/protocol/topics";
import { put, text } from "../ranges";

const identity = changetype<Identity>(memory.data(offsetof<Identity>(), 8));
const writer = changetype<Writer>(memory.data(offsetof<Writer>(), 8));
const names = memory.data(80);
const topic = memory.data(300);

store<u8>(names, put(names + 1, "a1pk"));
store<u8>(names + 40, put(names + 41, "dev-1"));
identity.productKey = names;
identity.deviceName = names + 40;

const event = memory.data(80);

function out(kind: Topic, name: string = ""): string {
  writerInit(writer, topic, 300);
  putTopic(writer, identity, kind, event, put(event, name));
  return text(topic, writerDone(writer));
}

function kindOf(name: string): i32 {
  return topicOf(identity, topic, put(topic, name));
}

describe("topics that go out", () => {
  it("are the documented ones", () => {
    expect(out(Topic.PropertyPost, "property")).toBe("/sys/a1pk/dev-1/thing/event/property/post");
    expect(out(Topic.EventPost, "alarm")).toBe("/sys/a1pk/dev-1/thing/event/alarm/post");
    expect(out(Topic.PropertySetReply)).toBe("/sys/a1pk/dev-1/thing/service/property/set_reply");
    expect(out(Topic.FirmwareGet)).toBe("/sys/a1pk/dev-1/thing/ota/firmware/get");
    expect(out(Topic.Inform)).toBe("/ota/device/inform/a1pk/dev-1");
    expect(out(Topic.Progress)).toBe("/ota/device/progress/a1pk/dev-1");
  });
});

/** The length of the identifier before the first "|" of the text, which stands for the zero byte. */
function identifier(post: string): u32 {
  const length = put(topic, post);
  for (let i: u32 = 0; i < length; i++) if (load<u8>(topic + i) == 0x7c) store<u8>(topic + i, 0);
  return identifierLength(topic, length);
}

describe("identifiers of events", () => {
  it("have letters, digits and underscores", () => {
    expect(identifier("alarm|{}")).toBe(5);
    expect(identifier("a|x")).toBe(1);
    expect(identifier("_09AZaz|{}")).toBe(7);
    expect(identifier("Property|{}")).toBe(8);
    expect(identifier("properties|{}")).toBe(10);
    expect(identifier("x".repeat(IDENTIFIER_MAX) + "|{}")).toBe(IDENTIFIER_MAX);
  });

  it("are refused otherwise", () => {
    for (let c: u32 = 1; c < 256; c++) {
      const letter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122);
      const length = put(topic, "a?b|{}");
      store<u8>(topic + 1, c);
      store<u8>(topic + 3, 0);
      expect(identifierLength(topic, length)).toBe(letter || (c >= 48 && c <= 57) || c == 95 ? 3 : 0);
    }
    expect(identifier("")).toBe(0);
    expect(identifier("|{}")).toBe(0);
    expect(identifier("alarm")).toBe(0);
    expect(identifier("alarm|")).toBe(0);
    expect(identifier("property|{}")).toBe(0);
    expect(identifier("x".repeat(IDENTIFIER_MAX + 1) + "|{}")).toBe(0);
    expect(identifier("x".repeat(200) + "|{}")).toBe(0);
  });

  it("end inside the range", () => {
    put(topic, "alarm?{}");
    store<u8>(topic + 5, 0);
    for (let n: u32 = 0; n < 7; n++) expect(identifierLength(topic, n)).toBe(0);
    expect(identifierLength(topic, 7)).toBe(5);
  });
});

describe("topics that come in", () => {
  it("are told apart", () => {
    expect(kindOf("/sys/a1pk/dev-1/thing/event/alarm/post_reply")).toBe(Topic.EventPostReply);
    expect(kindOf("/sys/a1pk/dev-1/thing/event/propert/post_reply")).toBe(Topic.EventPostReply);
    expect(kindOf("/sys/a1pk/dev-1/thing/event/property/post_reply")).toBe(Topic.PropertyPostReply);
    expect(kindOf("/sys/a1pk/dev-1/thing/service/property/set")).toBe(Topic.PropertySet);
    expect(kindOf("/sys/a1pk/dev-1/thing/ota/firmware/get_reply")).toBe(Topic.FirmwareGetReply);
    expect(kindOf("/ota/device/upgrade/a1pk/dev-1")).toBe(Topic.Upgrade);
  });

  it("near misses belong to nobody", () => {
    expect(kindOf("/sys/a1pk/dev-1/thing/service/property/set/")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/thing/service/property/se")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/thing/event/")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/thing/event/post_reply")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/thing/event//post_reply")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/thing/event/alarm/post")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/thing/event/alarm/post_reply/")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/thing/even/alarm/post_reply")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-2/thing/event/alarm/post_reply")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-2/thing/service/property/set")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk2/dev-1/thing/service/property/set")).toBe(Topic.Ignored);
    expect(kindOf("/ota/device/upgrade/a1pk/dev-1/")).toBe(Topic.Ignored);
    expect(kindOf("/ota/device/upgrade/a1pk/dev-12")).toBe(Topic.Ignored);
    expect(kindOf("/ota/device/upgrade/a1pk/dev")).toBe(Topic.Ignored);
    expect(kindOf("/ota/device/upgrad")).toBe(Topic.Ignored);
  });

  it("the rest is the application's", () => {
    expect(kindOf("/a1pk/dev-1/user/get")).toBe(Topic.Application);
    expect(kindOf("/sys")).toBe(Topic.Application);
    expect(kindOf("sys/a1pk/dev-1/thing/service/property/set")).toBe(Topic.Application);
    expect(kindOf("/")).toBe(Topic.Application);
  });

  it("nothing behind the end of the range counts", () => {
    const length = put(topic, "/ota/device/upgrade/a1pk/dev-1");
    for (let n: u32 = 0; n < length; n++) expect(topicOf(identity, topic, n)).not.toBe(Topic.Upgrade);
    const reply = put(topic, "/sys/a1pk/dev-1/thing/event/alarm/post_reply");
    for (let n: u32 = 0; n < reply; n++) expect(topicOf(identity, topic, n)).not.toBe(Topic.EventPostReply);
    expect(topicOf(identity, topic, reply)).toBe(Topic.EventPostReply);
  });
});
