import { Code } from "../../../assembly/abi";
import { Writer, writerDone, writerInit } from "../../../assembly/bytes/writer";
import { CHUNKED_EXTRA, Chunked, ChunkedPart, chunkedInit, chunkedNext } from "../../../assembly/codec/chunked";
import {
  ContentRange,
  HTTP_HEAD,
  HTTP_OPEN,
  HttpResponse,
  HttpResult,
  httpGet,
  httpHead,
  httpInit,
} from "../../../assembly/codec/http";
import { Url, urlParse } from "../../../assembly/codec/url";
import { put, text } from "../ranges";

const response = changetype<HttpResponse>(memory.data(offsetof<HttpResponse>()));
const chunked = changetype<Chunked>(memory.data(offsetof<Chunked>()));
const url = changetype<Url>(memory.data(offsetof<Url>()));
const writer = changetype<Writer>(memory.data(offsetof<Writer>()));
const INPUT = memory.data(16384);
const LOCATION = memory.data(64);
const OUT = memory.data(512);

/** Read a head whose lines are separated by "|"; the empty line is added. */
function head(lines: string): i32 {
  const length = put(INPUT, lines.replaceAll("|", "\r\n") + "\r\n\r\n");
  response.location = LOCATION;
  response.locationCap = 16;
  httpInit(response);
  const result = httpHead(response, INPUT, INPUT + length);
  if (result == HttpResult.Done) expect(response.at).toBe(INPUT + length);
  return result;
}

function field(line: string): i32 {
  return head("HTTP/1.1 200 OK|" + line);
}

describe("http request", () => {
  it("asks for a range, with the host's port only where it must be said", () => {
    urlParse(url, INPUT, put(INPUT, "https://a.example:443/p?q#f"));
    writerInit(writer, OUT, 512);
    httpGet(writer, url, 4096, 8191, true);
    expect(text(OUT, writerDone(writer))).toBe(
      "GET /p?q HTTP/1.1\r\nHost: a.example\r\nRange: bytes=4096-8191\r\nAccept-Encoding: identity\r\n" +
        "User-Agent: alink-agent\r\nConnection: close\r\n\r\n",
    );
    urlParse(url, INPUT, put(INPUT, "http://[::1]:443"));
    writerInit(writer, OUT, 512);
    httpGet(writer, url, 7, HTTP_OPEN, true);
    expect(text(OUT, writerDone(writer))).toBe(
      "GET / HTTP/1.1\r\nHost: [::1]:443\r\nRange: bytes=7-\r\nAccept-Encoding: identity\r\n" +
        "User-Agent: alink-agent\r\nConnection: close\r\n\r\n",
    );
  });
});

