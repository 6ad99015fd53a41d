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
  /** Lose this share of the datagrams of CoAP, each way, percent. */
  coapLoss?: number;
  /** Carry this share of them twice, percent. */
  coapDuplicate?: number;
  /** Carry this share of them behind the next one, percent. */
  coapReorder?: number;
  /** Chooses which ones, default 1. */
  coapSeed?: number;
  /** Answer CoAP requests with a code instead of handling them. */
  coapAnswer?: CoapAnswer;
}

/** A CoAP code instead of the true answer. */
export interface CoapAnswer {
  /** As RFC 7252 writes it, "5.00". */
  code: string;
  /** Only on this path; absent = on each. */
  service?: string;
  /** How many more times; absent = always. */
  times?: number;
}

interface FaultSpec {
  member: keyof Faults;
  /** Value when none is written; undefined = a value is required. */
  fallback: number | boolean | undefined;
  /** Reads other values than numbers; undefined = this is none. */
  read?: (value: string) => unknown;
  /** What its values are, for messages. */
  values?: string;
}

const PERCENT = {
  fallback: 30,
  read: (value: string) => (/^(\d{1,2}|100)$/.test(value) ? Number(value) : undefined),
  values: "a share of 0-100 percent",
};

/** CODE[:auth|topic|pull][:TIMES] */
function readAnswer(value: string): CoapAnswer | undefined {
  const match = /^([45]\.\d\d)(?::(auth|topic|pull))?(?::(\d{1,9}))?$/.exec(value);
  if (match === null) return undefined;
  const [, code = "", service, times] = match;
  return {
    code,
    ...(service === undefined ? {} : { service }),
    ...(times === undefined ? {} : { times: Number(times) }),
  };
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
  "coap-loss": { member: "coapLoss", ...PERCENT },
  "coap-duplicate": { member: "coapDuplicate", ...PERCENT },
  "coap-reorder": { member: "coapReorder", ...PERCENT },
  "coap-seed": { member: "coapSeed", fallback: undefined, values: "a whole number" },
  "coap-answer": {
    member: "coapAnswer",
    fallback: undefined,
    read: readAnswer,
    values: "CODE[:auth|topic|pull][:TIMES], for instance 5.00:auth:1",
  },
};

/** The names `--fault` takes. */
export const FAULT_NAMES = Object.keys(FAULTS);

/** Those of one job: datagrams belong to none. */
export const JOB_FAULT_NAMES = FAULT_NAMES.filter((name) => !name.startsWith("coap-"));

/**
 * Read one `NAME[=VALUE]` into `faults`; `names` are those that are taken.
 *
 * Throws Error with one line when the name is unknown or the value is not what the fault takes.
 */
export function setFault(faults: Faults, text: string, names: readonly string[] = FAULT_NAMES): void {
  const [name = "", value] = text.split(/=(.*)/s, 2);
  const spec = names.includes(name) ? FAULTS[name] : undefined;
  if (spec === undefined) throw new Error(`unknown fault "${name}": use one of ${names.join(", ")}`);
  if (value === undefined || value === "") {
    if (spec.fallback === undefined) throw new Error(`fault "${name}" needs a value: --fault ${name}=N`);
    Object.assign(faults, { [spec.member]: spec.fallback });
    return;
  }
  if (typeof spec.fallback === "boolean") throw new Error(`fault "${name}" takes no value`);
  const read = spec.read ?? ((digits: string) => (/^\d{1,9}$/.test(digits) ? Number(digits) : undefined));
  const member = read(value);
  if (member === undefined)
    throw new Error(`fault "${name}": expected ${spec.values ?? "a whole number of bytes"}, not "${value}"`);
  Object.assign(faults, { [spec.member]: member });
}
