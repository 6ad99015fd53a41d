/** Whether an offer may be taken: its signature, the path it came over, its version, its size. */
import { Code } from "../abi";
import { base64Decode } from "../bytes/base64";
import { litLen, litPtr } from "../bytes/text";
import { urlParse, urlTls } from "../codec/url";
import { Digest, digestFinal, digestInit, digestLength, digestUpdate } from "../crypto/hmac";
import { RSA_LENGTH, Rsa, rsaInit, rsaMatches } from "../crypto/rsa";
import { WITH_SIGNATURES, WITH_VERSION_ORDER } from "../profile";
import { slotLength } from "./flash";
import { updateDigest } from "./update_state";
import { Update } from "./update_task";
import { versionCompare } from "./version";

/** The verification of a signature uses the window that the package would come through. */
export function signatureContext(u: Update): Rsa {
  return changetype<Rsa>(u.image.window);
}

/** Begin to verify the offer's signature. -> false when it has none that could be one. */
export function signatureStart(u: Update): bool {
  const at = u.offer.signature;
  if (base64Decode(at, at, u.offer.signatureLength) != <i32>RSA_LENGTH) return false;
  return rsaInit(signatureContext(u), u.policy.key, at);
}

/** After the last step: whether it is one of the package's digest, as bytes (Alink §7 digestsign). */
export function signatureMatches(u: Update): bool {
  const d = u.image.digest;
  digestInit(Digest.Sha256, d);
  digestUpdate(Digest.Sha256, d, updateDigest(u.state), digestLength(<Digest>u.state.method));
  digestFinal(Digest.Sha256, d, u.scratch);
  return rsaMatches(signatureContext(u), u.scratch);
}

/** Whether the offer may be taken: room, version, and where it came from (docs/design.md "Origin"). -> Ok or why not. */
export function admissible(u: Update): i32 {
  const p = u.policy;
  const o = u.offer;
  if (u.flash.sector == 0) return Code.Unsupported;
  if (u.state.size > slotLength(u.flash, u.state.slot)) return Code.OverLimit;
  const floor = WITH_VERSION_ORDER ? litLen(p.floor) : 0;
  if (floor != 0 && versionCompare(o.version, o.versionLength, litPtr(p.floor), floor) < 0) return Code.Downgrade;
  const parsed = urlParse(u.url, o.url, u.fetch.urlLength);
  if (parsed < 0) return parsed;
  // what is signed may come over any path
  if (WITH_SIGNATURES && u.signed) return Code.Ok;
  return (u.alink.session.secure || p.plainMqtt) && (urlTls(u.url) || p.plainHttp) ? Code.Ok : Code.NotAllowed;
}
