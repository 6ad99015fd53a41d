/** What becomes of an offer: whether it is taken, and the beginning of the update in hand. */
import { Code } from "../abi";
import { constantTimeEqual, copy, S } from "../bytes/text";
import { urlParse, urlTls } from "../codec/url";
import { Fetch, fetchStart } from "./fetch";
import { slotLength } from "./flash";
import { DIGEST_MAX, offerEnd, VERSION_MAX } from "./offer";
import { emitFault, emitOffered } from "./update_events";
import { Failure, updateDigest, updateFrom, UpdatePhase, updateVersion } from "./update_state";
import { Task, Update, record, fail } from "./update_task";

/** Whether an offer in an incoming message may be read: it shares buffers with the update in hand. */
export function updateListens(u: Update): bool {
  // an image on trial is not replaced: the other slot holds what it would fall back to
  return (u.task == Task.Idle && !u.trial) || u.task == Task.Renew;
}

/** An offer was read to its end. */
export function updateOffer(u: Update): void {
  const o = u.offer;
  if (!o.any) return;
  // to report a failure here would end the task of the default module
  if (o.otherModule)
    return emitFault(u.events, Code.Unsupported, S("a package for a module that this agent does not update"));
  const code = offerEnd(o);
  const same =
    o.versionLength == u.running.versionLength && constantTimeEqual(o.version, u.running.version, o.versionLength);
  if (code == Code.Ok && same) {
    // it runs already: say so again
    u.informDue = true;
    return;
  }
  if (u.task == Task.Renew) {
    // another package than the one in the slot cannot be gone on with
    if (code != Code.Ok || !sameOffer(u)) {
      u.missed = true;
      return fail(u, Failure.Download, Code.Refused, u.fetch.detail);
    }
    u.task = Task.Fetch;
    return fetchStart(u.fetch, o.urlLength);
  }
  // after a restart: the package that was accepted before, under a new URL
  const known = u.state.phase == UpdatePhase.Accepted && <u32>u.state.slot != u.running.slot && sameOffer(u);
  take(u);
  emitOffered(u.events, u.state);
  const refusal = code == Code.Ok ? admissible(u) : code;
  if (refusal != Code.Ok)
    return fail(u, Failure.Upgrade, refusal, refusal == Code.OverLimit ? <i32>slotLength(u.flash, u.state.slot) : 0);
  if (known) u.task = Task.Accept;
  else record(u, UpdatePhase.Accepted, Task.Accept);
}

/** Whether the offer is the update in hand once more: version, size and digest. */
function sameOffer(u: Update): bool {
  const o = u.offer;
  const s = u.state;
  return (
    o.size == s.size &&
    <u32>o.method == s.method &&
    o.versionLength == s.versionLength &&
    constantTimeEqual(o.version, updateVersion(s), o.versionLength) &&
    constantTimeEqual(o.digest, updateDigest(s), DIGEST_MAX)
  );
}

/** Begin the update in hand from the offer: into the slot that does not run. */
function take(u: Update): void {
  const s = u.state;
  const o = u.offer;
  s.slot = <u8>(1 - u.running.slot);
  s.method = <u8>o.method;
  s.versionLength = <u8>o.versionLength;
  s.size = o.size;
  s.code = 0;
  s.detail = 0;
  s.step = 0;
  copy(updateDigest(s), o.digest, DIGEST_MAX);
  copy(updateVersion(s), o.version, VERSION_MAX);
  s.fromLength = <u8>u.running.versionLength;
  copy(updateFrom(s), u.running.version, u.running.versionLength);
  u.percent = 0;
  u.reported = 0;
  u.renewed = false;
}

/** Whether the offer may be taken at all: room, and where it came from (docs/design.md "Origin"). */
function admissible(u: Update): i32 {
  if (u.flash.sector == 0) return Code.Unsupported;
  if (u.state.size > slotLength(u.flash, u.state.slot)) return Code.OverLimit;
  if (!u.alink.session.secure && !u.plainMqtt) return Code.NotAllowed;
  const parsed = urlParse(u.url, u.offer.url, u.offer.urlLength);
  if (parsed < 0) return parsed;
  return urlTls(u.url) || u.plainHttp ? Code.Ok : Code.NotAllowed;
}
