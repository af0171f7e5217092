/** Turns the first SIGINT or SIGTERM into an abort, for work that saves before it ends; a second one ends the process. */
export interface StopSignals {
  readonly signal: AbortSignal;
  /** 128 and the signal's number, as shells have it; 0 if there was none. */
  exitCode(): number;
  /** Stops listening. */
  end(): void;
}

const numbers = { SIGINT: 2, SIGTERM: 15 } as const;

/** Starts listening; `onFirst` is called at the first signal, before the abort. */
export function onStopSignals(onFirst: () => void): StopSignals {
  const controller = new AbortController();
  let code = 0;
  const handler = (name: NodeJS.Signals) => {
    const exitCode = 128 + (name === "SIGTERM" ? numbers.SIGTERM : numbers.SIGINT);
    if (controller.signal.aborted) process.exit(exitCode);
    code = exitCode;
    onFirst();
    controller.abort();
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, handler);
  return {
    signal: controller.signal,
    exitCode: () => code,
    end() {
      for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, handler);
    },
  };
}
