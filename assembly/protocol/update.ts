/**
 * The update of the default module, from an offer to the confirmed image (Alink §7; docs/design.md).
 *
 *   Idle ─ offer ─> Accept ─> Fetch ─> Verified ─> Activate ─> Activated ─> Leave ─> Restart
 *   restart ─ running slot is the new one ─> Idle ─ version reported ─> Confirm ─> Install ─> Finish ─> Idle
 *   any failure ─> Drain ─> Failed ─> Report ─ acknowledged ─> Finish ─> Idle
 *
 * Steps that must survive a power cut are journal records; the rest is here. Only the boot loader knows which slot runs.
 */
import { Boot, BootOp, Code, Done, Want } from "../abi";
import { constantTimeEqual, copy } from "../bytes/text";
import { Digest, digestLength } from "../crypto/hmac";
import { Url, urlParse, urlTls } from "../codec/url";
import { Alink, nextMessage, pendingAdd, pendingRoom, send } from "./alink";
import { Events } from "./events";
import { Fetch, fetchCancel, FetchPhase, fetchStart } from "./fetch";
import { Flash, slotLength } from "./flash";
import { Image, imageComplete, imageDigest, imageDrained, imageInit, imageStep } from "./image";
import { Journal, journalBusy, journalFailed, journalPut, Kind } from "./journal";
import { Phase, reached, sessionStop } from "./mqtt_session";
import { DIGEST_MAX, Offer, offerEnd, VERSION_MAX } from "./offer";
import { Topic } from "./topics";
import {
  emitConfirmed,
  emitFailed,
  emitOffered,
  emitProgress,
  emitRestart,
  emitVerified,
  putDescription,
} from "./update_events";
import {
  install,
  Installed,
  INSTALLED_SIZE,
  installedSound,
  installedVersion,
  Running,
  runningVersion,
  UPDATE_SIZE,
  updateDigest,
  updateFrom,
  UpdatePhase,
  updateSound,
  UpdateState,
  updateVersion,
} from "./update_state";

export const enum Task {
  Idle = 0,
  /** The acceptance is being recorded. */
  Accept = 1,
  Fetch = 2,
  /** A new URL was asked for because the old one is refused. */
  Renew = 3,
  Verified = 4,
  Activate = 5,
  Activated = 6,
  /** The last progress report goes out and the session goes down. */
  Leave = 7,
  Restart = 8,
  Confirm = 9,
  Install = 10,
  Finish = 11,
  /** A failure: wait for what the host still has in hand. */
  Drain = 12,
  Failed = 13,
  Report = 14,
}

/** Progress reports are at least this far apart, ms (Alink §7). */
const PROGRESS_INTERVAL: u32 = 1000;
/** The last report and the DISCONNECT have this long, ms. */
const LEAVE_TIMEOUT: u32 = 5000;
/** A new URL has this long, ms. */
const RENEW_TIMEOUT: u32 = 15000;

/** The boot loader has not answered yet. */
const BOOT_PENDING: i32 = 1;

/** Steps of a failed update (Alink §7). */
const enum Failure {
  Upgrade = -1,
  Download = -2,
  Verify = -3,
  Flash = -4,
}

@unmanaged
@final
export class Update {
  task: Task = Task.Idle;
  now: u32 = 0;
  due: u32 = 0;
  plainMqtt: bool = false;
  plainHttp: bool = false;
  /** The running image is the one of the update in hand: confirm it once its version was reported. */
  trial: bool = false;
  /** A second refusal of the same package's URL is final. */
  renewed: bool = false;
  /** Packet identifiers of the inform and of the report that an acknowledgement is awaited for; 0 = none. */
  informId: u32 = 0;
  reportId: u32 = 0;
  informDue: bool = false;
  askDue: bool = false;
  percent: u32 = 0;
  reported: u32 = 0;
  reportedAt: u32 = 0;
  bootOp: BootOp = BootOp.None;
  bootSlot: u32 = 0;
  bootResult: i32 = 0;
  alink: Alink = changetype<Alink>(0);
  events: Events = changetype<Events>(0);
  flash: Flash = changetype<Flash>(0);
  image: Image = changetype<Image>(0);
  fetch: Fetch = changetype<Fetch>(0);
  journal: Journal = changetype<Journal>(0);
  offer: Offer = changetype<Offer>(0);
  url: Url = changetype<Url>(0);
  state: UpdateState = changetype<UpdateState>(0);
  installed: Installed = changetype<Installed>(0);
  running: Running = changetype<Running>(0);
  configured: usize = 0;
  scratch: usize = 0;
}

