/** What the configuration says about updates: which packages may be taken, and when (docs/configuration.md). */

/** Minutes of a day, and milliseconds of a minute. */
const DAY: u32 = 1440;
const MINUTE: u32 = 60000;

@unmanaged
@final
export class Policy {
  plainMqtt: bool = false;
  plainHttp: bool = false;
  /** The application decides on each package. */
  ask: bool = false;
  /** The MQTT session is down while a package is fetched. */
  pause: bool = false;
  /** Packages must be signed for `key`. */
  keyed: bool = false;
  /** `minute` is known. */
  clock: bool = false;
  /** Quiet hours, from and until which minute of the day (UTC); the same twice = there are none. */
  quietFrom: u32 = 0;
  quietTo: u32 = 0;
  /** Minute of the day (UTC) that began at `minuteAt`. */
  minute: u32 = 0;
  minuteAt: u32 = 0;
  /** Counted text; empty = any version may be taken. */
  floor: usize = 0;
  /** RSA_LENGTH bytes: a modulus, big-endian. */
  key: usize = 0;
}

/** The host tells the time: seconds since 1970-01-01 00:00 UTC. */
export function policyClock(p: Policy, seconds: u32, now: u32): void {
  p.minute = (seconds / 60) % DAY;
  p.minuteAt = now - (seconds % 60) * 1000;
  p.clock = true;
}

/** Milliseconds until the quiet hours are over; 0 = they are not now, or nobody knows what time it is. */
export function quietLeft(p: Policy, now: u32): u32 {
  if (p.quietFrom == p.quietTo || !p.clock) return 0;
  const passed = (now - p.minuteAt) / MINUTE;
  p.minute = (p.minute + passed) % DAY;
  p.minuteAt += passed * MINUTE;
  const length = (p.quietTo + DAY - p.quietFrom) % DAY;
  const since = (p.minute + DAY - p.quietFrom) % DAY;
  return since < length ? (length - since) * MINUTE - (now - p.minuteAt) : 0;
}