describe("http response", () => {
  it("reads the status line", () => {
    expect(head("HTTP/1.1 404 Not Found")).toBe(HttpResult.Done);
    expect(response.status).toBe(404);
    expect(response.hasLength).toBe(false);
    expect(head("HTTP/1.0 200")).toBe(HttpResult.Done);
    expect(head("HTTP/2.0 200 OK")).toBe(Code.Unsupported);
    expect(head("ICY 200 OK")).toBe(Code.BadMessage);
    expect(head("HTTP/1.1 999 OK")).toBe(Code.BadMessage);
  });

  it("reads Content-Length", () => {
    expect(field("content-length: 4294967295")).toBe(HttpResult.Done);
    expect(response.contentLength).toBe(4294967295);
    expect(response.hasLength).toBe(true);
    expect(field("Content-Length: 4294967296")).toBe(Code.OverLimit);
    expect(field("Content-Length: 1|Content-Length: 2")).toBe(Code.BadMessage);
    expect(field("Content-Length: 2|Content-Length: 2")).toBe(HttpResult.Done);
    expect(field("Content-Length: 2, 2")).toBe(Code.BadMessage);
    expect(field("Content-Length: 2x")).toBe(Code.BadMessage);
    expect(field("Content-Length : 2")).toBe(Code.BadMessage);
  });

  it("reads Transfer-Encoding", () => {
    expect(field("Transfer-Encoding: CHUNKED")).toBe(HttpResult.Done);
    expect(response.chunked).toBe(true);
    expect(field("Transfer-Encoding: gzip, chunked")).toBe(Code.Unsupported);
    expect(field("Transfer-Encoding: chunked|Content-Length: 2")).toBe(Code.BadMessage);
    expect(head("HTTP/1.0 200 OK|Transfer-Encoding: chunked")).toBe(Code.BadMessage);
  });

  it("reads Content-Range in 206 and 416", () => {
    expect(head("HTTP/1.1 206 x|Content-Range: bytes 10-19/200")).toBe(HttpResult.Done);
    expect(response.range).toBe(ContentRange.Part);
    expect(response.rangeFirst).toBe(10);
    expect(response.rangeLast).toBe(19);
    expect(response.rangeTotal).toBe(200);
    expect(head("HTTP/1.1 206 x|Content-Range: bytes 10-19/*")).toBe(HttpResult.Done);
    expect(response.rangeTotal).toBe(HTTP_OPEN);
    expect(head("HTTP/1.1 416 x|Content-Range: bytes */200")).toBe(HttpResult.Done);
    expect(response.range).toBe(ContentRange.Unsatisfied);
    expect(response.rangeTotal).toBe(200);
    expect(head("HTTP/1.1 206 x|Content-Range: bytes 19-10/200")).toBe(Code.BadMessage);
    expect(head("HTTP/1.1 206 x|Content-Range: bytes 10-200/200")).toBe(Code.BadMessage);
    expect(head("HTTP/1.1 206 x|Content-Range: bytes 1-4294967296/*")).toBe(Code.OverLimit);
    expect(field("Content-Range: bytes 10-19/200")).toBe(HttpResult.Done);
    expect(response.range).toBe(ContentRange.None);
  });

  it("copies Location within its room", () => {
    expect(head("HTTP/1.1 302 Found|Location:  /abc ")).toBe(HttpResult.Done);
    expect(text(LOCATION, response.locationLen)).toBe("/abc");
    store<u8>(LOCATION + 16, 0x5a);
    expect(head("HTTP/1.1 302 Found|Location: /0123456789abcdefghi")).toBe(HttpResult.Done);
    expect(response.locationLen).toBe(20);
    expect(text(LOCATION, 16)).toBe("/0123456789abcde");
    expect(load<u8>(LOCATION + 16)).toBe(0x5a);
  });

  it("joins folded lines and passes over interim responses", () => {
    expect(field("X: a| b|Content-Length:|\t12|X: y")).toBe(HttpResult.Done);
    expect(response.contentLength).toBe(12);
    expect(head("HTTP/1.1 100 Continue|Content-Length: 9||HTTP/1.1 204 x")).toBe(HttpResult.Done);
    expect(response.status).toBe(204);
    expect(response.contentLength).toBe(0);
  });

  it("takes at most HTTP_HEAD bytes, of which any line may have most", () => {
    const room = HTTP_HEAD - "HTTP/1.1 200 OK\r\nX: \r\n\r\n".length;
    expect(field("X: " + "x".repeat(room))).toBe(HttpResult.Done);
    expect(field("X: " + "x".repeat(room + 1))).toBe(Code.OverLimit);
    expect(httpHead(response, INPUT, INPUT)).toBe(Code.OverLimit, "for good");
  });

  it("leaves the body", () => {
    const length = put(INPUT, "HTTP/1.1 200 OK\r\n\r\nbody");
    httpInit(response);
    expect(httpHead(response, INPUT, INPUT + 18)).toBe(HttpResult.NeedMore);
    expect(httpHead(response, INPUT + 18, INPUT + length)).toBe(HttpResult.Done);
    expect(text(response.at, 4)).toBe("body");
    expect(httpHead(response, response.at, INPUT + length)).toBe(HttpResult.Done, "again, taking nothing");
    expect(text(response.at, 4)).toBe("body");
  });
});

function body(encoded: string): string {
  const end = INPUT + put(INPUT, encoded);
  let told = "";
  chunkedInit(chunked);
  chunked.at = INPUT;
  let part = chunkedNext(chunked, INPUT, end);
  for (; part == ChunkedPart.Data; part = chunkedNext(chunked, chunked.at, end)) {
    told += "(" + text(chunked.dataPtr, chunked.dataLen) + ")";
  }
  if (part < 0) return told + "!" + part.toString();
  return told + (part == ChunkedPart.End ? "." : "…") + text(chunked.at, end - chunked.at);
}

describe("chunked body", () => {
  it("hands on data where it lies and stops after the trailers", () => {
    expect(body("3\r\nabc\r\n00A;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\nnext")).toBe("(abc)(0123456789).next");
    expect(body("3\r\nab")).toBe("(ab)…");
    expect(body("0\r\n\r")).toBe("…");
  });

  it("refuses what is no chunk", () => {
    expect(body("\r\n")).toBe("!-20");
    expect(body("x\r\n")).toBe("!-20");
    expect(body("1\nx")).toBe("!-20");
    expect(body("1\r\nxy")).toBe("(x)!-20");
    expect(body("100000000\r\n")).toBe("!-22");
  });

  it("skips CHUNKED_EXTRA bytes and no more", () => {
    expect(body("0\r\n" + "x".repeat(CHUNKED_EXTRA) + "\r\n\r\n")).toBe(".");
    expect(body("0\r\n" + "x".repeat(CHUNKED_EXTRA + 1) + "\r\n\r\n")).toBe("!-22");
    expect(body("0;" + "x".repeat(CHUNKED_EXTRA) + "\r\n\r\n")).toBe("!-22");
  });
});