/** Bytes for a digest and for a description. */
export const UPDATE_SCRATCH: u32 = DIGEST_MAX + 128;

/** Whether an offer in an incoming message may be read: it shares buffers with the update in hand. */
export function updateListens(u: Update): bool {
  // an image on trial is not replaced: the other slot holds what it would fall back to
  return (u.task == Task.Idle && !u.trial) || u.task == Task.Renew;
}

/** The journal is read: go on where the last run ended. */
export function updateResume(u: Update): void {
  const s = u.state;
  if (u.journal.length1 != 0 && !installedSound(u.installed)) u.journal.length1 = 0;
  if (u.journal.length2 == 0 || !updateSound(s, slotLength(u.flash, s.slot))) s.phase = <u8>UpdatePhase.None;
  runningVersion(u.running, u.installed, u.journal.length1, s, u.configured);
  const started = s.phase == UpdatePhase.Verified || s.phase == UpdatePhase.Activated;
  if (s.phase == UpdatePhase.Failed) u.task = Task.Report;
  if (!started) return;
  if (<u32>s.slot == u.running.slot) u.trial = true;
  else if (s.phase == UpdatePhase.Verified) u.task = Task.Verified;
  else fail(u, Failure.Upgrade, Code.BootFailed, u.running.how == Boot.FellBack ? u.running.reason : 0);
}

/** A session is there: report the version, then ask for a package that waits. */
export function updateConnected(u: Update): void {
  u.informDue = true;
  u.informId = 0;
  u.askDue = false;
}

/** The platform has a QoS 1 message. */
export function updateAcknowledged(u: Update, packetId: u32): void {
  if (packetId == u.informId) {
    u.informId = 0;
    if (u.trial && u.task == Task.Idle) {
      u.trial = false;
      ask(u, Task.Confirm, BootOp.Confirm, u.running.slot);
    } else if (u.task == Task.Idle || u.task == Task.Renew) u.askDue = true;
  }
  if (packetId == u.reportId) {
    u.reportId = 0;
    if (u.task == Task.Report) finish(u);
  }
}

/** An offer was read to its end. */
export function updateOffer(u: Update): void {
  const o = u.offer;
  if (!o.any) return;
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
    const other =
      code != Code.Ok || !constantTimeEqual(o.digest, updateDigest(u.state), DIGEST_MAX) || o.size != u.state.size;
    if (other) return fail(u, Failure.Download, Code.Refused, u.fetch.detail);
    u.task = Task.Fetch;
    return fetchStart(u.fetch, o.urlLength);
  }
  take(u);
  emitOffered(u.events, u.state);
  const refusal = code == Code.Ok ? admissible(u) : code;
  if (refusal != Code.Ok)
    return fail(u, Failure.Upgrade, refusal, refusal == Code.OverLimit ? <i32>slotLength(u.flash, u.state.slot) : 0);
  record(u, UpdatePhase.Accepted, Task.Accept);
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

/** Record a phase; `then` is the task once it is written. */
function record(u: Update, phase: UpdatePhase, then: Task): void {
  u.state.phase = <u8>phase;
  u.task = then;
  if (u.flash.sector != 0) journalPut(u.journal, Kind.Update, UPDATE_SIZE);
}

/** Ask the boot loader. */
function ask(u: Update, task: Task, op: BootOp, slot: u32): void {
  u.task = task;
  u.bootOp = op;
  u.bootSlot = slot;
  u.bootResult = BOOT_PENDING;
}

