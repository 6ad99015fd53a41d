import { S, copy, litLen, litPtr } from "../../../assembly/bytes/text";
import {
  DIGEST_MAX,
  Digest,
  DigestContext,
  Hmac,
  digestFinal,
  digestInit,
  digestLength,
  digestUpdate,
  hmacFinal,
  hmacInit,
  hmacUpdate,
} from "../../../assembly/crypto/hmac";
import { hex } from "../ranges";
import { LONGEST, message, out, write } from "./conduct";

const context = changetype<Hmac>(memory.data(offsetof<Hmac>(), 8));
const other = changetype<Hmac>(memory.data(offsetof<Hmac>(), 8));
const digest = changetype<DigestContext>(memory.data(offsetof<DigestContext>(), 8));
const key = memory.data(LONGEST);

function hmacOf(kind: Digest, keyLiteral: usize, literal: usize): string {
  hmacInit(context, kind, litPtr(keyLiteral), litLen(keyLiteral));
  hmacUpdate(context, litPtr(literal), litLen(literal));
  hmacFinal(context, out);
  return hex(out, digestLength(kind));
}

function hmacOfMessage(kind: Digest, len: u32, cut: u32): string {
  hmacInit(context, kind, key, 24);
  hmacUpdate(context, message, cut);
  hmacUpdate(context, message + cut, len - cut);
  hmacFinal(context, out);
  return hex(out, digestLength(kind));
}

/** The digest over the HMACs of one text under one key of each length 0..130. */
function digestOfHmacs(kind: Digest): string {
  digestInit(kind, digest);
  for (let len: u32 = 0; len <= 130; len++) {
    write(len);
    hmacInit(context, kind, message, len);
    hmacUpdate(context, litPtr(S("message")), 7);
    hmacFinal(context, out);
    digestUpdate(kind, digest, out, digestLength(kind));
  }
  digestFinal(kind, digest, out);
  return hex(out, digestLength(kind));
}

describe("HMAC", () => {
  it("known answers: RFC 2202 and RFC 4231, case 2", () => {
    const question = S("what do ya want for nothing?");
    expect(hmacOf(Digest.Md5, S("Jefe"), question)).toBe("750c783e6ab0b503eaa86e310a5db738");
    expect(hmacOf(Digest.Sha1, S("Jefe"), question)).toBe("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    expect(hmacOf(Digest.Sha256, S("Jefe"), question)).toBe(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
  });

  it("known answer: the platform's printed example of a signature", () => {
    const content = S("clientId12345deviceNamedeviceproductKeypktimestamp789");
    expect(hmacOf(Digest.Sha1, S("secret"), content)).toBe("fafd82a3d602b37fb0fa8b7892f24a477f851a14");
  });

  it("keys of every length 0..130, checked against another implementation", () => {
    expect(digestOfHmacs(Digest.Md5)).toBe("416c8d890e02fd3a33dd8e2484750385");
    expect(digestOfHmacs(Digest.Sha1)).toBe("60d90f11a9b07b193377d8739b8104429e233bc2");
    expect(digestOfHmacs(Digest.Sha256)).toBe("7edc955a1a1df9bdd23e35ff122035f44944452914a8c7cddcb6fd15e2e54719");
  });

  it("any split gives the same code", () => {
    write(9);
    copy(key, message, 24);
    for (let kind = Digest.Md5; kind <= Digest.Sha256; kind++) {
      for (let len: u32 = 0; len <= 130; len += len === 0 ? 1 : 43) {
        const whole = hmacOfMessage(kind, len, 0);
        for (let cut: u32 = 1; cut <= len; cut++) expect(hmacOfMessage(kind, len, cut)).toBe(whole);
      }
    }
  });

  it("a byte copy after Init authenticates another message", () => {
    write(9);
    copy(key, message, 24);
    for (let kind = Digest.Md5; kind <= Digest.Sha256; kind++) {
      const expected = hmacOfMessage(kind, 99, 0);
      hmacInit(context, kind, key, 24);
      copy(changetype<usize>(other), changetype<usize>(context), offsetof<Hmac>());
      hmacUpdate(context, message + 1, 64);
      hmacFinal(context, out);
      hmacUpdate(other, message, 99);
      hmacFinal(other, out);
      expect(hex(out, digestLength(kind))).toBe(expected);
    }
  });

  it("Final wipes the context; a digest fits where DIGEST_MAX bytes are", () => {
    for (let kind = Digest.Md5; kind <= Digest.Sha256; kind++) {
      hmacOf(kind, S("secret"), S("text"));
      expect(hex(changetype<usize>(context), offsetof<Hmac>())).toBe("00".repeat(offsetof<Hmac>()));
      expect(digestLength(kind)).toBeLessThanOrEqual(DIGEST_MAX);
    }
  });
});
