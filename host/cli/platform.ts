// `alink-agent platform`: the local platform alone. One JSON line on stdout when it is ready, logs on stderr.

import { type Command, InvalidArgumentError, Option } from "commander";
import { FAULT_NAMES, type Faults, type Service, setFault, startPlatform } from "../platform/index.js";
import { oneLine } from "./output.js";

interface PlatformArguments {
  fixtures: string;
  data?: string;
  host: string;
  fault: Faults;
  mqtt: number | false;
  mqtts: number | false;
  http: number | false;
  https: number | false;
  api: number | false;
  coap: number | false;
}

const DEFAULT_PORTS: Record<Service, number> = {
  mqtt: 1883,
  mqtts: 8883,
  http: 8080,
  https: 8443,
  api: 8081,
  coap: 5682,
};
/** Services whose options are accepted before they exist. */
const LATER = ["coaps", "ws", "wss"];

/** A port number, or "off". */
function port(text: string): number | false {
  if (text === "off") return false;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
    throw new InvalidArgumentError("a port is 0-65535 (0 = free), or off");
  }
  return Number(text);
}

function fault(text: string, faults: Faults): Faults {
  try {
    setFault(faults, text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return faults;
}

/** Add the command. */
export function register(program: Command): void {
  const command = program
    .command("platform")
    .description("run the local platform: MQTT broker, CoAP server, object storage and cloud API on this machine")
    .requiredOption("--fixtures <file>", "access keys, products and devices (JSON)")
    .option("--data <dir>", "keep CA, packages, jobs and versions here (default: a temporary directory)")
    .option("--host <address>", "address to listen on", "127.0.0.1");
  for (const [service, number] of Object.entries(DEFAULT_PORTS)) {
    command.option(`--${service} <port>`, `port of ${service}, 0 = free, off = none`, port, number);
  }
  for (const service of LATER) command.addOption(new Option(`--${service} <port>`).argParser(port).hideHelp());
  command
    .option("--fault <name[=value]>", `misbehave: ${FAULT_NAMES.join(", ")} (repeatable)`, fault, {})
    // A second platform on one machine chose other ports for what it uses; it need not know of this one.
    .action((options: PlatformArguments) =>
      run(options, command.getOptionValueSource("coap") === "default" ? ["coap"] : []),
    );
}

async function run(options: PlatformArguments, optional: Service[]): Promise<void> {
  const { fixtures, data, host, mqtt, mqtts, http, https, api, coap } = options;
  const platform = await startPlatform({
    fixtures,
    ...(data === undefined ? {} : { data }),
    host,
    ports: { mqtt, mqtts, http, https, api, coap },
    optional,
    faults: options.fault,
    log: (line) => process.stderr.write(`${new Date().toISOString()} ${oneLine(line)}\n`),
  });
  const stopped = new Promise<number>((resolve) => {
    process.once("SIGTERM", () => resolve(0));
    process.once("SIGINT", () => resolve(130));
  });
  process.stdout.write(`${JSON.stringify(platform.ready)}\n`);
  const code = await stopped;
  await platform.close();
  process.exitCode = code;
}
