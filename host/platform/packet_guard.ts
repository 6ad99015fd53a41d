// A bound on MQTT packets before they are buffered: the fixed header announces up to 256 MB (MQTT 3.1.1 §2.2.3), and
// the parser behind would collect them all. The broker pulls with read(), so the guard looks at what passes there.

import type { Socket } from "node:net";

/**
 * Destroy `socket` as soon as a packet announces more than `limit()` bytes or a malformed length.
 *
 * limit  bytes of variable header and payload accepted now; asked at every packet, so it may grow after the login.
 */
export function guardPackets(socket: Socket, limit: () => number): void {
  const read = socket.read.bind(socket);
  let remaining = 0;
  let state: "type" | "length" | "body" = "type";
  let shift = 0;
  const fault = (chunk: Buffer): string | undefined => {
    for (let at = 0; at < chunk.length; ) {
      if (state === "body") {
        const step = Math.min(remaining, chunk.length - at);
        remaining -= step;
        at += step;
        if (remaining === 0) state = "type";
        continue;
      }
      const byte = chunk[at++]!;
      if (state === "type") {
        state = "length";
        remaining = 0;
        shift = 0;
        continue;
      }
      remaining += (byte & 0x7f) * 2 ** shift;
      shift += 7;
      if (byte >= 0x80 && shift > 21) return "malformed packet length";
      if (byte >= 0x80) continue;
      if (remaining > limit()) return `packet of ${remaining} bytes is longer than the ${limit()} bytes accepted`;
      state = remaining === 0 ? "type" : "body";
    }
    return undefined;
  };
  socket.read = (size?: number) => {
    const chunk: Buffer | null = read(size);
    const reason = chunk === null ? undefined : fault(chunk);
    if (reason === undefined) return chunk;
    socket.destroy(new Error(reason));
    return null;
  };
}
