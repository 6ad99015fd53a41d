/**
 * Who the device is, and what a signature is made of (Alink §1). All texts are counted texts (one length byte, then the
 * bytes), like literals.
 */
import { L, litLen, litPtr, wordAt } from "../bytes/text";
import { Digest, Hmac, hmacUpdate } from "../crypto/hmac";

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

/** Names of the sign methods as they go on the wire, in the order of Digest. */
export const SIGN_METHODS: usize = L("hmacmd5 hmacsha1 hmacsha256");

export function signMethodName(method: Digest): usize {
  return wordAt(SIGN_METHODS, method);
}
