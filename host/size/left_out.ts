// What the profiles do without, for docs/size.md and for packs, which have no docs/size.md.

import type { Profile } from "./budgets.js";

/** Something that the full profile has; Markdown in one line each. */
export interface LeftOut {
  what: string;
  /** What happens to a device that counts on it. */
  instead: string;
}

/** By profile. */
export const LEFT_OUT: Record<Profile, LeftOut[]> = {
  full: [],
  lite: [
    { what: "signatures of packages (`updateKey`)", instead: "`configure` refuses the member" },
    {
      what: "order of versions (`updateFloor`; a newer package takes the place of the one in hand)",
      instead: "`configure` refuses the member; the newer package is asked for once the one in hand is over",
    },
    {
      what: "the application's decision (`updateConfirm`), quiet hours (`updateQuiet`), rate limit (`updateRate`)",
      instead:
        "`configure` refuses the member; `Post.UpdateAccept` and its like are BadArgument; `wallClock` changes nothing",
    },
    { what: "SHA-1", instead: "`configure` refuses `hmacsha1`" },
    {
      what: "chunked bodies",
      instead: "the update fails with -21 (Unsupported): object stores tell a file's length",
    },
    { what: "redirects", instead: "the update fails with -23 (Refused) and the status" },
    {
      what: "reasons in words",
      instead: "`desc` has the code and its number: `-40; 0`; `docs/configuration.md` says what a member takes",
    },
    {
      what: "MD5 at full speed",
      instead: "MD5 in few bytes: old packages and `hmacmd5` alone need it. SHA-256 is the full module's",
    },
    {
      what: "large windows",
      instead:
        "512 bytes for a configuration or a post, 1,024 and 1,280 for MQTT, blocks of 1,024, URLs of 896; two property sets may wait for an answer",
    },
  ],
  coap: [
    {
      what: "MQTT and TLS",
      instead:
        "`endpoint` takes `coap://host:port` alone; `docs/coap.md` says what AES protects there, and what it does not",
    },
    {
      what: "firmware updates",
      instead: "`flash` is passed over; the members from `updateKey` to `updateQuiet` are reported as unknown keys",
    },
    {
      what: "subscriptions",
      instead: "`Post.Subscribe` and `Post.Unsubscribe` are Unsupported; the agent asks for messages",
    },
    { what: "large windows", instead: "640 bytes for a configuration or a post; one post at a time" },
  ],
};

/** The table of a profile, lines of Markdown; empty when it leaves nothing out. */
export function leftOutTable(profile: Profile): string {
  const rows = LEFT_OUT[profile].map(({ what, instead }) => `| ${what} | ${instead} |`);
  return rows.length === 0 ? "" : ["| left out | what it does instead |", "|---|---|", ...rows].join("\n");
}
