import { S, litLen, litPtr } from "../../../assembly/bytes/text";
import { Digest } from "../../../assembly/crypto/hmac";
import { SHA256_LENGTH, Sha256, sha256Final, sha256Init, sha256Update } from "../../../assembly/crypto/sha256";
import { hex } from "../ranges";
import {
  digestOfDigests,
  expectCopiesToBeIndependent,
  expectInitToForget,
  expectSplitsNotToMatter,
  out,
} from "./conduct";

const context = changetype<Sha256>(memory.data(offsetof<Sha256>(), 8));

function sha256Of(literal: usize, times: i32): string {
  sha256Init(context);
  for (let i = 0; i < times; i++) sha256Update(context, litPtr(literal), litLen(literal));
  sha256Final(context, out);
  return hex(out, SHA256_LENGTH);
}

describe("SHA-256", () => {
  it("known answers: the examples of FIPS 180", () => {
    expect(sha256Of(S(""), 1)).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(sha256Of(S("abc"), 1)).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(sha256Of(S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), 1)).toBe(
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    );
    expect(sha256Of(S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 25000)).toBe(
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    );
  });

  it("every length 0..130, checked against another implementation", () => {
    expect(digestOfDigests(Digest.Sha256)).toBe("969b9f993f9c27e8424a46288c5b7999eee502a7befa92cad6cfef1034d76c51");
  });

  it("any split gives the same digest", () => expectSplitsNotToMatter(Digest.Sha256));

  it("a byte copy of a context goes on by itself", () => expectCopiesToBeIndependent(Digest.Sha256));

  it("Init forgets what the context held", () => expectInitToForget(Digest.Sha256));

  it("Final wipes the context", () => {
    sha256Of(S("secret"), 30);
    expect(hex(changetype<usize>(context), offsetof<Sha256>())).toBe("00".repeat(offsetof<Sha256>()));
  });
});
