// The events of a device in words for people, and what ends a command.

import { Channel, Code, type EventMap } from "../abi.js";
import { type AgentEvent, codeName } from "../agent.js";
import type { Device } from "../node/device.js";
import { formatBytes, type Output } from "./output.js";

/** CONNACK return codes (MQTT 3.1.1 §3.2.2.3) with what to check. */
const CONNACK: Record<number, string> = {
  1: "protocol version: this endpoint is no MQTT 3.1.1 server",
  2: "client identifier: check signMethod, keepAlive and securemode against the endpoint",
  3: "server unavailable",
  4: "bad user name or password: check deviceSecret, productKey and deviceName",
  5: "not authorised: the device is disabled",
};

/** Response codes of /auth over CoAP, as the module tells them, with what to check. */
const COAP_AUTH: Record<number, string> = {
  400: "4.00: a member is missing or out of range: check clientId and signMethod",
  401: "4.01: check deviceSecret, productKey and deviceName",
  403: "4.03: the device is disabled",
};

/** The one refusal that says nothing about the identity. */
const CONNACK_UNAVAILABLE = 3;

/** The platform's answer in its protocol's words; CoAP has numbers from 400 on. */
function refusal(detail: number): string {
  if (detail < 400) return `CONNACK ${detail}, ${CONNACK[detail] ?? "unknown"}`;
  return `CoAP ${COAP_AUTH[detail] ?? `${Math.floor(detail / 100)}.${String(detail % 100).padStart(2, "0")}`}`;
}

/** The error that ends a command when the device cannot get further by itself; undefined while it goes on trying. */
export function hopeless(event: AgentEvent, device: Device, name: string): Error | undefined {
  if (event.event !== "device.disconnected") return undefined;
  const { code, detail, retryMs } = event;
  const link = device.linkError(Channel.Mqtt);
  if (code === Code.Untrusted)
    return new Error(
      `the certificate of the platform is not trusted${link && `: ${link}`}: name the certificate authority with --ca FILE, and use the host name that the certificate names`,
    );
  // 0: a reset over CoAP, which says nothing about the identity either.
  if (code === Code.Refused && detail !== CONNACK_UNAVAILABLE && detail !== 0)
    return new Error(`the platform refused the identity of ${name}: ${refusal(detail)}`);
  // An orderly end belongs to a restart or to the command's own end.
  if (retryMs >= 0 || code === Code.Ok) return undefined;
  return new Error(`${name} was disconnected for good: ${codeName(code)}${link && `: ${link}`}`);
}

/** Print an event: as it is with --json, else in words. */
export function printEvent(output: Output, event: AgentEvent, device: Device): void {
  const { event: name, ...members } = event;
  if (output.json) output.event(name, members);
  else if (event.event === "update.progress") output.progress("download", event.bytes, event.size);
  else output.line(inWords(event, device));
}

function inWords(event: AgentEvent, device: Device): string {
  switch (event.event) {
    case "device.connecting":
      return `connecting to ${event.peer}${event.attempt > 1 ? ` (attempt ${event.attempt})` : ""}`;
    case "device.connected":
      return "connected";
    case "device.disconnected":
      return disconnected(event, device);
    case "property.posted":
      return event.code === 200
        ? `properties reported (${event.id})`
        : `property post ${event.id}: ${answer(event.code)}`;
    case "event.posted":
      return event.code === 200 ? `event posted (${event.id})` : `event post ${event.id}: ${answer(event.code)}`;
    case "property.set":
      return `properties set: ${JSON.stringify(event.params)}`;
    case "subscribed":
      return `subscription ${event.id} ${event.granted ? "granted" : "refused"}`;
    case "message":
      return `message on ${event.topic}: ${event.payload}`;
    case "fault":
      return `note: ${event.desc}${event.code < 0 ? ` (${codeName(event.code)})` : ""}`;
    default:
      return updateInWords(event);
  }
}

type UpdateEvent = Extract<AgentEvent, { event: `update.${string}` }>;

function updateInWords(event: UpdateEvent): string {
  switch (event.event) {
    case "update.offered":
      return `update to ${event.version}: ${formatBytes(event.size)}, ${event.signMethod}${event.confirm ? "; accept, later [SECONDS] or never?" : ""}`;
    case "update.progress":
      return `update: ${event.step} %`;
    case "update.verified":
      return `update to ${event.version} verified: ${event.digest} in slot ${event.slot}`;
    case "update.restart":
      return `restarting into slot ${event.slot}, version ${event.version}`;
    case "update.confirmed":
      return `update from ${event.from} to ${event.version} confirmed in slot ${event.slot}`;
    case "update.failed":
      return `update to ${event.version} failed (step ${event.step}): ${event.desc}, ${codeName(event.code)}`;
  }
}

function answer(code: number): string {
  return code < 0 ? codeName(code) : `the platform answered ${code}`;
}

function disconnected(event: EventMap["device.disconnected"], device: Device): string {
  const { code, detail, retryMs } = event;
  const link = device.linkError(Channel.Mqtt);
  const why = code === Code.Ok ? "" : `: ${codeName(code)}${detail === 0 ? "" : ` ${detail}`}${link && `, ${link}`}`;
  // What is hopeless ends the command, which says why.
  const ends = retryMs < 0 || hopeless(event, device, "") !== undefined;
  return `disconnected${why}${ends ? "" : `; next try in ${(retryMs / 1000).toFixed(1)} s`}`;
}
