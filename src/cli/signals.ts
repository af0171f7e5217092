/** Turns the first SIGINT or SIGTERM into an abort, for work that saves before it stops; a second signal exits the process. */
export interface StopSignals {
  readonly signal: AbortSignal;
  /** 128 plus the signal's number, as in shells; 0 without a signal. */
  exitCode(): number;
  /** Stops listening. */
  end(): void;
}

/**
 * Runs work that, when aborted, saves or removes what it must and throws the signal's reason. The first SIGINT or SIGTERM calls `onFirst` and sets
 * the exit code of the process to that signal's.
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
