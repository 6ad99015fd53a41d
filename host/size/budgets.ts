// What the modules may cost, in bytes, and which of them a profile is.

/** Profiles by name: the module of each. */
export const PROFILES = { full: "agent", lite: "agent-lite", coap: "agent-coap" } as const;

/** A profile's name. */
export type Profile = keyof typeof PROFILES;

/** Goals of a module: bytes of the file, and of static memory (`__heap_base`). */
export interface Budget {
  file: number;
  memory: number;
}

/** The goals; how far a module may grow meanwhile is held by tests/budget.test.ts. */
export const BUDGETS: Record<Profile, Budget> = {
  full: { file: 24 * 1024, memory: 24 * 1024 },
  lite: { file: 18 * 1024, memory: 14 * 1024 },
  coap: { file: 14 * 1024, memory: 8 * 1024 },
};
