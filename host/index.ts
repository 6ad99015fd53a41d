/** The library: a device on Node, and the parts it is made of. */
export * from "./abi.js";
export { Agent, AgentError, type AgentEvent, codeName } from "./agent.js";
export { BootError, BootLoader, type Started } from "./node/boot.js";
export { Device, type DeviceEvents, type DeviceOptions, type Reply } from "./node/device.js";
export { type Flash, FlashError, FlashImage } from "./node/flash.js";
export { type FlashLayout, flashLayout, LayoutError, type Region } from "./node/flash_layout.js";
export { ConfigurationError } from "./node/loop.js";
export { PostError, type Posted } from "./node/posts.js";
export type { RecordOptions } from "./node/recording.js";
export { SnapshotError } from "./node/snapshot.js";
