// What a platform is started with, and what it says when it is ready.

import type { Log } from "./events.js";
import type { Faults } from "./faults.js";
import type { Fixtures } from "./fixtures.js";

/** Services that exist. */
export type Service = "mqtt" | "mqtts" | "http" | "https" | "api" | "coap";

/** What a platform is started with. */
export interface PlatformOptions {
  /** A parsed document, or the name of a JSON file. */
  fixtures: Fixtures | string;
  /** Directory that keeps CA, objects, packages, jobs and versions; a temporary one, removed on close, without it. */
  data?: string;
  /** Address to listen on, default 127.0.0.1. */
  host?: string;
  /** Port per service, 0 = free (the default); false = this service is off. */
  ports?: Partial<Record<Service, number | false>>;
  /** Services that stay off, with a log line, when their port is taken; the others are an error then. */
  optional?: Service[];
  /** Receives log lines; silent without it. */
  log?: Log;
  /** May be changed while the platform runs, through Platform.faults. */
  faults?: Faults;
  /** Milliseconds since 1970; tests move it. */
  clock?: () => number;
  /** How long a download URL is valid, seconds, default 24 h. */
  urlSeconds?: number;
}

/** Where everything is: base URLs of the services that exist, and the CA's PEM file. */
export interface Ready {
  ready: true;
  mqtt?: string;
  mqtts?: string;
  http?: string;
  https?: string;
  api?: string;
  /** Symmetric mode. */
  coap?: string;
  ca: string;
}
