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

/** The signal that launchers of MPI pass on to every process of a job in time to save. */
export const JOB_SIGNAL = "SIGUSR2";

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15, SIGBREAK: 21, SIGUSR2: 12 } as const;
type Name = keyof typeof numbers;
const usualNames: readonly Name[] = ["SIGHUP", "SIGINT", "SIGTERM", "SIGBREAK"];
const exitCodeOf = (name: Name): number => 128 + numbers[name];

/** Message at the first signal of work that saves before it stops. */
export const STOPPING = "\nStopping. Press Ctrl-C again to stop at once.";

/** Message if training is stopped before its first step: only downloads and packed images are kept. */
export const STOPPED_EARLY = "Stopped before training. The same command reuses what is downloaded and packed.";

/** Exit code of a job that stopped because one of its processes received `JOB_SIGNAL`. */
export const STOPPED_IN_JOB = exitCodeOf(JOB_SIGNAL);

/** Further signals, and the reaction to a second one. */
export interface StopOptions {
  /** Signals besides the usual ones. Default: none, so that `JOB_SIGNAL` ends a process outside of jobs, as in shells. */
  readonly also?: readonly Name[];
  /** Called at a second signal with its exit code. Default: exits the process. */
  readonly onSecond?: (exitCode: number) => void;
}

/** Starts listening; `onFirst` is called at the first signal, before the abort. */
export function onStopSignals(
  onFirst: () => void,
  { also = [], onSecond = (exitCode) => process.exit(exitCode) }: StopOptions = {},
): StopSignals {
  const controller = new AbortController();
  let code = 0;
  const handlers = [...usualNames, ...also].map((name) => {
    const handler = () => {
      if (!controller.signal.aborted) {
        code = exitCodeOf(name);
        onFirst();
        controller.abort();
        // A closed terminal sends SIGHUP more than once, also after another signal: saving continues.
      } else if (name !== "SIGHUP") onSecond(exitCodeOf(name));
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
