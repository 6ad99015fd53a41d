/** What the platform is told of an update: version, progress, outcome; and the question for a package (Alink §7). */
import { Alink, nextMessage, pendingAdd, pendingRoom, send } from "./alink";
import { Phase, reached } from "./mqtt_session";
import { DIGEST_MAX } from "./offer";
import { Topic } from "./topics";
import { emitProgress, putDescription } from "./update_events";
import { Update } from "./update_task";

/** Progress reports are at least this far apart, ms (Alink §7). */
const PROGRESS_INTERVAL: u32 = 1000;

/** Tell how far the download is: the application at each percent, the platform at most once a second. */
export function report(u: Update): void {
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

/** Tell that the download has begun, before the session goes down for it: the platform's time for the task starts. */
export function started(u: Update): void {
  if (u.reported != 0) return;
  u.reported = 1;
  const m = nextMessage(u.alink, Topic.Progress);
  m.number = 1;
  send(u.alink, m, 0);
}

/** Send a report that must arrive. -> its packet identifier, 0 = not now. */
export function progress(u: Update, step: i32): u32 {
  if (u.alink.session.phase != Phase.Ready) return 0;
  const m = nextMessage(u.alink, Topic.Progress);
  m.number = step;
  m.body = u.scratch + DIGEST_MAX;
  m.bodyLength = step < 0 ? putDescription(u.events.writer, m.body, u.state) : 0;
  const packetId = send(u.alink, m, 1);
  return packetId > 0 ? packetId : 0;
}

export function inform(u: Update): void {
  if (u.alink.session.phase != Phase.Ready) return;
  const m = nextMessage(u.alink, Topic.Inform);
  m.body = u.running.version;
  m.bodyLength = u.running.versionLength;
  const packetId = send(u.alink, m, 1);
  if (packetId <= 0) return;
  u.informDue = false;
  u.informId = packetId;
}

export function askForFirmware(u: Update): void {
  if (u.alink.session.phase != Phase.Ready || !pendingRoom(u.alink)) return;
  const m = nextMessage(u.alink, Topic.FirmwareGet);
  if (send(u.alink, m, 0) < 0) return;
  pendingAdd(u.alink, m.id, Topic.FirmwareGet);
  u.askDue = false;
}
