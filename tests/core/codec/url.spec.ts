import { Code } from "../../../assembly/abi";
import { Writer, writerInit } from "../../../assembly/bytes/writer";
import { Scheme, URL_HOST, Url, urlHost, urlParse, urlResolve, urlTls } from "../../../assembly/codec/url";
import { put, text } from "../ranges";

const url = changetype<Url>(memory.data(offsetof<Url>()));
const writer = changetype<Writer>(memory.data(offsetof<Writer>()));
const TEXT = memory.data(512);
const REFERENCE = memory.data(256);
const OUT = memory.data(256);

function parse(value: string): i32 {
  return urlParse(url, TEXT, put(TEXT, value));
}

/** host port path, of a URL that is good. */
function parts(value: string): string {
  const code = parse(value);
  if (code < 0) return code.toString();
  return text(urlHost(url), url.hostLen) + " " + url.port.toString() + " " + text(url.text + url.pathAt, url.pathLen);
}

function resolve(reference: string): string {
  writerInit(writer, OUT, 64);
  const length = urlResolve(writer, url, REFERENCE, put(REFERENCE, reference));
  return length < 0 ? length.toString() : text(OUT, length);
}

describe("url", () => {
  it("knows six schemes and their ports", () => {
    expect(parts("HTTP://A/b?c#d")).toBe("A 80 /b?c");
    expect(url.scheme).toBe(Scheme.Http);
    expect(urlTls(url)).toBe(false);
    expect(parts("https://a")).toBe("a 443 ");
    expect(urlTls(url)).toBe(true);
    expect(parts("mqtt://a")).toBe("a 1883 ");
    expect(urlTls(url)).toBe(false);
    expect(parts("mqtts://a")).toBe("a 8883 ");
    expect(urlTls(url)).toBe(true);
    expect(parts("tcp://a:1")).toBe("a 1 ");
    expect(urlTls(url)).toBe(false);
    expect(parts("tls://[::1]:65535/")).toBe("[::1] 65535 /");
    expect(urlTls(url)).toBe(true);
    expect(parse("ftp://a")).toBe(Code.Unsupported);
  });

  it("refuses user information, ports out of range, spaces and control characters", () => {
    expect(parse("http://user@a/")).toBe(Code.BadMessage);
    expect(parse("http://a:0/")).toBe(Code.BadMessage);
    expect(parse("http://a:65536/")).toBe(Code.BadMessage);
    expect(parse("http://a:1x/")).toBe(Code.BadMessage);
    expect(parse("http://a/b c")).toBe(Code.BadMessage);
    expect(parse("http://a/b\r\n")).toBe(Code.BadMessage);
    expect(parse("http://a/#b\r\n")).toBe(Code.BadMessage);
    expect(parse("http:///b")).toBe(Code.BadMessage);
    expect(parse("a/b")).toBe(Code.BadMessage);
  });

  it("takes a host of URL_HOST bytes", () => {
    expect(parse("http://" + "a".repeat(URL_HOST))).toBe(Code.Ok);
    expect(parse("http://" + "a".repeat(URL_HOST + 1))).toBe(Code.OverLimit);
  });

  it("resolves absolute, scheme-relative and path-absolute references", () => {
    parse("https://a:8443/b?c");
    expect(resolve("http://d/e")).toBe("http://d/e");
    expect(resolve("//d/e")).toBe("https://d/e");
    expect(resolve("/e")).toBe("https://a:8443/e");
    expect(resolve("e")).toBe("-21");
    expect(resolve("?e")).toBe("-21");
    expect(resolve("/" + "e".repeat(64))).toBe("-22");
  });
});
