// Reader for the response files of NIST's CAVP ("NAME = value" lines, "[L = 20]" section lines, "#" comments, records
// apart by blank lines); the RFC vectors here are written in the same form.

import { readFileSync } from "node:fs";
import { vectors } from "../paths.js";

/** One record: its values by name, as written. */
export type Record = ReadonlyMap<string, string>;

/** The records of a file of tests/vectors/. Throws on a line that is none of the four kinds, or a name said twice. */
export function readRsp(file: string): Record[] {
  const records: Map<string, string>[] = [];
  let record: Map<string, string> | undefined;
  for (const [index, line] of readFileSync(vectors(file), "utf8").split(/\r?\n/).entries()) {
    if (line.trim() === "") record = undefined;
    if (line.trim() === "" || line.startsWith("#") || /^\[.*\]$/.test(line)) continue;
    const pair = /^(\w+) = ([0-9a-fA-F]*)$/.exec(line);
    const name = pair?.[1];
    if (!pair || !name) throw new Error(`${file}:${index + 1}: not "NAME = hex": ${line.slice(0, 60)}`);
    if (!record) {
      record = new Map();
      records.push(record);
    }
    if (record.has(name)) throw new Error(`${file}:${index + 1}: ${name} is said twice in one record`);
    record.set(name, pair[2] ?? "");
  }
  return records;
}

/** A value of a record. */
export function field(record: Record, name: string): string {
  const value = record.get(name);
  if (value === undefined) throw new Error(`a record without ${name}: ${[...record.keys()].join(" ")}`);
  return value;
}

/** The bytes of a hexadecimal value. */
export const hex = (record: Record, name: string): Buffer => Buffer.from(field(record, name), "hex");

/** The message of a record: Msg cut to Len bits, since an empty message is written as one byte. */
export const message = (record: Record): Buffer => hex(record, "Msg").subarray(0, Number(field(record, "Len")) / 8);
