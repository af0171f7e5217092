/** Turns the first SIGINT or SIGTERM into an abort, for work that saves before it ends; a second one ends the process. */
export interface StopSignals {
  readonly signal: AbortSignal;
  /** 128 and the signal's number, as shells have it; 0 if there was none. */
  exitCode(): number;
  /** Stops listening. */
  end(): void;
}

/**
 * Runs work that ends by throwing the signal's reason, and has saved or removed what it must by then: at the first SIGINT or SIGTERM `onFirst` is
 * called, and the process will exit with that signal's code.
 */
export async function stoppable(onFirst: () => void, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = onStopSignals(onFirst);
  try {
    await work(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
  } finally {
    if (stop.signal.aborted) process.exitCode = stop.exitCode();
    stop.end();
  }
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
