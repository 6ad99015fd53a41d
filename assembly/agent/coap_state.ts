/** What the agent over CoAP has to remember between two calls, beside its session. */

/** Longest endpoint, bytes. */
export const ENDPOINT_MAX: u32 = 128;

@unmanaged
@final
export class CoapAgent {
  /** A document came, and before it the settings that it may change. */
  configured: bool = false;
  /** The last document was read to its end; one was refused; the agent was put together. */
  present: bool = false;
  refused: bool = false;
  assembled: bool = false;
  seeded: bool = false;
  /** `now` of the module is the host's plus this: the host's clock may begin anew after a sleep. */
  shift: u32 = 0;
  /** The module's time at the last poll; after `resumed`, what it is to be at the next one. */
  now: u32 = 0;
  resumed: bool = false;
  attempt: u32 = 0;
  // counters, see `Counter`
  bytesSent: u32 = 0;
  bytesReceived: u32 = 0;
  polls: u32 = 0;

  // configuration: bytes still to read, the member of which the value comes next
  left: u32 = 0;
  member: i32 = 0;
  fault: i32 = 0;

  // the post in the in-window
  /** A Request; 0 = the window is free. */
  kind: i32 = 0;
  /** Bytes of it that are still to be checked. */
  unchecked: u32 = 0;
  postFault: i32 = 0;
  postDetail: i32 = 0;
}
