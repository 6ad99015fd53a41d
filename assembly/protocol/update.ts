/**
 * The update of the default module, from an offer to the confirmed image (Alink §7; docs/design.md).
 *
 *   Idle ─ offer ─> (Check signature) ─> (Ask application) ─> Accept
 *   Accept ─> Fetch (<─> Renew URL) ─> Verified ─> Activate ─> Activated ─> Leave ─> Restart
 *   restart ─ running slot is the new one ─> Idle ─ version reported ─> Confirm ─> Install ─> Finish ─> Idle
 *   any failure ─> Drain ─> Failed ─> Report ─ acknowledged ─> Finish ─> Idle
 *   a newer package ─> Drain ─> Finish ─> Idle ─ asked for
 *
 * Steps that must survive a power cut are journal records; the rest is here. Only the boot loader knows which slot runs.
 */
import { Boot, BootOp, Code, Done, Want } from "../abi";
import { constantTimeEqual, S } from "../bytes/text";
import { Digest, digestLength } from "../crypto/hmac";
import { HTTP_BLOCK, WITH_CONFIRM, WITH_QUIET, WITH_SIGNATURES } from "../profile";
import { Alink } from "./alink";
import { backoffNext } from "./backoff";
import { fetchStart } from "./fetch";
import { fetchHeld, FetchPhase } from "./fetch_task";
import { Flash, slotLength } from "./flash";
import { imageComplete, imageDigest, imageDrained, imageInit, imageMarked, imageResume, imageStep } from "./image";
import { journalBusy, journalFailed, journalPut, Kind } from "./journal";
import { Phase, reached, sessionStart, sessionStop } from "./mqtt_session";
import { emitConfirmed, emitFault, emitRestart, emitVerified } from "./update_events";
import {
  Failure,
  install,
  installedSound,
  markIdentity,
  runningVersion,
  updateDigest,
  UpdatePhase,
  updateSound,
} from "./update_state";
import { Task, askSoon, BOOT_PENDING, Decision, Update, record, ask, fail, finish } from "./update_task";
import { updateCheck, updateDecided } from "./update_offer";
import { quietLeft } from "./update_policy";
import { report, progress, inform, askForFirmware, started } from "./update_report";

/** The last report and the DISCONNECT have this long, ms. */
const LEAVE_TIMEOUT: u32 = 10000;
/** An image on trial has this long to connect and report, ms; then it is given back. */
const TRIAL_TIMEOUT: u32 = 600000;
/** firmware/get is asked at most so often on a session, the second time after twice this wait, ms. */
const ASKS: u32 = 4;
const ASK_AGAIN: u32 = 15000;
/** After a failure a package that waits is asked for within this time, ever longer up to an hour, ms. */
const FAILED_BASE: u32 = 1000;
const FAILED_LONGEST: u32 = 3600000;
/** A new URL has this long, ms. */
const RENEW_TIMEOUT: u32 = 15000;

/** The journal is read: go on where the last run ended. */
export function updateResume(u: Update): void {
  const s = u.state;
  if (u.journal.length1 != 0 && !installedSound(u.installed)) u.journal.length1 = 0;
  if (u.mark.offset % HTTP_BLOCK != 0 || (u.flash.sector != 0 && u.mark.offset % u.flash.sector != 0))
    u.mark.offset = 0;
  if (u.journal.length2 == 0 || !updateSound(s, slotLength(u.flash, s.slot))) s.phase = <u8>UpdatePhase.None;
  runningVersion(u.running, u.installed, u.journal.length1, s, u.configured);
  const here = s.phase == UpdatePhase.Accepted && <u32>s.slot == u.running.slot;
  const started = s.phase == UpdatePhase.Verified || s.phase == UpdatePhase.Activated || here;
  // the boot loader knows whether this is a trial; the record knows of which update
  u.trial = u.running.how == Boot.Trial || (started && <u32>s.slot == u.running.slot);
  u.trialDue = u.now + TRIAL_TIMEOUT;
  if (s.phase == UpdatePhase.Failed) u.task = Task.Report;
  if (!started || u.trial) return;
  if (s.phase == UpdatePhase.Verified) u.task = Task.Verified;
  else fail(u, Failure.Upgrade, Code.BootFailed, u.running.how == Boot.FellBack ? u.running.reason : 0);
}

/** A session is there: report the version, then ask for a package that waits. */
export function updateConnected(u: Update): void {
  u.informDue = true;
  u.informId = 0;
  if (!WITH_CONFIRM || u.decision != Decision.Later) u.askDue = false;
  u.asked = 0;
}

