/** What becomes of an offer: whether it is taken, and the beginning of the update in hand. */
import { Code } from "../abi";
import { constantTimeEqual, copy, S } from "../bytes/text";
import { rsaStep } from "../crypto/rsa";
import { WITH_CONFIRM, WITH_SIGNATURES, WITH_VERSION_ORDER } from "../profile";
import { slotLength } from "./flash";
import { DIGEST_MAX, offerEnd, VERSION_MAX } from "./offer";
import { fetchStart } from "./fetch";
import { emitFault, emitOffered } from "./update_events";
import { admissible, signatureContext, signatureMatches, signatureStart } from "./update_origin";
import { Failure, updateDigest, updateFrom, UpdatePhase, updateVersion } from "./update_state";
import { abandon, askSoon, Decision, Task, Update, record, fail } from "./update_task";
import { versionCompare } from "./version";

/** How an offer in an incoming message may be read. */
export const enum Listening {
  /** Not at all: the image is there already, or an outcome has to be reported first. */
  No = 0,
  /** Without its URL and signature: an update is in hand, and only whether this one is newer counts. */
  Brief = 1,
  Whole = 2,
}

export function updateListens(u: Update): Listening {
  // an image on trial is not replaced: the other slot holds what it would fall back to
  if ((u.task == Task.Idle && !u.trial) || u.task == Task.Renew) return Listening.Whole;
  return u.task >= Task.Check && u.task <= Task.Fetch ? Listening.Brief : Listening.No;
}

/** An offer was read to its end, in the way that updateListens said. */
export function updateOffer(u: Update): void {
  const o = u.offer;
  if (!o.any) return;
  // to report a failure here would end the task of the default module
  if (o.otherModule)
    return emitFault(u.events, Code.Unsupported, S("a package for a module that this agent does not update"));
  const code = offerEnd(o);
  if (o.brief) return rival(u, code);
  const same =
    o.versionLength == u.running.versionLength && constantTimeEqual(o.version, u.running.version, o.versionLength);
  if (code == Code.Ok && same) {
    // it runs already: say so again
    u.informDue = true;
    return;
  }
  if (u.task == Task.Renew) {
    // another package than the one in the slot cannot be gone on with
    if (code != Code.Ok || !sameOffer(u)) return replaced(u);
    u.task = Task.Fetch;
    return fetchStart(u.fetch, o.urlLength);
  }
  take(u);
  if (!WITH_SIGNATURES || code != Code.Ok || !u.policy.keyed) return judge(u, code);
  if (!signatureStart(u)) return judge(u, Code.BadSignature);
  u.task = Task.Check;
}

/** Another offer while an update is in hand: the same package twice is one update, and only a newer one replaces it. */
function rival(u: Update, code: i32): void {
  const o = u.offer;
  if (code == Code.Ok && sameOffer(u)) return;
  const newer =
    WITH_VERSION_ORDER && versionCompare(o.version, o.versionLength, updateVersion(u.state), u.state.versionLength) > 0;
  if (code == Code.Ok && newer) replaced(u);
  else u.missed = true;
}

/** Whatever were reported of the update in hand would count for the package that took its place. */
function replaced(u: Update): void {
  emitFault(u.events, Code.Ok, S("another package takes the place of the update in hand"));
  abandon(u);
}

/** Go on with the signature. -> whether there is more to do now. */
export function updateCheck(u: Update): bool {
  if (rsaStep(signatureContext(u))) return true;
  u.signed = signatureMatches(u);
  judge(u, u.signed ? Code.Ok : Code.BadSignature);
  return true;
}

/** `code`: what is known against the offer so far. */
function judge(u: Update, code: i32): void {
  const refusal = code == Code.Ok ? admissible(u) : code;
  const ask = WITH_CONFIRM && refusal == Code.Ok && u.policy.ask && !u.known;
  emitOffered(u.events, u.state, ask);
  if (refusal != Code.Ok)
    return fail(u, Failure.Upgrade, refusal, refusal == Code.OverLimit ? <i32>slotLength(u.flash, u.state.slot) : 0);
  u.fetch.plainAllowed = (WITH_SIGNATURES && u.signed) || u.policy.plainHttp;
  u.decision = Decision.None;
  if (ask) u.task = Task.Ask;
  else accept(u);
}

/** The application has decided. */
export function updateDecided(u: Update): void {
  if (u.decision == Decision.Accept) return accept(u);
  if (u.decision == Decision.Never) return fail(u, Failure.Upgrade, Code.Declined, 0);
  u.task = Task.Idle;
  u.askDue = false;
  askSoon(u, u.laterMs);
}

/**
 * Also after a restart, when the acceptance stands in the journal: the first record of a run begins a new log, so whatever a
 * cut left unstable in the old one (a mark, a verification that reads as valid only at times) can not come back
 * once the slot is written again.
 */
function accept(u: Update): void {
  record(u, UpdatePhase.Accepted, Task.Accept);
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
  u.known = s.phase == UpdatePhase.Accepted && <u32>s.slot != u.running.slot && sameOffer(u);
  if (!u.known) s.phase = <u8>UpdatePhase.None;
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
  u.fetch.urlLength = o.urlLength;
  if (WITH_SIGNATURES) u.signed = false;
  u.percent = 0;
  u.reported = 0;
  u.renewed = 0;
}
