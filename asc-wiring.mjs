// asc finds a relative transform named in a configuration file only in the folder of that file.
export { default } from "./assembly/transform/wiring.mjs";
