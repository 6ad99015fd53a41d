/** What a Code means, in words for people and for the `desc` of a progress report (at most 128 bytes, Alink §7). */
import { Code } from "../abi";
import { S } from "../bytes/text";
import { putSigned, putText, Writer } from "../bytes/writer";
import { WITH_WORDS } from "../profile";

function words(code: i32): usize {
  switch (code) {
    case Code.BadMessage:
      return S("malformed, or a member is missing or out of range");
    case Code.Unsupported:
      return S("not supported by this agent");
    case Code.OverLimit:
      return S("larger than the slot or a limit of this agent");
    case Code.Refused:
      return S("refused");
    case Code.TimedOut:
      return S("no answer in time");
    case Code.Interrupted:
      return S("interrupted");
    case Code.BadDigest:
      return S("digest differs from the one announced: package is damaged or not the one meant");
    case Code.BadSize:
      return S("length differs from the one announced");
    case Code.BadSignature:
      return S("signature is missing or wrong: sign the package with the key that updateKey belongs to");
    case Code.Downgrade:
      return S("version is older than updateFloor allows");
    case Code.Declined:
      return S("declined by the application");
    case Code.NotAllowed:
      return S("unencrypted path: use TLS, or name it in allowPlain (mqtt, http)");
    case Code.LinkFailed:
      return S("server cannot be reached");
    case Code.Untrusted:
      return S("certificate of the server is not trusted, or names another host");
    case Code.FlashFailed:
      return S("flash operation failed, or read back other bytes than were written");
    case Code.BootFailed:
      return S("new image did not start or was not confirmed: the previous one runs");
    default:
      return S("failed");
  }
}

/** What the number beside a code counts; 0 = it is for programs alone. */
function unit(code: i32): usize {
  switch (code) {
    case Code.Refused:
      return S("; status ");
    case Code.OverLimit:
      return S("; bytes that fit: ");
    case Code.Interrupted:
      return S("; bytes received: ");
    case Code.BadSize:
      return S("; bytes found: ");
    case Code.BootFailed:
      return S("; reason ");
    default:
      return 0;
  }
}

/** Without words, the two numbers. */
export function describe(w: Writer, code: i32, detail: i32): void {
  if (!WITH_WORDS) {
    putSigned(w, code);
    putText(w, S("; "));
    return putSigned(w, detail);
  }
  const expired = code == Code.Refused && (detail == 403 || detail == 401);
  putText(w, expired ? S("the URL has expired or is refused: make a new upgrade job") : words(code));
  if (detail == 0 || unit(code) == 0) return;
  putText(w, unit(code));
  putSigned(w, detail);
}
