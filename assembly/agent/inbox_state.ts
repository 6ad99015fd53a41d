/** The application's posts: the one in the in-window, and the downlink requests that it has yet to answer. */

/** Bytes of one of them: token (u32), length of the id (u32), the id as JSON. */
export const REPLY_ID: u32 = 136;
export const REPLY: u32 = 8 + REPLY_ID;

@unmanaged
@final
export class Inbox {
  /** A Post, or POST_REPLY; 0 = the in-window is free. */
  kind: i32 = 0;
  length: u32 = 0;
  /** Bytes of it before its JSON: an event's identifier and the zero byte behind it. */
  skip: u32 = 0;
  /** Bytes of it that were checked, or need not be. */
  checked: u32 = 0;
  id: u32 = 0;
  code: i32 = 0;
  token: u32 = 0;
  fault: i32 = 0;
  detail: i32 = 0;
}
