// The firmware file that a command is given, looked at before anything is started for it.

import { statSync } from "node:fs";
import { fileFault } from "../platform/local_files.js";

/**
 * Check that a file can be released.
 *
 * most   bytes that are accepted.
 * taker  who accepts no more, for the message: "the device's slot takes", "the cloud API takes".
 *
 * Throws Error, one line: unreadable, no regular file, empty, or too long.
 */
export function checkFirmware(file: string, most: number, taker: string): void {
  let size: number;
  try {
    const found = statSync(file);
    if (!found.isFile()) throw new Error("it is not a regular file");
    size = found.size;
  } catch (error) {
    throw new Error(`cannot read the firmware ${file}: ${fileFault(error)}`);
  }
  if (size === 0) throw new Error(`the firmware ${file} is empty`);
  if (size > most) throw new Error(`the firmware ${file} has ${size} bytes, ${taker} ${most}: use a smaller file`);
}
