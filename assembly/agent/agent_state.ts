/** What the agent itself has to remember between two calls. */
@unmanaged
@final
export class AgentState {
  now: u32 = 0;
  /** What is added to the host's clock, which may begin anew after a sleep. */
  shift: u32 = 0;
  /** The device slept: `now` is what the next poll begins with. */
  resumed: bool = false;
  // counters, see `Counter`
  bytesSent: u32 = 0;
  bytesReceived: u32 = 0;
  polls: u32 = 0;
  /** The entropy is there. */
  seeded: bool = false;
  /** The state region was read, or there is none. */
  loaded: bool = false;
  loading: bool = false;
  /** The MQTT link went down and the application was not told yet. */
  lost: bool = false;
  /** It went down with this reason plus one, and received bytes are still to be read; 0 = it did not. */
  hungUp: i32 = 0;
  /** The event queue has had no room since `pausedAt`. */
  paused: bool = false;
  pausedAt: u32 = 0;
  /** Dials so far. */
  attempt: u32 = 0;
  /** Faults of the MQTT channel at the moment its link went down. */
  fault: i32 = 0;
  detail: i32 = 0;
  retry: i32 = 0;
}
