// The core's URLs and requests against the WHATWG URL of Node, where the two must agree, and by cases where they need not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Code } from "./core.js";
import { get, readUrl, resolve } from "./http_reading.js";

const url = (scheme: string, tls: boolean, host: string, port: number, path: string) => ({
  scheme,
  tls,
  host,
  port,
  path,
});

describe("url", () => {
  it("reads schemes, hosts, ports, paths and queries", () => {
    const cases: [string, ReturnType<typeof url>][] = [
      ["http://a", url("http", false, "a", 80, "")],
      ["HTTPS://A.Example/", url("https", true, "A.Example", 443, "/")],
      ["https://a.example:8443/b/c?d=e&f=%2F", url("https", true, "a.example", 8443, "/b/c?d=e&f=%2F")],
      ["http://a?x=1", url("http", false, "a", 80, "?x=1")],
      ["http://a#f", url("http", false, "a", 80, "")],
      ["http://a/b#f#g?h/i", url("http", false, "a", 80, "/b")],
      ["http://a/?b=//c:d@e", url("http", false, "a", 80, "/?b=//c:d@e")],
      ["http://127.0.0.1:1/", url("http", false, "127.0.0.1", 1, "/")],
      ["http://[::1]:65535/", url("http", false, "[::1]", 65535, "/")],
      ["https://[2001:DB8::192.0.2.1]", url("https", true, "[2001:DB8::192.0.2.1]", 443, "")],
      ["http://a:/b", url("http", false, "a", 80, "/b")],
      ["http://a_b-c.d/é", url("http", false, "a_b-c.d", 80, "/é")],
      ["mqtt://a", url("mqtt", false, "a", 1883, "")],
      ["mqtts://a", url("mqtts", true, "a", 8883, "")],
      ["tcp://a:443", url("tcp", false, "a", 443, "")],
      ["tls://a", url("tls", true, "a", 8883, "")],
      [`http://${"a".repeat(253)}/`, url("http", false, "a".repeat(253), 80, "/")],
    ];
    for (const [text, expected] of cases) assert.deepEqual(readUrl(text), expected, text);
  });

  it("refuses what it must not connect to", () => {
    const cases: [string, keyof typeof Code][] = [
      ["", "BadMessage"],
      ["http", "BadMessage"],
      ["http:", "BadMessage"],
      ["http:/a", "BadMessage"],
      ["http://", "BadMessage"],
      ["http:///a", "BadMessage"],
      ["http://:80", "BadMessage"],
      ["//a/b", "BadMessage"],
      ["/b", "BadMessage"],
      ["1http://a", "BadMessage"],
      ["ht tp://a", "BadMessage"],
      ["http:\\\\a", "BadMessage"],
      ["http://a\\b", "BadMessage"],
      ["http://user@a/", "BadMessage"],
      ["http://user:secret@a/", "BadMessage"],
      ["http://a:80@b/", "BadMessage"],
      ["http://a b/", "BadMessage"],
      ["http://a%2eb/", "BadMessage"],
      ["http://é/", "BadMessage"],
      ["http://a/b c", "BadMessage"],
      ["http://a/b\nc", "BadMessage"],
      ["http://a/b\r\nHost: c", "BadMessage"],
      ["http://a/#b\r\nc", "BadMessage"],
      ["http://a/\u007f", "BadMessage"],
      ["http://a/\0", "BadMessage"],
      [" http://a/", "BadMessage"],
      ["http://a:0/", "BadMessage"],
      ["http://a:65536/", "BadMessage"],
      ["http://a:99999999999999999999/", "BadMessage"],
      ["http://a:8x/", "BadMessage"],
      ["http://a:-1/", "BadMessage"],
      ["http://[::1/", "BadMessage"],
      ["http://[]/", "BadMessage"],
      ["http://::1/", "BadMessage"],
      ["http://[::1%25eth0]/", "BadMessage"],
      ["http://[::1]x/", "BadMessage"],
      ["ftp://a/", "Unsupported"],
      ["file:///etc", "Unsupported"],
      ["httpss://a/", "Unsupported"],
      ["coap+tcp://a/", "Unsupported"],
      ["h2.x-9:b", "BadMessage"],
      ["h2.x-9://b", "Unsupported"],
      ["h/x://b", "BadMessage"],
      ["h:x://b", "BadMessage"],
      ["h`://b", "BadMessage"],
      ["h{://b", "BadMessage"],
      [`http://${"a".repeat(254)}/`, "OverLimit"],
    ];
    for (const [text, name] of cases) assert.equal(readUrl(text), Code[name], text);
  });

  it("knows for every ASCII character where it may stand", () => {
    for (let code = 0; code < 128; code++) {
      const character = String.fromCharCode(code);
      const good = (text: string): boolean => typeof readUrl(text) === "object";
      assert.equal(good(`http://a${character}b/`), /[A-Za-z0-9._/?#-]/.test(character), `host ${code}`);
      assert.equal(good(`http://[:${character}:]/`), /[A-Fa-f0-9:.]/.test(character), `address ${code}`);
      assert.equal(good(`http://a:1${character}`), /[0-9/?#]/.test(character), `port ${code}`);
      assert.equal(good(`http://a/${character}`), code > 32 && code !== 127, `path ${code}`);
      const scheme = readUrl(`h${character}x://a`);
      assert.equal(scheme === Code.Unsupported, /[A-Za-z0-9.+-]/.test(character), `scheme ${code}`);
    }
  });

  it("agrees with the WHATWG URL on host, port and target", () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((address) => `[${address}]`),
    );
    const port = fc.option(fc.integer({ min: 1, max: 65535 }), { nil: undefined });
    const path = fc.webPath().filter((text) => !/(^|\/)\.\.?(\/|$)/.test(text) && text.startsWith("/"));
    const query = fc.option(fc.webQueryParameters(), { nil: undefined });
    fc.assert(
      fc.property(fc.constantFrom("http", "https"), host, port, path, query, (scheme, name, number, where, what) => {
        const text = `${scheme}://${name}${number ? `:${number}` : ""}${where}${what === undefined ? "" : `?${what}`}#f`;
        const expected = new URL(text);
        const actual = readUrl(text);
        assert.ok(typeof actual === "object", text);
        if (!name.startsWith("[")) assert.equal(actual.host, expected.hostname);
        assert.equal(actual.port, Number(expected.port) || (scheme === "http" ? 80 : 443));
        assert.equal(actual.path, text.slice(text.indexOf(where, scheme.length + 3 + name.length), -2));
        assert.equal(actual.tls, scheme === "https");
      }),
      { numRuns: 500 },
    );
  });

  it("never takes a host or target that could end the request line", () => {
    const unit = fc.constantFrom(..."ahtp:/?#@[]1%\\.\r\n\t \0", "\u007f", "é");
    fc.assert(
      fc.property(fc.constantFrom("http://", "https://a", "mqtt://a/", ""), fc.string({ unit }), (start, rest) => {
        const parsed = readUrl(start + rest);
        if (typeof parsed === "number") return;
        assert.match(parsed.host, /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/);
        assert.doesNotMatch(parsed.path, /[#\s\u007f]|\0/);
        assert.ok(parsed.port >= 1 && parsed.port <= 65535);
      }),
      { numRuns: 2000 },
    );
  });

  it("resolves the references of a redirect", () => {
    const base = "HTTPS://a.example:8443/b/c?d#e";
    assert.equal(resolve(base, "http://x.example/y"), "http://x.example/y");
    assert.equal(resolve(base, "a1+-.b:c"), "a1+-.b:c");
    assert.equal(resolve(base, "//x.example/y"), "HTTPS://x.example/y");
    assert.equal(resolve(base, "/y?z"), "HTTPS://a.example:8443/y?z");
    assert.equal(resolve(base, "/"), "HTTPS://a.example:8443/");
    assert.equal(resolve("http://[::1]/x", "/y:z"), "http://[::1]/y:z");
    assert.equal(resolve("http://a:80", "/y"), "http://a/y");
    for (const other of ["y", "../y", "./y", "?z", "#f", "", "y/z:w"]) {
      assert.equal(resolve(base, other), Code.Unsupported, other);
    }
    const length = "HTTPS://a.example:8443/y".length;
    assert.equal(resolve(base, "/y", length), "HTTPS://a.example:8443/y");
    assert.equal(resolve(base, "/y", length - 1), Code.OverLimit);
  });
});

describe("http request", () => {
  const common = "Accept-Encoding: identity\r\nUser-Agent: alink-agent\r\n";

  it("asks for all of it, for a range, for the rest", () => {
    assert.equal(
      get("http://a.example/b?c=d#e"),
      `GET /b?c=d HTTP/1.1\r\nHost: a.example\r\n${common}Connection: close\r\n\r\n`,
    );
    assert.equal(
      get("https://[::1]:8443?x", [0, 2047]),
      `GET /?x HTTP/1.1\r\nHost: [::1]:8443\r\nRange: bytes=0-2047\r\n${common}Connection: close\r\n\r\n`,
    );
    assert.equal(
      get("https://a:443", [4294967294, 0xffffffff]),
      `GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=4294967294-\r\n${common}Connection: close\r\n\r\n`,
    );
    assert.match(String(get("http://a:443/")), /\r\nHost: a:443\r\n/);
    assert.match(String(get("https://a:80/")), /\r\nHost: a:80\r\n/);
  });

  it("is whole or not there", () => {
    const whole = String(get("http://a.example/b"));
    for (let cap = 0; cap <= whole.length; cap++) {
      assert.equal(get("http://a.example/b", undefined, cap), cap < whole.length ? -1 : whole);
    }
  });
});
