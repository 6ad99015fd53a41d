// Faults a test can switch on: what a real platform, network or attacker may do to a device.

/** Names of the faults and the type of their value. Absent or false = off. */
export interface Faults {
  /** Push a waiting upgrade right after CONNACK, before any SUBACK or inform. */
  pushBeforeSuback?: boolean;
  /** Send every upgrade push twice. */
  pushTwice?: boolean;
  /** Answer 200 with the whole object to a request with Range. */
  ignoreRange?: boolean;
  /** Close the connection after this many body bytes of every download. */
  cutBody?: number;
  /** Announce a digest that does not match the object. */
  wrongDigest?: boolean;
  /** Hand out download URLs whose Expires has passed. */
  expiredUrl?: boolean;
  /** Send the body of every download at this many bytes a second (default 16384). */
  slow?: number;
  /** Serve this many bytes more than the object has (default 1024), announced in Content-Length. */
  longBody?: number;
  /** Announce a size in the push that is this many bytes off (default 1). */
  wrongSize?: number;
}

interface FaultSpec {
  member: keyof Faults;
  /** Value when none is written; undefined = a value is required. */
  fallback: number | boolean | undefined;
}

const FAULTS: Record<string, FaultSpec> = {
  "push-before-suback": { member: "pushBeforeSuback", fallback: true },
  "push-twice": { member: "pushTwice", fallback: true },
  "ignore-range": { member: "ignoreRange", fallback: true },
  "cut-body": { member: "cutBody", fallback: undefined },
  "wrong-digest": { member: "wrongDigest", fallback: true },
  "expired-url": { member: "expiredUrl", fallback: true },
  slow: { member: "slow", fallback: 16_384 },
  "long-body": { member: "longBody", fallback: 1024 },
  "wrong-size": { member: "wrongSize", fallback: 1 },
};

/** The names `--fault` takes. */
export const FAULT_NAMES = Object.keys(FAULTS);

/**
 * Read one `NAME[=VALUE]` into `faults`.
 *
 * Throws Error with one line when the name is unknown or the value is not a whole number >= 0.
 */
export function setFault(faults: Faults, text: string): void {
  const [name = "", value] = text.split(/=(.*)/s, 2);
  const spec = Object.hasOwn(FAULTS, name) ? FAULTS[name] : undefined;
  if (spec === undefined) throw new Error(`unknown fault "${name}": use one of ${FAULT_NAMES.join(", ")}`);
  if (value === undefined || value === "") {
    if (spec.fallback === undefined) throw new Error(`fault "${name}" needs a value: --fault ${name}=N`);
    Object.assign(faults, { [spec.member]: spec.fallback });
    return;
  }
  if (typeof spec.fallback === "boolean") throw new Error(`fault "${name}" takes no value`);
  if (!/^\d{1,9}$/.test(value)) throw new Error(`fault "${name}": expected a whole number of bytes, not "${value}"`);
  Object.assign(faults, { [spec.member]: Number(value) });
}
