/** The optimizer of a run: every parameter's update compiled once, with the recipe's clipping, accumulation and averaging. */
import type { Assignment, Scalar, Tensor, TrainableParameter, TrainingProgram, Update } from "../../engine/engine.ts";
import { ConfigError } from "../../errors.ts";
import type { Recipe } from "../recipe.ts";
import type { Norms, StepPlace } from "./optimizerKind.ts";
import { optimizerKind } from "./optimizers.ts";

/** A tensor of a checkpoint, such as the `velocity` of the parameter `conv1.weight`. */
export interface StateTensor {
  readonly name: string;
  readonly parameter: string;
  readonly tensor: Tensor;
}

/** A step of all parameters. */
export interface OptimizerStep {
  readonly learningRate: number;
  /** Number of the step in the run, from 1. */
  readonly step: number;
  /** Total over its batches. */
  readonly images: number;
}

/** Updates a program's weights from its gradients. A step allocates no tensors. */
export interface Optimizer {
  /** All tensors that a resumed run needs in addition to the weights; initially zero. */
  readonly state: readonly StateTensor[];
  /** The averaged weights by parameter, used for evaluations; undefined if the recipe averages none. */
  readonly averaged: ReadonlyMap<string, Tensor> | undefined;
  /** Starts the average from the initial weights. Call it once they are written. */
  start(): void;
  /** Adds the gradients of a batch of `images` images, the first of its step or a later one. */
  addBatch(images: number, isFirst: boolean): void;
  /**
   * Updates the weights from the added batches. Returns the gradient's norm if the recipe clips it. If the recipe neither clips it nor has an optimizer
   * that needs norms, reads nothing, and begins the update before the call returns.
   */
  step(step: OptimizerStep): Promise<number | undefined>;
  /** Runs an action while the program has the averaged weights; the gradients are lost. */
  withAverage<T>(action: () => Promise<T>): Promise<T>;
}

/** The part of a recipe that an optimizer reads. */
export type OptimizerRecipe = Pick<Recipe, "optimizer"> &
  Partial<Pick<Recipe, "name" | "multipliers" | "clipNorm" | "accumulate" | "average">>;

/** Avoids division by 0, as in torch.nn.utils.clip_grad_norm_. */
const CLIP_EPSILON = 1e-6;

/**
 * Compiles a recipe's optimizer for a program.
 *
 * - `clipNorm`: gradients are scaled by min(1, `clipNorm` / (their norm over all parameters + 10⁻⁶)). Source: Pascanu et al. 2013, algorithm 1;
 *   torch.nn.utils.clip_grad_norm_.
 * - `accumulate`: a step uses the mean gradient over all images of several batches.
 * - `average`: see `averageDecay`.
 *
 * Throws ConfigError if the recipe has a multiplier for an unknown tensor.
 */
export function createOptimizer(program: TrainingProgram, recipe: OptimizerRecipe): Optimizer {
  checkMultipliers(program, recipe);
  const parameters = program.parameters.map((parameter) => compileParameter(program, parameter, recipe));
  const gradients = parameters.map(({ gradient }) => gradient);
  const { clipNorm, accumulate = 1, average } = recipe;
  const { readsNorms } = optimizerKind(recipe.optimizer);
  const updates = (name: keyof ParameterUpdates) => parameters.flatMap((parameter) => parameter.updates[name] ?? []);
  const [begin, add, start, enter, leave] = [
    updates("begin"),
    updates("add"),
    updates("start"),
    updates("enter"),
    updates("leave"),
  ];
  return {
    state: parameters.flatMap(({ state }) => state),
    averaged: average === undefined ? undefined : new Map(parameters.flatMap(({ averaged }) => averaged ?? [])),
    start: () => runAll(start),
    addBatch(images, isFirst) {
      for (const { images: count } of parameters) count.value = images;
      runAll(isFirst ? begin : add);
    },
    async step({ learningRate, step, images }) {
      const mean = accumulate === 1 ? 1 : 1 / images;
      const norm = clipNorm === undefined ? undefined : mean * Math.sqrt(await program.sumOfSquares(gradients));
      const clipped = norm === undefined || clipNorm === undefined ? 1 : Math.min(1, clipNorm / (norm + CLIP_EPSILON));
      const scale = mean * clipped;
      const norms = readsNorms ? await normsOf(program, parameters, scale) : undefined;
      for (const [i, parameter] of parameters.entries())
        parameter.step({ learningRate, step, norms: norms?.[i] }, scale);
      return norm;
    },
    async withAverage(action) {
      runAll(enter);
      try {
        return await action();
      } finally {
        runAll(leave);
      }
    },
  };
}

/** Norms of every parameter, and of its gradient multiplied by `scale`. All sums are started at once, so that a device is waited for once. */
async function normsOf(
  program: TrainingProgram,
  parameters: readonly CompiledParameter[],
  scale: number,
): Promise<readonly Norms[]> {
  const normOf = async (tensor: Tensor) => Math.sqrt(await program.sumOfSquares([tensor]));
  return Promise.all(
    parameters.map(async (parameter) => {
      const [value, gradient] = await Promise.all([normOf(parameter.value), normOf(parameter.gradient)]);
      return { value, gradient: scale * gradient };
    }),
  );
}

/** One-line description of a recipe's optimizer. */
export function describeOptimizer({ optimizer, clipNorm, accumulate = 1, average }: OptimizerRecipe): string {
  return [
    optimizerKind(optimizer).describe(optimizer),
    ...(clipNorm === undefined ? [] : [`gradients clipped to ${clipNorm}`]),
    ...(accumulate === 1 ? [] : [`${accumulate} batches per step`]),
    ...(average === undefined ? [] : [`weights averaged by ${average}`]),
  ].join("; ");
}

