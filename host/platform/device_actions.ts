// Cloud API actions on devices: set properties, read the latest values.

import type { AlinkServices } from "./alink.js";
import type { Action, Values } from "./cloud_action.js";
import { CloudError } from "./cloud_error.js";
import type { Device, Registry } from "./registry.js";

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
