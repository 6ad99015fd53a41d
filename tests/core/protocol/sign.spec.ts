import { DIGEST_MAX, Digest, Hmac } from "../../../assembly/crypto/hmac";
import { Writer, writerDone, writerInit } from "../../../assembly/bytes/writer";
import { putClientId, putPassword, putUserName, sign } from "../../../assembly/protocol/mqtt_sign";
import { Identity } from "../../../assembly/protocol/sign";
import { put, text } from "../ranges";

const identity = changetype<Identity>(memory.data(offsetof<Identity>(), 8));
const context = changetype<Hmac>(memory.data(offsetof<Hmac>(), 8));
const writer = changetype<Writer>(memory.data(offsetof<Writer>(), 8));
const texts = memory.data(5 * 72);
const mac = memory.data(DIGEST_MAX);
const out = memory.data(256);

/** A counted text in field `index`. */
function counted(index: u32, string: string): usize {
  const at = texts + index * 72;
  store<u8>(at, put(at + 1, string));
  return at;
}

function be(
  method: Digest,
  secret: string,
  clientId: string,
  deviceName: string,
  productKey: string,
  timestamp: string,
): void {
  identity.signMethod = method;
  identity.deviceSecret = counted(0, secret);
  identity.clientId = counted(1, clientId);
  identity.deviceName = counted(2, deviceName);
  identity.productKey = counted(3, productKey);
  identity.timestamp = counted(4, timestamp);
}

function password(): string {
  sign(context, identity, mac);
  writerInit(writer, out, 256);
  putPassword(writer, identity, mac);
  return text(out, writerDone(writer));
}

function clientId(secure: bool): string {
  writerInit(writer, out, 256);
  putClientId(writer, identity, secure);
  return text(out, writerDone(writer));
}

// the expected values are those of tests/vectors/alink.json, kinds mqttSign and mqttConnect
describe("the password", () => {
  it("with a timestamp, each method (mqtt-*-ts)", () => {
    be(Digest.Sha1, "secret", "12345", "device", "pk", "789");
    expect(password()).toBe("FAFD82A3D602B37FB0FA8B7892F24A477F851A14");
    be(Digest.Md5, "secret", "12345", "device", "pk", "789");
    expect(password()).toBe("14B198324FE55E1D3C88F2E705E201EE");
    be(Digest.Sha256, "secret", "12345", "device", "pk", "789");
    expect(password()).toBe("6074A46A91B1EBB2CC4EA42790AD0E80202C9843859FC292E57C4EB19FAD9E57");
  });

  it("without one (mqtt-*-nots)", () => {
    be(Digest.Sha1, "secret", "12345", "device", "pk", "");
    expect(password()).toBe("3504E4DF7CE4766D30F796EE973C9CE7FC5425CB");
    be(Digest.Sha256, "secret", "12345", "device", "pk", "");
    expect(password()).toBe("C8CB3DCB7159682438E5FD9A9C34F398E41BB8EDB6F222795E307BAFEE151090");
  });

  it("of the SDKs' identities (connect-sdk3-tls, connect-sdk4-tls, connect-npm)", () => {
    const secret = "ga7XA6KdlEeiPXQPpRbAjOZXwG8ydgSe";
    be(Digest.Sha256, secret, "a1X2bEnP82z.example1", "example1", "a1X2bEnP82z", "2524608000000");
    expect(password()).toBe("B8CE8F1D706DD3C61D13BFD9855DEF7E321B785084CA9C93F0169A2B46785DD2");
    be(Digest.Sha1, secret, "a1X2bEnP82z&example1", "example1", "a1X2bEnP82z", "1524448722000");
    expect(password().toLowerCase()).toBe("0918bcd1b16e78dec0c08d73015d805eaa0e9ac3");
  });

  it("signs the base of the client id alone: its extensions change nothing", () => {
    be(Digest.Sha256, "secret", "12345", "device", "pk", "");
    const before = password();
    clientId(true);
    clientId(false);
    expect(password()).toBe(before);
  });
});

describe("client id and user name", () => {
  it("name mode, method, timestamp and _ss", () => {
    be(Digest.Sha256, "s", "pk.device", "device", "pk", "2524608000000");
    expect(clientId(true)).toBe("pk.device|securemode=2,signmethod=hmacsha256,timestamp=2524608000000,_ss=1|");
    expect(clientId(false)).toBe("pk.device|securemode=3,signmethod=hmacsha256,timestamp=2524608000000,_ss=1|");
    be(Digest.Md5, "s", "x", "device", "pk", "");
    expect(clientId(true)).toBe("x|securemode=2,signmethod=hmacmd5,_ss=1|");
    be(Digest.Sha1, "s", "x", "device", "pk", "");
    expect(clientId(true)).toBe("x|securemode=2,signmethod=hmacsha1,_ss=1|");
    writerInit(writer, out, 256);
    putUserName(writer, identity);
    expect(text(out, writerDone(writer))).toBe("device&pk");
  });
});
