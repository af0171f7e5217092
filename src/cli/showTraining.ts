/** Commands of one or several trainings in this process: their progress, and their stop by a signal. */
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { outliveOutput, printError } from "./output.ts";
import { onStopSignals, STOPPED_EARLY, STOPPING } from "./signals.ts";
import { showing, trainProgress } from "./trainProgress.ts";

/** Progress of trainings, for the work that runs them. */
export interface ShownTraining {
  /** Shows a run. */
  readonly observer: TrainObserver;
  /** Aborted by the first signal to stop. */
  readonly signal: AbortSignal;
  /** Prints a message between the progress lines. */
  say(message: string): void;
  /** Clears the progress lines, before a result is printed. */
  clear(): void;
}

/**
 * Runs work that trains, saves when its signal is aborted, and then returns the end `interrupt`, or throws the signal's reason before it has trained. The
 * exit code is then that of the signal. `prefix` begins the progress lines.
 */
export async function showTraining(
  work: (shown: ShownTraining) => Promise<{ readonly end: string }>,
  prefix?: () => string,
): Promise<void> {
  const lines = trainProgress(prefix);
  const { clear } = lines;
  const say = (message: string) => {
    clear();
    printError(message);
  };
  const stop = onStopSignals(() => say(STOPPING));
  const { signal } = stop;
  outliveOutput();
  try {
    const { end } = await work({ observer: showing(lines), signal, say, clear });
    if (end === "interrupt") process.exitCode = stop.exitCode();
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    say(STOPPED_EARLY);
    process.exitCode = stop.exitCode();
  } finally {
    clear();
    stop.end();
  }
}
