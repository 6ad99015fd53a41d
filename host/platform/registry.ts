// Products and devices, and what the platform knows of each device at run time.

import { createHash } from "node:crypto";
import type { DeviceId } from "./events.js";
import type { AccessKey, Fixtures, ProductFixture } from "./fixtures.js";

/** The latest value of one property. */
export interface PropertyValue {
  value: unknown;
  /** Milliseconds since 1970: the device's time when it sent one, else the time of arrival. */
  time: number;
}

/** One event that a device has reported. */
export interface EventRecord {
  identifier: string;
  /** Its output parameters. */
  value: Record<string, unknown>;
  /** As of PropertyValue. */
  time: number;
}

/** One device. */
export interface Device extends DeviceId {
  iotId: string;
  deviceSecret: string;
  disabled: boolean;
  /** Version by module; "default" is the whole firmware. */
  versions: Map<string, string>;
  properties: Map<string, PropertyValue>;
  /** The last ones, in the order of their arrival. */
  events: EventRecord[];
}

/** Modules one device may report: 10 custom ones a product (CreateOTAModule) and "default", doubled for renamed ones. */
export const MAX_MODULES = 22;

/** All products and devices. Lookup by untrusted names is by Map, never by object member. */
export class Registry {
  readonly products = new Map<string, ProductFixture>();
  readonly accessKeys = new Map<string, AccessKey>();
  readonly #devices = new Map<string, Device>();

  constructor(fixtures: Fixtures) {
    for (const key of fixtures.accessKeys) this.accessKeys.set(key.id, key);
    for (const product of fixtures.products) {
      this.products.set(product.productKey, product);
      for (const fixture of product.devices) {
        const { productKey } = product;
        const versions = new Map<string, string>();
        if (fixture.version !== undefined) versions.set("default", fixture.version);
        this.#devices.set(deviceKey({ productKey, deviceName: fixture.deviceName }), {
          productKey,
          deviceName: fixture.deviceName,
          deviceSecret: fixture.deviceSecret,
          disabled: fixture.disabled ?? false,
          iotId: createHash("sha256").update(`${productKey}/${fixture.deviceName}`).digest("base64url").slice(0, 24),
          versions,
          properties: new Map(),
          events: [],
        });
      }
    }
  }

  device(productKey: string, deviceName: string): Device | undefined {
    return this.#devices.get(deviceKey({ productKey, deviceName }));
  }

  devices(): IterableIterator<Device> {
    return this.#devices.values();
  }

  devicesOf(productKey: string): Device[] {
    return [...this.#devices.values()].filter((device) => device.productKey === productKey);
  }
}

/** The key of a device in maps, and its session's client ID inside the broker: no ProductKey contains a slash. */
export function deviceKey(id: DeviceId): string {
  return `${id.productKey}/${id.deviceName}`;
}
