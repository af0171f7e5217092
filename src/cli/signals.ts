/**
 * Turns the first SIGINT, SIGTERM, SIGHUP (closed terminal) or SIGBREAK (Ctrl-Break on Windows, which cannot send SIGTERM) into an abort, for work that
 * saves before it stops; a second one other than SIGHUP exits the process.
 */
export interface StopSignals {
  readonly signal: AbortSignal;
  /** 128 plus the signal's number, as in shells; 0 without a signal. */
  exitCode(): number;
  /** Stops listening. */
  end(): void;
}

/**
 * Runs work that, when aborted, saves or removes what it must and throws the signal's reason. The first signal calls `onFirst` and sets
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

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15, SIGBREAK: 21, SIGUSR2: 12 } as const;
/** SIGUSR2 stops work only in a process of an MPI job: it is the signal that launchers pass on. Elsewhere it ends the process, as in shells. */
const usualNames: readonly Name[] = ["SIGHUP", "SIGINT", "SIGTERM", "SIGBREAK"];
type Name = keyof typeof numbers;

/** Starts listening; `onFirst` is called at the first signal, before the abort. `isInJob` in a process of an MPI job. */
export function onStopSignals(onFirst: () => void, isInJob = false): StopSignals {
  const controller = new AbortController();
  let code = 0;
  const names = isInJob ? [...usualNames, "SIGUSR2" as const] : usualNames;
  const handlers = names.map((name) => {
    const handler = () => {
      const exitCode = 128 + numbers[name];
      if (!controller.signal.aborted) {
        code = exitCode;
        onFirst();
        controller.abort();
        // A closed terminal sends SIGHUP more than once, also after another signal: saving continues.
      } else if (name !== "SIGHUP") process.exit(exitCode);
    };
    return { name, handler };
  });
  for (const { name, handler } of handlers) process.on(name, handler);
  return {
    signal: controller.signal,
    exitCode: () => code,
    end() {
      for (const { name, handler } of handlers) process.off(name, handler);
    },
  };
}
