import { Writer, writerDone, writerInit } from "../../../assembly/bytes/writer";
import { Identity } from "../../../assembly/protocol/sign";
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

function out(kind: Topic): string {
  writerInit(writer, topic, 300);
  putTopic(writer, identity, kind);
  return text(topic, writerDone(writer));
}

function kindOf(name: string): i32 {
  return topicOf(identity, topic, put(topic, name));
}

describe("topics that go out", () => {
  it("are the documented ones", () => {
    expect(out(Topic.PropertyPost)).toBe("/sys/a1pk/dev-1/thing/event/property/post");
    expect(out(Topic.PropertySetReply)).toBe("/sys/a1pk/dev-1/thing/service/property/set_reply");
    expect(out(Topic.FirmwareGet)).toBe("/sys/a1pk/dev-1/thing/ota/firmware/get");
    expect(out(Topic.Inform)).toBe("/ota/device/inform/a1pk/dev-1");
    expect(out(Topic.Progress)).toBe("/ota/device/progress/a1pk/dev-1");
  });
});

describe("topics that come in", () => {
  it("are told apart", () => {
    expect(kindOf("/sys/a1pk/dev-1/thing/event/property/post_reply")).toBe(Topic.PropertyPostReply);
    expect(kindOf("/sys/a1pk/dev-1/thing/service/property/set")).toBe(Topic.PropertySet);
    expect(kindOf("/sys/a1pk/dev-1/thing/ota/firmware/get_reply")).toBe(Topic.FirmwareGetReply);
    expect(kindOf("/ota/device/upgrade/a1pk/dev-1")).toBe(Topic.Upgrade);
  });

  it("near misses belong to nobody", () => {
    expect(kindOf("/sys/a1pk/dev-1/thing/service/property/set/")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/thing/service/property/se")).toBe(Topic.Ignored);
    expect(kindOf("/sys/a1pk/dev-1/")).toBe(Topic.Ignored);
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
  });
});