function runAll(updates: readonly Update[]): void {
  for (const update of updates) update.run();
}

function checkMultipliers(
  { parameters }: TrainingProgram,
  { name: recipe = "", multipliers = {} }: OptimizerRecipe,
): void {
  const names = ["weight", "bias", ...parameters.map(({ name }) => name)];
  const unknown = Object.keys(multipliers).find((key) => !names.includes(key));
  if (unknown === undefined) return;
  throw new ConfigError(`recipe ${recipe}: multipliers: no tensor "${unknown}"; expected one of ${names.join(", ")}`);
}

/** Further updates of one parameter, if the recipe accumulates or averages. */
interface ParameterUpdates {
  readonly begin?: Update;
  readonly add?: Update;
  readonly start?: Update;
  readonly enter?: Update;
  readonly leave?: Update;
}

interface CompiledParameter {
  readonly state: readonly StateTensor[];
  readonly averaged: readonly (readonly [parameter: string, Tensor])[];
  readonly value: Tensor;
  /** Gradient of a step: that of its batch, or the sum over its batches. */
  readonly gradient: Tensor;
  /** Number of images of the added batch. */
  readonly images: Scalar;
  readonly updates: ParameterUpdates;
  step(place: StepPlace, scale: number): void;
}

function compileParameter(
  program: TrainingProgram,
  { name, value, gradient: batchGradient }: TrainableParameter,
  { optimizer, multipliers = {}, clipNorm, accumulate = 1, average }: OptimizerRecipe,
): CompiledParameter {
  const factors = multipliers[name] ?? multipliers[name.slice(name.lastIndexOf(".") + 1)];
  const kind = optimizerKind(optimizer);
  const state: StateTensor[] = [];
  const create = (of: string): Tensor => {
    const tensor = program.newTensor(value);
    state.push({ name: of, parameter: name, tensor });
    return tensor;
  };
  const kept = kind.state(optimizer).map(create);
  const sum = accumulate === 1 ? undefined : create("accumulated");
  const averaged = average === undefined ? undefined : create("average");
  const gradient = sum ?? batchGradient;
  const own = kind.step(
    optimizer,
    { value, gradient, state: kept },
    optimizer.weightDecay * (factors?.weightDecay ?? 1),
  );
  const [scale, images, fraction]: [Scalar, Scalar, Scalar] = [{ value: 1 }, { value: 0 }, { value: 0 }];
  const scaling: Assignment = { target: gradient, from: gradient, operations: [["multiply", scale]] };
  const update = program.compileUpdate([
    ...(sum || clipNorm !== undefined ? [scaling] : []),
    ...own.assignments,
    ...(averaged ? [towards(averaged, value, fraction)] : []),
  ]);
  return {
    state,
    averaged: averaged ? [[name, averaged]] : [],
    value,
    gradient,
    images,
    updates: {
      ...(sum ? accumulation(program, sum, batchGradient, images) : {}),
      ...(averaged ? averaging(program, averaged, value, batchGradient) : {}),
    },
    step(place, by) {
      scale.value = by;
      own.set({ ...place, learningRate: place.learningRate * (factors?.learningRate ?? 1) });
      if (average !== undefined) fraction.value = 1 - averageDecay(average, place.step);
      update.run();
    },
  };
}

/** Sums of gradients, weighted by the number of images, since a batch's gradient is that of its mean loss. */
function accumulation(program: TrainingProgram, sum: Tensor, gradient: Tensor, images: Scalar) {
  const begin = program.compileUpdate([{ target: sum, from: gradient, operations: [["multiply", images]] }]);
  const operations = [
    ["multiply", images],
    ["add", sum],
  ] as const;
  return { begin, add: program.compileUpdate([{ target: sum, from: gradient, operations }]) };
}

/**
 * Decay of the exponential moving average at a step, from 1: e ← d·e + (1 − d)·w after each step, with d = min(`decay`, n / (n + 9)) after n averaged
 * weights. The growing decay limits the influence of the initial weights on a short run.
 *
 * Source: Polyak and Juditsky 1992; the growing decay as in TensorFlow's `ExponentialMovingAverage` with `num_updates`, the first weights taken as
 * they are as in torch.optim.swa_utils.AveragedModel.
 */
function averageDecay(decay: number, step: number): number {
  return Math.min(decay, (step - 1) / (step + 8));
}

/** average ← average + fraction·(value − average). */
function towards(average: Tensor, value: Tensor, fraction: Scalar): Assignment {
  return {
    target: average,
    from: value,
    operations: [
      ["subtract", average],
      ["multiply", fraction],
      ["add", average],
    ],
  };
}

/**
 * Updates of one parameter's average: `start` copies the value to it; `enter` puts the average in the value's place, and `leave` restores the value
 * bit for bit. Between the two the gradient's memory holds the value.
 */
function averaging(program: TrainingProgram, average: Tensor, value: Tensor, gradient: Tensor) {
  const copy = (target: Tensor, from: Tensor): Assignment => ({
    target,
    from,
    operations: [["multiply", { value: 1 }]],
  });
  return {
    start: program.compileUpdate([copy(average, value)]),
    enter: program.compileUpdate([copy(gradient, value), copy(value, average)]),
    leave: program.compileUpdate([copy(value, gradient)]),
  };
}
