/**
 * The update in hand: what is remembered of it beside its record, and the steps that every part of it may take.
 */
import { BootOp } from "../abi";
import { Url } from "../codec/url";
import { WITH_CONFIRM } from "../profile";
import { Alink } from "./alink";
import { Backoff } from "./backoff";
import { Events } from "./events";
import { Fetch, fetchCancel } from "./fetch_task";
import { Flash } from "./flash";
import { Image } from "./image";
import { Journal, journalPut, Kind } from "./journal";
import { DIGEST_MAX, Offer } from "./offer";
import { emitFailed } from "./update_events";
import { Policy } from "./update_policy";
import { Failure, Installed, Mark, Running, UpdatePhase, UpdateState } from "./update_state";

export const enum Task {
  Idle = 0,
  /** The signature of an offer is being verified. */
  Check = 1,
  /** The application has to decide. */
  Ask = 2,
  /** The acceptance is being recorded. */
  Accept = 3,
  Fetch = 4,
  /** A new URL was asked for because the old one is refused. */
  Renew = 5,
  Verified = 6,
  Activate = 7,
  Activated = 8,
  /** The last progress report goes out and the session goes down. */
  Leave = 9,
  Restart = 10,
  Confirm = 11,
  Install = 12,
  Finish = 13,
  /** A failure, or another package: wait for what the host still has in hand. */
  Drain = 14,
  Failed = 15,
  Report = 16,
}

/** What the application says to a package. */
export const enum Decision {
  None = 0,
  Accept = 1,
  Later = 2,
  Never = 3,
}

/** The boot loader has not answered yet. */
export const BOOT_PENDING: i32 = 1;

@unmanaged
@final
export class Update {
  task: Task = Task.Idle;
  now: u32 = 0;
  due: u32 = 0;
  /** The running image is the one of the update in hand: confirm it once its version was reported. */
  trial: bool = false;
  /** The offer's signature was verified. */
  signed: bool = false;
  /** The package was accepted before the restart. */
  known: bool = false;
  /** The MQTT session was taken down for the download. */
  paused: bool = false;
  /** The update in hand ends without an outcome: the platform has another one for us. */
  abandoned: bool = false;
  decision: Decision = Decision.None;
  /** Decision.Later: the package is asked for again after so long. */
  laterMs: u32 = 0;
  /** How far the image was when its URL was refused, plus one; a refusal without a block in between is final. */
  renewed: u32 = 0;
  /** Packet identifiers of the inform and of the report that an acknowledgement is awaited for; 0 = none. */
  informId: u32 = 0;
  reportId: u32 = 0;
  informDue: bool = false;
  /** Ask for a package that waits, once `askAt` has come; `asked` times there was no answer. */
  askDue: bool = false;
  askAt: u32 = 0;
  asked: u32 = 0;
  /** An offer was passed over while another update was in hand. */
  missed: bool = false;
  /** An image on trial must be confirmed by then. */
  trialDue: u32 = 0;
  percent: u32 = 0;
  reported: u32 = 0;
  reportedAt: u32 = 0;
  bootOp: BootOp = BootOp.None;
  bootSlot: u32 = 0;
  bootResult: i32 = 0;
  policy: Policy = changetype<Policy>(0);
  alink: Alink = changetype<Alink>(0);
  events: Events = changetype<Events>(0);
  flash: Flash = changetype<Flash>(0);
  image: Image = changetype<Image>(0);
  fetch: Fetch = changetype<Fetch>(0);
  /** Of failures in a row. */
  backoff: Backoff = changetype<Backoff>(0);
  journal: Journal = changetype<Journal>(0);
  offer: Offer = changetype<Offer>(0);
  url: Url = changetype<Url>(0);
  state: UpdateState = changetype<UpdateState>(0);
  installed: Installed = changetype<Installed>(0);
  mark: Mark = changetype<Mark>(0);
  running: Running = changetype<Running>(0);
  configured: usize = 0;
  scratch: usize = 0;
}

/** Bytes for a digest and for a description. */
export const UPDATE_SCRATCH: u32 = DIGEST_MAX + 128;

/** Record a phase; `then` is the task once it is written. */
export function record(u: Update, phase: UpdatePhase, then: Task): void {
  u.state.phase = <u8>phase;
  u.task = then;
  if (u.flash.sector != 0) journalPut(u.journal, Kind.Update);
}

/** Ask the boot loader. */
export function ask(u: Update, task: Task, op: BootOp, slot: u32): void {
  u.task = task;
  u.bootOp = op;
  u.bootSlot = slot;
  u.bootResult = BOOT_PENDING;
}

export function fail(u: Update, step: Failure, code: i32, detail: i32): void {
  const s = u.state;
  s.step = <i8>step;
  s.code = code;
  s.detail = detail;
  fetchCancel(u.fetch);
  u.reportId = 0;
  u.task = Task.Drain;
  emitFailed(u.events, s, u.scratch + DIGEST_MAX);
}

/** Leave the update in hand without an outcome, then ask for the package that took its place. */
export function abandon(u: Update): void {
  fetchCancel(u.fetch);
  u.abandoned = true;
  u.missed = true;
  u.task = Task.Drain;
}

/** Ask for a package that waits, after `ms`; what the application has put off is not asked for earlier. */
export function askSoon(u: Update, ms: u32): void {
  if (WITH_CONFIRM && u.askDue && u.decision == Decision.Later) return;
  u.askDue = true;
  u.askAt = u.now + ms;
}

/** The update in hand is over, and the platform knows. */
export function finish(u: Update): void {
  record(u, UpdatePhase.None, Task.Finish);
}