function fail(u: Update, step: Failure, code: i32, detail: i32): void {
  const s = u.state;
  s.step = <i8>step;
  s.code = code;
  s.detail = detail;
  fetchCancel(u.fetch);
  u.reportId = 0;
  u.task = Task.Drain;
  emitFailed(u.events, s, u.scratch + DIGEST_MAX);
}

/** The update in hand is over, and the platform knows. */
function finish(u: Update): void {
  record(u, UpdatePhase.None, Task.Finish);
}

/** The boot loader has answered; the next step acts on it, because it may have to emit events. */
export function updateBooted(u: Update, result: i32): void {
  u.bootOp = BootOp.None;
  u.bootResult = result;
}

function booted(u: Update): void {
  const confirming = u.task == Task.Confirm;
  const ok = u.bootResult == Done.Ok;
  u.bootResult = BOOT_PENDING;
  if (!ok) return fail(u, Failure.Upgrade, Code.BootFailed, 0);
  if (confirming) {
    install(u.installed, u.state, digestLength(<Digest>u.state.method));
    u.running.version = installedVersion(u.installed);
    emitConfirmed(u.events, u.state);
    u.task = Task.Install;
    if (u.flash.sector != 0) journalPut(u.journal, Kind.Installed, INSTALLED_SIZE);
  } else record(u, UpdatePhase.Activated, Task.Activated);
}

/** What the host is asked for beside channels and flash. */
export function updateWant(u: Update): i32 {
  if (u.task == Task.Restart) return Want.Restart;
  return u.bootOp != BootOp.None ? Want.Boot : 0;
}

/** Go on by one bounded step. -> whether there is more to do now. */
export function updateStep(u: Update, now: u32): bool {
  u.now = now;
  if (u.informDue) inform(u);
  if (u.askDue && (u.task == Task.Idle || u.task == Task.Renew)) askForFirmware(u);
  if ((u.task == Task.Confirm || u.task == Task.Activate) && u.bootOp == BootOp.None && u.bootResult != BOOT_PENDING)
    booted(u);
  // once the boot loader was asked, going on is safer than going back
  if (journalFailed(u.journal) && u.task >= Task.Accept && u.task < Task.Activate) {
    fail(u, Failure.Flash, Code.FlashFailed, 0);
  }
  if (u.task == Task.Fetch) return fetching(u);
  if (u.task == Task.Drain) drain(u);
  if (u.task == Task.Renew && reached(now, u.due)) fail(u, Failure.Download, Code.Refused, u.fetch.detail);
  if (u.task == Task.Leave) leave(u);
  if (u.task == Task.Report && u.reportId == 0) u.reportId = progress(u, u.state.step);
  if (journalBusy(u.journal)) return false;
  recorded(u);
  return false;
}

/** What was being recorded is recorded. */
function recorded(u: Update): void {
  switch (u.task) {
    case Task.Accept:
      imageInit(u.image, u.state.slot, u.state.size, <Digest>u.state.method);
      fetchStart(u.fetch, u.offer.urlLength);
      u.task = Task.Fetch;
      return;
    case Task.Verified:
      return ask(u, Task.Activate, BootOp.Activate, u.state.slot);
    case Task.Activated:
      u.due = u.now + LEAVE_TIMEOUT;
      u.task = Task.Leave;
      u.reportId = 0;
      emitRestart(u.events, u.state);
      return;
    case Task.Install:
      // an offer that came while the image was on trial was not read: ask for it
      u.askDue = true;
      return finish(u);
    case Task.Finish:
      u.task = Task.Idle;
      u.fetch.phase = FetchPhase.Idle;
      return;
    case Task.Failed:
      u.task = Task.Report;
  }
}

function fetching(u: Update): bool {
  const more = imageStep(u.image);
  const f = u.fetch;
  if (u.image.failed) {
    fail(u, Failure.Flash, Code.FlashFailed, 0);
    return false;
  }
  if (f.phase == FetchPhase.Failed) {
    fetchFailed(u);
    return false;
  }
  report(u);
  if (f.phase == FetchPhase.Done && imageComplete(u.image)) verify(u);
  return more;
}

