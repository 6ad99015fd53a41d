// Cloud API actions on devices: set properties, read the latest values, read what events came.

import type { AlinkServices } from "./alink.js";
import type { Action, Values } from "./cloud_action.js";
import { CloudError } from "./cloud_error.js";
import type { Device, EventRecord, Registry } from "./registry.js";

/** What the actions need of the platform. */
export interface DeviceActionContext {
  registry: Registry;
  alink: AlinkServices;
}

const DEVICE = {
  IotId: { type: "text" },
  ProductKey: { type: "text" },
  DeviceName: { type: "text" },
} as const;

/** The table rows. */
export function deviceActions(context: DeviceActionContext): Record<string, Action> {
  return {
    SetDeviceProperty: {
      parameters: { ...DEVICE, Items: { type: "text", required: true, max: 256 * 1024 } },
      handle: (values) => setProperty(values, context),
    },
    QueryDevicePropertyStatus: {
      parameters: DEVICE,
      handle: (values) => ({ Data: { List: { PropertyStatusInfo: propertyStatus(deviceOf(values, context)) } } }),
    },
    QueryDeviceEventData: {
      parameters: {
        ...DEVICE,
        StartTime: { type: "integer", required: true, min: 0 },
        EndTime: { type: "integer", required: true, min: 0 },
        Identifier: { type: "text" },
        EventType: { type: "text", values: ["info", "alert", "error"] },
        Asc: { type: "integer", min: 0, max: 1 },
        PageSize: { type: "integer", min: 1, max: 50 },
      },
      handle: (values) => ({ Data: eventData(deviceOf(values, context).events, values) }),
    },
  };
}

function deviceOf(values: Values, { registry }: DeviceActionContext): Device {
  const iotId = values.text("IotId");
  const device = iotId
    ? [...registry.devices()].find((candidate) => candidate.iotId === iotId)
    : registry.device(values.text("ProductKey"), values.text("DeviceName"));
  if (device === undefined) throw new CloudError("iot.device.NotExistedDevice", "the product has no such device");
  return device;
}

/** Answers as soon as the message is on the link; the device's reply comes later. */
async function setProperty(values: Values, context: DeviceActionContext): Promise<Record<string, unknown>> {
  const device = deviceOf(values, context);
  const items = parseItems(values.text("Items"));
  const messageId = await new Promise<string>((resolve, reject) => {
    context.alink.setProperties(device, items, 8000, resolve).catch((error: Error) => {
      reject(new CloudError("iot.device.DeviceOffline", error.message));
    });
  });
  return { Data: { MessageId: messageId } };
}

function parseItems(text: string): Record<string, unknown> {
  try {
    const items: unknown = JSON.parse(text);
    if (typeof items === "object" && items !== null && !Array.isArray(items)) return items as Record<string, unknown>;
  } catch {
    // Same answer as for a document that is no object.
  }
  throw new CloudError("iot.prop.InvalidItems", 'Items must be a JSON object, e.g. {"LightSwitch":1}');
}

function propertyStatus(device: Device): Record<string, unknown>[] {
  return [...device.properties].map(([identifier, { value, time }]) => ({
    Identifier: identifier,
    Value: typeof value === "string" ? value : JSON.stringify(value),
    Time: String(time),
  }));
}

/**
 * A page of the events from StartTime to EndTime, the newest first unless Asc is 1. `NextTime` is where the next page
 * begins: its EndTime, with Asc its StartTime. It is a time, so a page has all events of its last millisecond, which may
 * be more than `PageSize`: the next one would begin with them again. Without a thing model every event is of the type
 * "info".
 */
function eventData(events: EventRecord[], values: Values): Record<string, unknown> {
  const [start, end] = [values.integer("StartTime") ?? 0, values.integer("EndTime") ?? 0];
  const identifier = values.text("Identifier");
  const size = values.integer("PageSize") ?? 10;
  const wanted = values.text("EventType", "info") === "info" ? events : [];
  const found = wanted
    .filter(({ time }) => time >= start && time <= end)
    .filter((event) => identifier === "" || event.identifier === identifier)
    .sort((a, b) => a.time - b.time);
  if (values.integer("Asc") !== 1) found.reverse();
  const last = found[size - 1]?.time;
  const beyond = found.findIndex(({ time }, at) => at >= size && time !== last);
  const page = beyond < 0 ? found : found.slice(0, beyond);
  const next = found[page.length];
  return {
    List: {
      EventInfo: page.map((event) => ({
        EventType: "info",
        Identifier: event.identifier,
        Name: event.identifier,
        OutputData: JSON.stringify(event.value),
        Time: String(event.time),
      })),
    },
    NextValid: next !== undefined,
    ...(next === undefined ? {} : { NextTime: next.time }),
  };
}
