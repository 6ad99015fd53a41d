import { S, litLen, litPtr } from "../../../assembly/bytes/text";
import { Digest } from "../../../assembly/crypto/hmac";
import { SHA1_LENGTH, Sha1, sha1Final, sha1Init, sha1Update } from "../../../assembly/crypto/sha1";
import { hex } from "../ranges";
import {
  digestOfDigests,
  expectCopiesToBeIndependent,
  expectInitToForget,
  expectSplitsNotToMatter,
  out,
} from "./conduct";

const context = changetype<Sha1>(memory.data(offsetof<Sha1>(), 8));

function sha1Of(literal: usize, times: i32): string {
  sha1Init(context);
  for (let i = 0; i < times; i++) sha1Update(context, litPtr(literal), litLen(literal));
  sha1Final(context, out);
  return hex(out, SHA1_LENGTH);
}

describe("SHA-1", () => {
  it("known answers: the examples of FIPS 180", () => {
    expect(sha1Of(S(""), 1)).toBe("da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect(sha1Of(S("abc"), 1)).toBe("a9993e364706816aba3e25717850c26c9cd0d89d");
    expect(sha1Of(S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), 1)).toBe(
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    );
    expect(sha1Of(S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 25000)).toBe(
      "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
    );
  });

  it("every length 0..130, checked against another implementation", () => {
    expect(digestOfDigests(Digest.Sha1)).toBe("3124829d302c0b62b2f8c1e5edf440a668284db0");
  });

  it("any split gives the same digest", () => expectSplitsNotToMatter(Digest.Sha1));

  it("a byte copy of a context goes on by itself", () => expectCopiesToBeIndependent(Digest.Sha1));

  it("Init forgets what the context held", () => expectInitToForget(Digest.Sha1));

  it("Final wipes the context", () => {
    sha1Of(S("secret"), 30);
    expect(hex(changetype<usize>(context), offsetof<Sha1>())).toBe("00".repeat(offsetof<Sha1>()));
  });
});
