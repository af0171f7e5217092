/** Checkpoints of a run in a page: its position, weights and optimizer state as plain values, and the best weights. */
import type { LogEntry } from "../../checkpoint/runLog.ts";
import type { TrainingProgram } from "../../engine/engine.ts";
import { type NetworkModel, readWeights, type Weights, writeWeights } from "../../model/networkModel.ts";
import { sizeOf } from "../../shape.ts";
import type { RunInput } from "../../trainer/fitInput.ts";
import { metricsOf, type RunStorage } from "../../trainer/recorder.ts";
import { newWeights } from "../../trainer/trainNetwork.ts";
import type { Evaluated } from "../../training/monitor.ts";
import type { Optimizer } from "../../training/optimizers/optimizer.ts";
import type { Recipe } from "../../training/recipe.ts";
import type { Position } from "../../training/state.ts";
import type { TestResult } from "./trainerApi.ts";

/** Tensors by name. */
type Tensors = readonly (readonly [name: string, values: Float32Array])[];

/** A position of a run: everything that a resumed run needs besides its images. */
export interface Checkpoint {
  readonly position: Position;
  readonly log: readonly LogEntry[];
  readonly weights: Tensors;
  readonly optimizer: Tensors;
  readonly best: BestWeights | undefined;
}

/** A checkpoint as it is saved, with the evaluation that the page shows. */
export interface SavedState extends Checkpoint {
  readonly test: TestResult | undefined;
}

/** Weights of the best evaluation. */
interface BestWeights {
  readonly weights: Tensors;
  readonly evaluated: Evaluated | undefined;
  readonly metrics: NetworkModel["metrics"];
}

/** Checkpoints of one run. */
export interface Checkpoints {
  /** Storage for the recorder. */
  readonly storage: RunStorage;
  /** Weights of the best evaluation so far; undefined before the first. */
  readonly best: BestWeights | undefined;
}

const SAVE_SECONDS = 20;

/** Creates the checkpoints of a program in training, which continue from `best`; `store` is called with each of them. */
export function createCheckpoints(
  program: TrainingProgram,
  optimizer: Optimizer,
  best: BestWeights | undefined,
  store: (checkpoint: Checkpoint) => Promise<void>,
): Checkpoints {
  let kept = best;
  return {
    get best() {
      return kept;
    },
    storage: {
      saveEverySeconds: SAVE_SECONDS,
      bestWeights: "the downloaded file",
      async append() {},
      async draw() {},
      async save(position, log, isBest) {
        const weights = [...(await readWeights(program, undefined))];
        if (isBest) {
          const averaged = [...(await readWeights(program, optimizer.averaged))];
          kept = { weights: averaged, evaluated: evaluatedOf(log), metrics: metricsOf(log) };
        }
        const state: [string, Float32Array][] = [];
        for (const { name, parameter, tensor } of optimizer.state) {
          state.push([`${parameter}.${name}`, await program.read(tensor, new Float32Array(sizeOf(tensor.shape)))]);
        }
        await store({ position, log: [...log], weights, optimizer: state, best: kept });
      },
    },
  };
}

/** Weights of a new run: the given ones where their size fits, random ones otherwise. */
export function initialWeights(
  { network, patches }: Pick<RunInput, "network" | "patches">,
  recipe: Recipe,
  given: Weights | undefined,
): Weights {
  return new Map(
    [...newWeights(network, recipe, patches)].map(([name, drawn]) => {
      const values = given?.get(name);
      return [name, values?.length === drawn.length ? values : drawn];
    }),
  );
}

/** Writes weights and optimizer state to a program; without `state`, that of a new run. Throws CheckpointError for weights of another network. */
export async function loadState(
  program: TrainingProgram,
  optimizer: Optimizer,
  weights: Weights,
  state: Tensors = [],
): Promise<void> {
  await writeWeights(program, [...program.parameters, ...program.frozen], weights);
  optimizer.start();
  const saved = new Map(state);
  for (const { name, parameter, tensor } of optimizer.state) {
    const values = saved.get(`${parameter}.${name}`);
    if (values) await program.write(tensor, values);
  }
}

/** The evaluation of the last line of a log. */
function evaluatedOf(log: readonly LogEntry[]): Evaluated | undefined {
  const { testAccuracy, testLoss } = log.at(-1) ?? {};
  return testAccuracy === undefined ? undefined : { testAccuracy, testLoss };
}
