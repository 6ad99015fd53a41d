// The profiles of the module, as commands name them.

import { Option } from "commander";
import { PROFILES } from "../size/budgets.js";

/** `--profile`, as the commands that take one have it. */
export function profileOption(description: string): Option {
  return new Option("--profile <name>", description).choices(Object.keys(PROFILES)).default("full");
}
