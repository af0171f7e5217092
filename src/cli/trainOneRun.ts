/** `alexnet train` of one run: its progress, and its result. */
import { formatBytes } from "../bytes.ts";
import type { Communicator } from "../engine/communicator.ts";
import { PeerError } from "../errors.ts";
import { formatDuration, formatEpoch, formatPercent, formatRate } from "../report/numbers.ts";
import type { ListenAddress } from "../server/address.ts";
import type { RunPlan } from "../settings/resolve.ts";
import { type Job, together } from "../trainer/processes.ts";
import { type TrainCall, type TrainResult, trainRun } from "../trainer/trainClassifier.ts";
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { outliveOutput, print, printError, printJson } from "./output.ts";
import { JOB_SIGNAL, onStopSignals, STOPPED_EARLY, STOPPED_IN_JOB, STOPPING, type StopSignals } from "./signals.ts";
import type { EventObserver } from "./tensorboard.ts";
import { epochFigures, showing, trainProgress } from "./trainProgress.ts";

/** Options of the command besides settings. */
interface OneRunCall {
  readonly json: boolean;
  /** Address of the page that shows the run; undefined for none. */
  readonly live: ListenAddress | undefined;
  /** Directory for TensorBoard events. */
  readonly tensorboard: string | undefined;
  readonly maxMinutes: number | undefined;
  readonly command: string;
}

/**
 * Trains a run in all processes of a communicator; process 0 shows its progress and prints its result. `planRun` resolves its settings, with a function
 * that prints messages.
 */
export async function trainOneRun(
  planRun: (tell: (message: string) => void) => Promise<RunPlan>,
  { json, live, tensorboard, maxMinutes, command }: OneRunCall,
  job: Partial<Job> & Pick<Job, "communicator">,
): Promise<void> {
  const { communicator } = job;
  const isFirst = communicator.rank === 0;
  const tell = isFirst ? printError : () => {};
  const plan = await planTogether(communicator, () => planRun(tell));
  const lines = trainProgress();
  const events = tensorboard === undefined || !isFirst ? undefined : await eventsIn(tensorboard);
  const page = live && isFirst ? await showLive(plan.directory, live) : undefined;
  const stop = listen(lines, communicator);
  outliveOutput();
  try {
    const call: TrainCall = {
      ...(maxMinutes === undefined ? {} : { maxMinutes }),
      signal: stop.signal,
      observer: events ? observedTwice(showing(lines), events) : showing(lines),
      command,
    };
    const result = await trainRun(plan, call, job);
    lines.clear();
    if (isFirst) showResult(result, communicator, json);
    // Another process may have received the signal.
    if (result.end === "interrupt") process.exitCode = stop.exitCode() || STOPPED_IN_JOB;
  } catch (error) {
    const isOwn = error === stop.signal.reason || error instanceof PeerError;
    if (!stop.signal.aborted || !isOwn) throw error;
    lines.clear();
    tell(STOPPED_EARLY);
    process.exitCode = stop.exitCode();
  } finally {
    lines.clear();
    await page?.end();
    stop.end();
  }
}

/** Plans the run on every process. A new run's directory is that of process 0. */
async function planTogether(communicator: Communicator, make: () => Promise<RunPlan>): Promise<RunPlan> {
  const plan = await together(communicator, make);
  const [directory = plan.directory] = await communicator.agree(plan.directory);
  return { ...plan, directory };
}

async function eventsIn(folder: string): Promise<EventObserver> {
  const { tensorboardObserver } = await import("./tensorboard.ts");
  return tensorboardObserver(folder);
}

/** Combines the display of the run with the event files. */
function observedTwice(shown: TrainObserver, events: EventObserver): TrainObserver {
  return {
    ...shown,
    ...events,
    onStart(run) {
      shown.onStart?.(run);
      events.onStart(run);
    },
  };
}

/** Serves the run's page from another process. */
async function showLive(run: string, address: ListenAddress) {
  const { startLive } = await import("./liveChild.ts");
  const { url, end } = await startLive(run, address);
  printError(`live at ${url}`);
  return { end };
}

/** Listens for signals to stop; in a job, the launcher has announced the stop. */
function listen(lines: ReturnType<typeof trainProgress>, { size }: Communicator): StopSignals {
  const onFirst = () => {
    lines.clear();
    if (size === 1) printError(STOPPING);
  };
  return onStopSignals(onFirst, { also: size === 1 ? [] : [JOB_SIGNAL] });
}

/** Prints the end of a run, as JSON or for people. */
function showResult(result: TrainResult, { size, traffic }: Communicator, json: boolean): void {
  if (json) printJson(result);
  else if (result.end !== "interrupt") printResult(result);
  if (size > 1) {
    const { bytes, waitedSeconds } = traffic();
    printError(
      `Exchanged ${formatBytes(bytes)} with the other processes, and waited ${formatDuration(waitedSeconds)} for them`,
    );
  }
  if (result.end === "interrupt") printError(`Saved. Resume with: alexnet train --run ${result.run} --resume`);
}

/** Prints the figures of the last epoch, the best ones if they are of another epoch, and what to do next. */
function printResult({ run, end, last, best, device }: TrainResult): void {
  if (last) {
    const { iteration, seconds } = last;
    print(epochFigures(last));
    print(`${formatRate(last.examplesPerSecond, "images")} on ${device}`);
    if (best?.testAccuracy !== undefined && best.iteration !== last.iteration) {
      const epoch = formatEpoch(best.epoch);
      printError(
        `best test ${best.testMeanAveragePrecision === undefined ? "accuracy" : "exact match"} ${formatPercent(best.testAccuracy)} after epoch ${epoch}: best.safetensors, which the report, evaluate and predict use`,
      );
    }
    printError(`${iteration} iteration${iteration === 1 ? "" : "s"} in ${formatDuration(seconds)}`);
  }
  if (end === "time") printError(`Stopped at the time limit. Resume with: alexnet train --run ${run} --resume`);
  print(`report ${run}/report.html`);
  if (end !== "time") printError(`Next: alexnet evaluate ${run}; alexnet predict ${run} IMAGE`);
}
