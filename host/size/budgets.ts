// What the modules may cost, in bytes, and which of them a profile is.

/** Profiles by name: the module of each. */
export const PROFILES = { full: "agent", lite: "agent-lite", coap: "agent-coap" } as const;

/** A profile's name. */
export type Profile = keyof typeof PROFILES;

/** Figures of a module: bytes of the file, and of static memory (`__heap_base`). */
export interface Budget {
  file: number;
  memory: number;
}

/** The goals, by module; tests/budget.test.ts holds them where they are met, and what was reached where not. */
export const BUDGETS: Record<string, Budget> = {
  agent: { file: 24 * 1024, memory: 24 * 1024 },
  "agent-lite": { file: 18 * 1024, memory: 14 * 1024 },
  "agent-coap": { file: 14 * 1024, memory: 8 * 1024 },
};
