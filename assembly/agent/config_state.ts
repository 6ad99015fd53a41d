/** What the configuration sets beside texts, identity and flash. */
@unmanaged
@final
export class Config {
  /** There was a document: what does not begin with 0 has its first value. */
  begun: bool = false;
  /** The last document was read to its end. */
  present: bool = false;
  /** Bytes of the present document that are still to be read. */
  left: u32 = 0;
  /** A document was refused: the agent cannot be put together. */
  refused: bool = false;
  /** It is complete and the agent was put together from it. */
  assembled: bool = false;
  keepAlive: u32 = 0;
  cleanSession: bool = false;
  /** Length of the MQTT channel's peer, bytes. */
  peerLength: u32 = 0;
  /** A member of which the value comes next, and of which list a number is. */
  member: i32 = 0;
  /** Inside "flash". */
  inFlash: bool = false;
  /** Numbers of the present list so far. */
  index: u32 = 0;
  fault: i32 = 0;
}

/** For numbers and short words. */
export const CONFIG_SCRATCH: u32 = 24;