/** 401 and 403 are what a URL gets when its time is over (Alink §7): ask for a new one, once. */
function fetchFailed(u: Update): void {
  const f = u.fetch;
  const expired = f.fault == Code.Refused && (f.detail == 403 || f.detail == 401);
  if (!expired || u.renewed) return fail(u, Failure.Download, f.fault, f.detail);
  u.renewed = true;
  u.due = u.now + RENEW_TIMEOUT;
  u.task = Task.Renew;
  u.askDue = true;
}

function verify(u: Update): void {
  imageDigest(u.image, u.scratch);
  const length = digestLength(<Digest>u.state.method);
  if (!constantTimeEqual(u.scratch, updateDigest(u.state), length)) return fail(u, Failure.Verify, Code.BadDigest, 0);
  emitVerified(u.events, u.state);
  record(u, UpdatePhase.Verified, Task.Verified);
}

/** Tell how far the download is: the application at each percent, the platform at most once a second. */
function report(u: Update): void {
  const percent = <u32>((<u64>u.image.done * 100) / u.state.size);
  if (percent != u.percent) {
    u.percent = percent;
    emitProgress(u.events, percent, u.image.done, u.state.size);
  }
  const due = u.reported == 0 || reached(u.now, u.reportedAt + PROGRESS_INTERVAL);
  // 100 is for the end, when the image is verified and chosen
  if (percent == 0 || percent > 99 || percent == u.reported || !due) return;
  u.reported = percent;
  u.reportedAt = u.now;
  const m = nextMessage(u.alink, Topic.Progress);
  m.number = <i32>percent;
  // one that finds no room is left out: the next one says more
  if (u.alink.session.phase == Phase.Ready) send(u.alink, m, 0);
}

/** Send a report that must arrive. -> its packet identifier, 0 = not now. */
function progress(u: Update, step: i32): u32 {
  if (u.alink.session.phase != Phase.Ready) return 0;
  const m = nextMessage(u.alink, Topic.Progress);
  m.number = step;
  m.body = u.scratch + DIGEST_MAX;
  m.bodyLength = step < 0 ? putDescription(u.events.writer, m.body, u.state) : 0;
  const packetId = send(u.alink, m, 1);
  return packetId > 0 ? packetId : 0;
}

function inform(u: Update): void {
  if (u.alink.session.phase != Phase.Ready) return;
  const m = nextMessage(u.alink, Topic.Inform);
  m.body = u.running.version;
  m.bodyLength = u.running.versionLength;
  const packetId = send(u.alink, m, 1);
  if (packetId <= 0) return;
  u.informDue = false;
  u.informId = packetId;
}

function askForFirmware(u: Update): void {
  if (u.alink.session.phase != Phase.Ready || !pendingRoom(u.alink)) return;
  const m = nextMessage(u.alink, Topic.FirmwareGet);
  if (send(u.alink, m, 0) < 0) return;
  pendingAdd(u.alink, m.id, Topic.FirmwareGet);
  u.askDue = false;
}

/** The last report, an orderly end of the session, then the restart; neither may hold it up for long. */
function leave(u: Update): void {
  const s = u.alink.session;
  if (u.reported < 100) {
    u.reportId = progress(u, 100);
    if (u.reportId != 0) u.reported = 100;
  }
  const said = u.reported == 100 && s.window.flights == 0 && s.window.out == s.window.end;
  const late = reached(u.now, u.due);
  if (s.phase == Phase.Down || late) u.task = Task.Restart;
  else if (s.phase != Phase.Ready || said) sessionStop(s);
}

/** After a failure: let go of link and flash before anything else is started. */
function drain(u: Update): void {
  const f = u.fetch;
  if (f.phase == FetchPhase.Closing) return;
  if (!imageDrained(u.image)) return;
  f.phase = FetchPhase.Idle;
  record(u, UpdatePhase.Failed, Task.Failed);
}

/** Milliseconds until updateStep has something to do; -1 = nothing that time alone brings. */
export function updateTimeout(u: Update): i32 {
  if (u.task != Task.Leave && u.task != Task.Renew) return -1;
  const ms = <i32>(u.due - u.now);
  return ms < 0 ? 0 : ms;
}
