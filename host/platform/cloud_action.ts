// The shape of an action of the cloud API, and how its parameters are read: one description per parameter gives
// its type, its bounds and the error of a value outside them.

import { CloudError, GatewayError } from "./cloud_error.js";

/** One parameter. Bounds mean characters for text, the value for integers, items for lists. */
export interface Parameter {
  type: "text" | "integer" | "boolean" | "texts" | "structs";
  required?: boolean;
  min?: number;
  max?: number;
  pattern?: RegExp;
  /** Accepted values, compared as written. */
  values?: readonly string[];
  /** Business error for a value outside the bounds; the gateway's InvalidParameter without it. */
  code?: string;
}

/** Values by parameter name, already checked. */
export class Values {
  readonly #values = new Map<string, unknown>();

  set(name: string, value: unknown): void {
    this.#values.set(name, value);
  }

  text(name: string): string;
  text<T>(name: string, fallback: T): string | T;
  text(name: string, fallback: unknown = ""): unknown {
    return this.#values.get(name) ?? fallback;
  }

  integer(name: string): number | undefined {
    return this.#values.get(name) as number | undefined;
  }

  flag(name: string, fallback: boolean): boolean {
    return (this.#values.get(name) as boolean | undefined) ?? fallback;
  }

  texts(name: string): string[] {
    return (this.#values.get(name) as string[] | undefined) ?? [];
  }

  structs(name: string): Record<string, string>[] {
    return (this.#values.get(name) as Record<string, string>[] | undefined) ?? [];
  }
}

/** How a request reached the gateway. */
export interface Arrival {
  /** Over TLS. */
  encrypted: boolean;
}

/** One action: its parameters and what it does. `handle` returns the members beside RequestId and Success. */
export interface Action {
  /** Only this HTTP method is accepted. */
  method?: "POST";
  parameters: Record<string, Parameter>;
  handle(values: Values, arrival: Arrival): Record<string, unknown> | Promise<Record<string, unknown>>;
}

/** Most items a list parameter may have in any action. */
const MAX_ITEMS = 200;

/**
 * Read an action's parameters from the request's.
 *
 * Throws GatewayError Missing{Name} for an absent required one, and the parameter's own error for a bad value.
 * Parameters the action does not know are ignored, as the gateway does.
 */
export function readParameters(action: Action, request: Map<string, string>): Values {
  const values = new Values();
  for (const [name, parameter] of Object.entries(action.parameters)) {
    const value = readValue(name, parameter, request);
    if (value !== undefined) values.set(name, value);
    else if (parameter.required) throw new GatewayError(400, `Missing${name}`, `${name} is mandatory for this action.`);
  }
  return values;
}

function readValue(name: string, parameter: Parameter, request: Map<string, string>): unknown {
  if (parameter.type === "texts" || parameter.type === "structs") return readList(name, parameter, request);
  const text = request.get(name);
  if (text === undefined || text === "") return undefined;
  if (parameter.type === "boolean") {
    if (!/^(true|false)$/i.test(text)) throw invalid(name, parameter, "must be true or false");
    return text.toLowerCase() === "true";
  }
  if (parameter.type === "integer") {
    if (!/^-?\d{1,15}$/.test(text)) throw invalid(name, parameter, "must be a whole number");
    checkBounds(name, parameter, Number(text), "");
    return Number(text);
  }
  checkText(name, parameter, text);
  return text;
}

function checkText(name: string, parameter: Parameter, text: string): void {
  checkBounds(name, parameter, [...text].length, " characters");
  if (parameter.values !== undefined && !parameter.values.includes(text)) {
    throw invalid(name, parameter, `must be one of ${parameter.values.join(", ")}`);
  }
  if (parameter.pattern !== undefined && !parameter.pattern.test(text)) {
    throw invalid(name, parameter, `must match ${parameter.pattern.source}`);
  }
}

/** `Name.1`, `Name.2`… or `Name.1.Field`; the list ends at the first number that is missing. */
function readList(name: string, parameter: Parameter, request: Map<string, string>): unknown {
  const items: unknown[] = [];
  for (let n = 1; n <= MAX_ITEMS + 1; n++) {
    const item = parameter.type === "texts" ? request.get(`${name}.${n}`) : readStruct(`${name}.${n}.`, request);
    if (item === undefined) break;
    items.push(item);
  }
  if (items.length === 0) return undefined;
  if (items.length > (parameter.max ?? MAX_ITEMS)) {
    throw invalid(name, parameter, `has more than ${parameter.max ?? MAX_ITEMS} items`);
  }
  return items;
}

function readStruct(prefix: string, request: Map<string, string>): Record<string, string> | undefined {
  const members = [...request].filter(([name]) => name.startsWith(prefix));
  if (members.length === 0) return undefined;
  return Object.fromEntries(members.map(([name, value]) => [name.slice(prefix.length), value]));
}

function checkBounds(name: string, parameter: Parameter, value: number, unit: string): void {
  const { min = -Infinity, max = Infinity } = parameter;
  if (value >= min && value <= max) return;
  throw invalid(name, parameter, `must have ${min === -Infinity ? 0 : min}-${max}${unit}`);
}

function invalid(name: string, { code }: Parameter, reason: string): Error {
  const message = `${name} ${reason}`;
  return code === undefined
    ? new GatewayError(400, "InvalidParameter", `The specified parameter is not valid: ${message}.`)
    : new CloudError(code, message);
}

/** The page a list request asks for, with the paging members of the answer. */
export function page<T>(items: T[], values: Values): { items: T[]; paging: Record<string, number> } {
  const size = values.integer("PageSize") ?? 10;
  const current = values.integer("CurrentPage") ?? 1;
  return {
    items: items.slice((current - 1) * size, current * size),
    paging: {
      Total: items.length,
      CurrentPage: current,
      PageSize: size,
      PageCount: Math.ceil(items.length / size),
    },
  };
}

/** Paging parameters with their documented bounds. */
export function paging(maxSize: number): Record<string, Parameter> {
  return {
    CurrentPage: { type: "integer", min: 1, max: 1_000_000 },
    PageSize: { type: "integer", min: 1, max: maxSize },
  };
}

/** Milliseconds as the API prints times, e.g. 2024-11-20T00:11:18.560Z; absent ones stay absent. */
export function utc(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}