/** The platform has a QoS 1 message. */
export function updateAcknowledged(u: Update, packetId: u32): void {
  if (packetId == u.informId) {
    u.informId = 0;
    if (u.trial && u.task == Task.Idle) ask(u, Task.Confirm, BootOp.Confirm, u.running.slot);
    else if (u.task == Task.Idle || u.task == Task.Renew) askSoon(u, 0);
    else u.missed = true;
  }
  if (packetId == u.reportId) {
    u.reportId = 0;
    if (u.task == Task.Report) finish(u);
  }
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
  if (confirming) return ok ? confirmed(u) : giveBack(u, S("the boot loader does not confirm the running image"));
  if (!ok) fail(u, Failure.Upgrade, Code.BootFailed, 0);
  else record(u, UpdatePhase.Activated, Task.Activated);
}

function confirmed(u: Update): void {
  u.trial = false;
  u.missed = true;
  u.task = Task.Finish;
  // without a record of it there is nothing to tell but that it runs
  if (u.state.phase == UpdatePhase.None || <u32>u.state.slot != u.running.slot) return;
  install(u.installed, u.state, digestLength(<Digest>u.state.method));
  emitConfirmed(u.events, u.state);
  u.task = Task.Install;
  if (u.flash.sector != 0) journalPut(u.journal, Kind.Installed);
}

/** The running image cannot be confirmed: restart, until the boot loader has used up its starts and falls back. */
function giveBack(u: Update, why: usize): void {
  emitFault(u.events, Code.BootFailed, why);
  u.reported = 100;
  u.due = u.now + LEAVE_TIMEOUT;
  u.task = Task.Leave;
}

/** An offer came that could not be read: ask for it, now or when the update in hand is over. */
export function updateMissed(u: Update): void {
  if (u.task == Task.Idle && !u.trial) askSoon(u, 0);
  else u.missed = true;
}

/** firmware/get got no answer: ask again, a few times and ever later. */
export function updateUnanswered(u: Update): void {
  u.asked += 1;
  if (u.asked < ASKS && u.task == Task.Idle) askSoon(u, ASK_AGAIN << u.asked);
}

/** What the host is asked for beside channels and flash. */
export function updateWant(u: Update): i32 {
  if (u.task == Task.Restart) return Want.Restart;
  return u.bootOp != BootOp.None ? Want.Boot : 0;
}

/** Go on by one bounded step. -> whether there is more to do now. */
export function updateStep(u: Update, now: u32): bool {
  u.now = now;
  if (WITH_QUIET) u.fetch.held = quietLeft(u.policy, now) != 0;
  // a failure is told first: the version may bring the next package, whose task a late report would end
  if (u.informDue && u.task < Task.Drain) inform(u);
  if (WITH_SIGNATURES && u.task == Task.Check) return updateCheck(u);
  if (WITH_CONFIRM && u.task == Task.Ask && u.decision != Decision.None) updateDecided(u);
  const pause = u.policy.pause && u.task == Task.Fetch && !fetchHeld(u.fetch);
  if (pause != u.paused) pauseLink(u);
  if (u.askDue && reached(now, u.askAt) && (u.task == Task.Idle || u.task == Task.Renew)) askForFirmware(u);
  if (u.trial && u.task == Task.Idle && u.running.how == Boot.Trial && reached(now, u.trialDue)) {
    giveBack(u, S("the image on trial did not connect in time"));
  }
  if ((u.task == Task.Confirm || u.task == Task.Activate) && u.bootOp == BootOp.None && u.bootResult != BOOT_PENDING)
    booted(u);
  // once the boot loader was asked, going on is safer than going back
  if (journalFailed(u.journal) && u.task >= Task.Accept && u.task < Task.Activate) {
    fail(u, Failure.Flash, Code.FlashFailed, 0);
  }
  if (u.task == Task.Fetch) return fetching(u);
  if (u.task == Task.Drain) drain(u);
  if (u.task == Task.Renew) renew(u);
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
      imageResume(u.image);
      fetchStart(u.fetch, u.fetch.urlLength);
      u.task = Task.Fetch;
      return;
    case Task.Verified:
      // nobody wants a restart in the quiet hours
      if (!fetchHeld(u.fetch)) ask(u, Task.Activate, BootOp.Activate, u.state.slot);
      return;
    case Task.Activated:
      u.due = u.now + LEAVE_TIMEOUT;
      u.task = Task.Leave;
      u.reportId = 0;
      // the last report needs a session: do not wait for the back-off
      if (u.alink.session.phase == Phase.Waiting) sessionStart(u.alink.session);
      emitRestart(u.events, u.state);
      return;
    case Task.Install:
      return finish(u);
    case Task.Finish:
      u.task = Task.Idle;
      u.fetch.phase = FetchPhase.Idle;
      // an offer that came meanwhile was not read: ask for it
      if (u.missed) askSoon(u, u.state.step == 0 ? 0 : failureWait(u));
      u.missed = false;
      return;
    case Task.Failed:
      u.task = Task.Report;
  }
}

