// Signals for commands that have something to end in order.

/** A signal ended the command too early: 130 for SIGINT, 1 for SIGTERM. */
export class Interrupted extends Error {
  /** @param what was not complete */
  constructor(
    readonly exitCode: number,
    what: string,
  ) {
    super(`interrupted before ${what} was complete`);
  }
}

/** Resolves with the exit code when a signal arrives; a second one ends the process at once. */
export function signalled(): Promise<number> {
  return new Promise((resolve) => {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 1],
    ] as const)
      process.once(signal, () => {
        resolve(code);
        process.once(signal, () => process.exit(code));
      });
  });
}
