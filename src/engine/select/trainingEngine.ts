/** The engine of a new run: where oneDNN and a graphics adapter are both there, the faster one on the network of the run. */
import { NativeError, ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import type { CompileRequest, Engine } from "../engine.ts";
import { loadDawn } from "./dawn.ts";
import type { EngineName } from "./engineNames.ts";
import { choosePrecision, type PrecisionName } from "./precision.ts";
import { type OpenGpu, openAdapter, type SelectedEngine, selectEngine } from "./selectEngine.ts";

/** Seconds that each engine trains for, after a first step. */
const TRIAL_SECONDS = 1;

/** A run whose engine is chosen. */
export interface TrainedNetwork extends Pick<CompileRequest, "ops" | "inputShape" | "batchSize" | "exact"> {
  readonly precision: PrecisionName;
  readonly threads: number | undefined;
  /** Processes that train together. */
  readonly processes: number;
}

/** An engine and its speed in training. */
export interface Trial {
  readonly engine: Engine;
  readonly imagesPerSecond: number;
}

/**
 * Creates the engine of a new run. `auto` where oneDNN and a hardware adapter are both there: each trains the network for a second, and the faster one is
 * used. Otherwise as `selectEngine`, whose errors it throws.
 */
export async function selectTrainingEngine(
  name: EngineName,
  run: TrainedNetwork,
  openGpu: OpenGpu = loadDawn,
): Promise<SelectedEngine> {
  const selected = await selectEngine(name, run.threads, openGpu);
  const { engine } = selected;
  if (name !== "auto" || engine.name !== "onednn" || run.processes > 1) return selected;
  // The graphics adapter computes in f32.
  if (run.precision !== "auto" && run.precision !== "f32") return selected;
  const adapter = await openAdapter(openGpu);
  if (!adapter) return selected;
  try {
    const trials = [await measure(engine, run), await measure(adapter, run)] as const;
    const { faster, slower, message } = compareTrials(trials);
    slower.close();
    return { engine: faster, warning: message };
  } catch (error) {
    adapter.close();
    if (error instanceof NativeError || error instanceof ShapeError) {
      return { engine, warning: `${error.message}. Using ${engine.description}` };
    }
    engine.close();
    throw error;
  }
}

/** The faster of two engines, with a message; the first one if they are equally fast. */
export function compareTrials([first, second]: readonly [Trial, Trial]) {
  const [faster, slower] = second.imagesPerSecond > first.imagesPerSecond ? [second, first] : [first, second];
  const rate = ({ engine, imagesPerSecond }: Trial) =>
    `${engine.description}: ${imagesPerSecond.toPrecision(3)} images/s`;
  const message = `engine: ${rate(faster)} in a trial of ${TRIAL_SECONDS} s; ${rate(slower)}`;
  return { faster: faster.engine, slower: slower.engine, message };
}

async function measure(
  engine: Engine,
  { precision, ops, inputShape, batchSize, exact }: TrainedNetwork,
): Promise<Trial> {
  const program = await engine.compileTraining({
    ...{ ops, inputShape, batchSize, ...(exact === undefined ? {} : { exact }) },
    precision: choosePrecision(precision, engine).precision,
  });
  try {
    const targets = new Float32Array(batchSize * sizeOf(program.outputShape));
    const step = () => program.forwardBackward(program.input, targets, batchSize, { seed: 0, first: 0 });
    const secondsSince = (start: number) => (performance.now() - start) / 1000;
    const compiled = performance.now();
    await step();
    // A device does not wait for the results of each step, as in training.
    const possible = Math.floor(TRIAL_SECONDS / secondsSince(compiled));
    const together = Math.max(1, Math.min(program.readback.everySteps, possible));
    const began = performance.now();
    let [steps, seconds] = [0, 0];
    while (seconds < TRIAL_SECONDS) {
      await Promise.all(Array.from({ length: together }, step));
      steps += together;
      seconds = secondsSince(began);
    }
    return { engine, imagesPerSecond: (steps * batchSize) / seconds };
  } finally {
    program.close();
  }
}