/** A platform that offers again and again what fails is asked ever less often. */
function failureWait(u: Update): u32 {
  return backoffNext(u.backoff, u.fetch.random, FAILED_BASE, FAILED_LONGEST);
}

function fetching(u: Update): bool {
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
  // one at a time at the flash: a mark is written before anything behind it, and taken back before anything below it
  if (journalBusy(u.journal)) return false;
  if (imageMarked(u.image)) {
    u.mark.identity = markIdentity(u.state);
    journalPut(u.journal, Kind.Mark);
    return false;
  }
  if (f.phase == FetchPhase.Done && imageComplete(u.image)) {
    verify(u);
    return false;
  }
  // what comes of it is for the next step: hashing is work enough
  return imageStep(u.image) || u.image.failed || (f.phase == FetchPhase.Done && imageComplete(u.image));
}

/** "updateLink": "pause": one TLS session at a time. */
function pauseLink(u: Update): void {
  const s = u.alink.session;
  if (!u.paused) {
    if (s.phase != Phase.Ready) return;
    started(u);
    sessionStop(s);
  } else sessionStart(s);
  u.paused = !u.paused;
}

/** Without a session nobody can be asked for a new URL: the time starts with it. */
function renew(u: Update): void {
  if (u.alink.session.phase != Phase.Ready) u.due = u.now + RENEW_TIMEOUT;
  else if (reached(u.now, u.due)) fail(u, Failure.Download, Code.Refused, u.fetch.detail);
}

/** 401 and 403 are what a URL gets when its time is over (Alink §7): ask for a new one, once. */
function fetchFailed(u: Update): void {
  const f = u.fetch;
  const expired = f.fault == Code.Refused && (f.detail == 403 || f.detail == 401);
  const again = u.renewed != 0 && u.image.placed < u.renewed + <u32>HTTP_BLOCK;
  if (!expired || again) return fail(u, Failure.Download, f.fault, f.detail);
  u.renewed = u.image.placed + 1;
  u.due = u.now + RENEW_TIMEOUT;
  u.task = Task.Renew;
  askSoon(u, 0);
}

function verify(u: Update): void {
  imageDigest(u.image, u.scratch);
  const length = digestLength(<Digest>u.state.method);
  if (!constantTimeEqual(u.scratch, updateDigest(u.state), length)) return fail(u, Failure.Verify, Code.BadDigest, 0);
  u.backoff.attempt = 0;
  emitVerified(u.events, u.state);
  record(u, UpdatePhase.Verified, Task.Verified);
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
  else if (said) sessionStop(s);
}

/** After a failure: let go of link and flash before anything else is started. */
function drain(u: Update): void {
  const f = u.fetch;
  if (f.phase == FetchPhase.Closing || journalBusy(u.journal) || !imageDrained(u.image)) return;
  f.phase = FetchPhase.Idle;
  if (u.abandoned) finish(u);
  else record(u, UpdatePhase.Failed, Task.Failed);
  u.abandoned = false;
}

/** Milliseconds until updateStep has something to do; -1 = nothing that time alone brings. */
export function updateTimeout(u: Update): i32 {
  if (u.task == Task.Leave || u.task == Task.Renew) return left(u, u.due);
  if (WITH_QUIET && (u.task == Task.Fetch || u.task == Task.Verified))
    return u.fetch.held ? <i32>quietLeft(u.policy, u.now) : -1;
  if (u.task != Task.Idle) return -1;
  let ms: i32 = u.trial && u.running.how == Boot.Trial ? left(u, u.trialDue) : -1;
  if (u.askDue && u.alink.session.phase == Phase.Ready && (ms < 0 || left(u, u.askAt) < ms)) ms = left(u, u.askAt);
  return ms;
}

function left(u: Update, due: u32): i32 {
  const ms = <i32>(due - u.now);
  return ms < 0 ? 0 : ms;
}
