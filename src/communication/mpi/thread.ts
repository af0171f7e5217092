/**
 * Program of the thread that calls MPI: takes exchanges from the queue, tests those in progress, and pauses between. It never blocks in a call, so that
 * the process can end at any time, and a process that stops is found.
 */
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../errors.ts";
import { type Control, type Exchange, kinds, openControl, SILENT_EXIT, states } from "./control.ts";
import { type FoundMpi, findMpi, type Mpi, type Slot, startLibrary } from "./library.ts";
import { startWatch, type Watch } from "./watch.ts";

/** Start data of the thread. */
export interface ThreadData {
  readonly control: SharedArrayBuffer;
  /** Seconds of silence after which a process counts as stopped. */
  readonly timeout: number;
}

/** First message of the thread. */
export type Started =
  | { readonly rank: number; readonly size: number; readonly name: string; readonly version: string }
  | { readonly problem: string };

/** Exchanges in progress at once: enough that one is being transferred while others begin and end. */
const IN_PROGRESS = 8;
/** Tests without a pause while the main thread waits: a small exchange takes microseconds. */
const EAGER_TESTS = 200;
/** Milliseconds of the pause after that, and while the main thread computes. */
const [SHORT_NAP, LONG_NAP] = [0.05, 0.5];
/** Milliseconds of the pause without an exchange, which ends when one is asked for. */
const IDLE_NAP = 20;

function start(mpi: Mpi, { kind, from, to, count, root }: Exchange, request: Slot): void {
  if (kind === kinds.sumFloat) mpi.startSum("float", from, count, request);
  else if (kind === kinds.sumDouble) mpi.startSum("double", from, count, request);
  else if (kind === kinds.reduceFloat) mpi.startReduce("float", from, to, count, root, request);
  else if (kind === kinds.reduceDouble) mpi.startReduce("double", from, to, count, root, request);
  else if (kind === kinds.gather) mpi.startGather(from, to, count, request);
  else if (kind === kinds.share) mpi.startShare(from, count, request);
  else mpi.startBarrier(request);
}

/** Runs exchanges until the one that ends the job. */
function serve(mpi: Mpi, control: Control, watch: Watch): void {
  const slots = Array.from({ length: IN_PROGRESS }, () => mpi.slot());
  const slotOf = (n: number) => slots[(n >>> 0) % IN_PROGRESS] as Slot;
  let started = control.completed();
  let first = started;
  let tests = 0;
  let isLast = false;
  while (!isLast || first !== started) {
    while (started !== control.issued() && ((started - first) | 0) < IN_PROGRESS) {
      const exchange = control.read(started);
      if (exchange.kind === kinds.close) isLast = true;
      start(mpi, exchange, slotOf(started));
      started = (started + 1) | 0;
      tests = 0;
    }
    while (first !== started && mpi.isDone(slotOf(first))) {
      first = (first + 1) | 0;
      control.complete();
      tests = 0;
    }
    const problem = watch.look();
    if (problem !== undefined) leave(mpi, `alexnet: ${problem}; resume the run with --resume`, SILENT_EXIT);
    if (first === started) {
      if (!isLast) control.waitForIssue(started, IDLE_NAP);
    } else if (control.state() === states.working) control.nap(LONG_NAP);
    else if (++tests > EAGER_TESTS) control.nap(SHORT_NAP);
  }
}

/** Ends the process: the launcher then ends the others. */
function leave(mpi: Pick<Mpi, "exit">, message: string, code: number): void {
  writeSync(2, `${message}\n`);
  mpi.exit(code);
}

function run({ control: memory, timeout }: ThreadData): void {
  let found: FoundMpi;
  let mpi: Mpi;
  try {
    found = findMpi(process.env);
    mpi = startLibrary(found);
  } catch (error) {
    parentPort?.postMessage({ problem: messageOf(error) } satisfies Started);
    return;
  }
  const control = openControl(memory);
  try {
    const { rank, size } = mpi;
    const watch = startWatch(mpi, control, 1000 * timeout);
    const { implementation, version } = found;
    parentPort?.postMessage({ rank, size, name: implementation.name, version } satisfies Started);
    serve(mpi, control, watch);
    watch.end();
    mpi.finalize();
  } catch (error) {
    leave(mpi, `alexnet: ${messageOf(error)}`, 1);
  }
}

run(workerData as ThreadData);
