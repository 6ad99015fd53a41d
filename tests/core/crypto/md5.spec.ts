import { S, litLen, litPtr } from "../../../assembly/bytes/text";
import { Digest } from "../../../assembly/crypto/hmac";
import { MD5_LENGTH, Md5, md5Final, md5Init, md5Update } from "../../../assembly/crypto/md5";
import { hex } from "../ranges";
import {
  digestOfDigests,
  expectCopiesToBeIndependent,
  expectInitToForget,
  expectSplitsNotToMatter,
  out,
} from "./conduct";

const context = changetype<Md5>(memory.data(offsetof<Md5>(), 8));

function md5Of(literal: usize, times: i32): string {
  md5Init(context);
  for (let i = 0; i < times; i++) md5Update(context, litPtr(literal), litLen(literal));
  md5Final(context, out);
  return hex(out, MD5_LENGTH);
}

describe("MD5", () => {
  it("known answers: RFC 1321 §A.5, and a million a", () => {
    expect(md5Of(S(""), 1)).toBe("d41d8cd98f00b204e9800998ecf8427e");
    expect(md5Of(S("abc"), 1)).toBe("900150983cd24fb0d6963f7d28e17f72");
    expect(md5Of(S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), 1)).toBe(
      "8215ef0796a20bcaaae116d3876c664a",
    );
    expect(md5Of(S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 25000)).toBe("7707d6ae4e027c70eea2a935c2296f21");
  });

  it("every length 0..130, checked against another implementation", () => {
    expect(digestOfDigests(Digest.Md5)).toBe("df6954f2171934b3a1d651b1bf28ce12");
  });

  it("any split gives the same digest", () => expectSplitsNotToMatter(Digest.Md5));

  it("a byte copy of a context goes on by itself", () => expectCopiesToBeIndependent(Digest.Md5));

  it("Init forgets what the context held", () => expectInitToForget(Digest.Md5));

  it("Final wipes the context", () => {
    md5Of(S("secret"), 30);
    expect(hex(changetype<usize>(context), offsetof<Md5>())).toBe("00".repeat(offsetof<Md5>()));
  });
});
