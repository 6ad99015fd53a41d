/** What a Code means, in words for people and for the `desc` of a progress report (at most 128 bytes, Alink §7). */
import { Code } from "../abi";
import { S } from "../bytes/text";
import { putByte, putSigned, putText, Writer } from "../bytes/writer";

function words(code: i32): usize {
  switch (code) {
    case Code.BadMessage:
      return S("malformed, or a member is missing or out of range");
    case Code.Unsupported:
      return S("not supported by this agent");
    case Code.OverLimit:
      return S("larger than the slot or a limit of this agent; bytes that fit");
    case Code.Refused:
      return S("refused by the server; status");
    case Code.TimedOut:
      return S("no answer in time");
    case Code.Interrupted:
      return S("interrupted; bytes received");
    case Code.BadDigest:
      return S("digest differs from the one announced: package is damaged or not the one meant");
    case Code.BadSize:
      return S("length differs from the one announced; bytes found");
    case Code.NotAllowed:
      return S("unencrypted path: use TLS, or name it in allowPlain (mqtt, http)");
    case Code.LinkFailed:
      return S("server cannot be reached");
    case Code.Untrusted:
      return S("certificate of the server is not trusted, or names another host");
    case Code.FlashFailed:
      return S("flash operation failed, or read back other bytes than were written");
    case Code.BootFailed:
      return S("new image did not start or was not confirmed: previous one runs; reason");
    default:
      return S("failed");
  }
}

export function describe(w: Writer, code: i32, detail: i32): void {
  putText(w, words(code));
  if (detail == 0) return;
  putByte(w, 32);
  putSigned(w, detail);
}
