/** How the device proves who it is over MQTT: client id, user name and password (Alink §1). */
import { litLen, litPtr, S } from "../bytes/text";
import { putDecimal, putHex, putText, Writer } from "../bytes/writer";
import { digestLength, Hmac, hmacFinal, hmacInit } from "../crypto/hmac";
import { absorb, Identity, signMethodName } from "./sign";

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
