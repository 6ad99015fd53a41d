/**
 * Who the device is, and how it proves it: MQTT client id, user name and password (Alink §1). All texts are counted
 * texts (one length byte, then the bytes), like literals.
 */
import { litLen, litPtr, S } from "../bytes/text";
import { putDecimal, putHex, putText, Writer } from "../bytes/writer";
import { WITH_SHA1 } from "../crypto/grade";
import { Digest, digestLength } from "../crypto/hmac";
import { Hmac, hmacFinal, hmacInit, hmacUpdate } from "../crypto/hmac";

@unmanaged
@final
export class Identity {
  productKey: usize = 0;
  deviceName: usize = 0;
  deviceSecret: usize = 0;
  /** Base of the client id: what stands before the first bar; at most 64 bytes. */
  clientId: usize = 0;
  /** Milliseconds as text; empty = not sent. */
  timestamp: usize = 0;
  /** Whoever reads the configuration begins with Sha256 (Alink §1). */
  signMethod: Digest = 0;
}

/** Take a submitted member into the signature: its name, then its value. */
export function absorb(ctx: Hmac, key: usize, value: usize): void {
  hmacUpdate(ctx, litPtr(key), litLen(key));
  hmacUpdate(ctx, litPtr(value), litLen(value));
}

/**
 * Sign the submitted members in ASCII order, each name followed by its value: clientId, deviceName, productKey and,
 * when there is one, timestamp (Alink §1 "content"). `out` takes digestLength(signMethod) bytes.
 */
export function sign(ctx: Hmac, identity: Identity, out: usize): void {
  hmacInit(ctx, identity.signMethod, litPtr(identity.deviceSecret), litLen(identity.deviceSecret));
  absorb(ctx, S("clientId"), identity.clientId);
  absorb(ctx, S("deviceName"), identity.deviceName);
  absorb(ctx, S("productKey"), identity.productKey);
  if (litLen(identity.timestamp) != 0) absorb(ctx, S("timestamp"), identity.timestamp);
  hmacFinal(ctx, out);
}

/** Name of a sign method as it goes on the wire. */
export function signMethodName(method: Digest): usize {
  if (WITH_SHA1 && method == Digest.Sha1) return S("hmacsha1");
  return method == Digest.Md5 ? S("hmacmd5") : S("hmacsha256");
}

/**
 * Client id with its extensions: `secure` says whether the link is TLS; _ss=1 asks the platform to subscribe the system
 * topics for the device.
 */
export function putClientId(w: Writer, identity: Identity, secure: bool): void {
  putText(w, identity.clientId);
  putText(w, S("|securemode="));
  putDecimal(w, secure ? 2 : 3);
  putText(w, S(",signmethod="));
  putText(w, signMethodName(identity.signMethod));
  if (litLen(identity.timestamp) != 0) {
    putText(w, S(",timestamp="));
    putText(w, identity.timestamp);
  }
  putText(w, S(",_ss=1|"));
}

export function putUserName(w: Writer, identity: Identity): void {
  putText(w, identity.deviceName);
  putText(w, S("&"));
  putText(w, identity.productKey);
}

/** The password: `mac` in upper-case hexadecimal. */
export function putPassword(w: Writer, identity: Identity, mac: usize): void {
  putHex(w, mac, digestLength(identity.signMethod), true);
}
