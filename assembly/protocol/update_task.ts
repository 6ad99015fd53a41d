/**
 * The update in hand: what is remembered of it beside its record, and the steps that every part of it may take.
 */
import { BootOp } from "../abi";
import { Url } from "../codec/url";
import { Alink } from "./alink";
import { Events } from "./events";
import { Fetch, fetchCancel } from "./fetch";
import { Flash } from "./flash";
import { Image } from "./image";
import { Journal, journalPut, Kind } from "./journal";
import { DIGEST_MAX, Offer } from "./offer";
import { emitFailed } from "./update_events";
import { Failure, Installed, Mark, Running, UpdatePhase, UpdateState } from "./update_state";

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

/** The boot loader has not answered yet. */
export const BOOT_PENDING: i32 = 1;

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

/** The update in hand is over, and the platform knows. */
export function finish(u: Update): void {
  record(u, UpdatePhase.None, Task.Finish);
}
