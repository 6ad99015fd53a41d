// The platform of the update benchmark, in a process of its own: it must not take the device's time.

import { startPlatform } from "../platform/index.js";
import { fixturesOf } from "./bench_update.js";

const platform = await startPlatform({ fixtures: fixturesOf(), ports: { mqtts: false, https: false } });
process.on("message", (firmwareId: string) => process.send!(platform.downloadUrl(firmwareId)));
process.once("disconnect", () => void platform.close());
process.send!(platform.ready);
