/** The optimizer of a run: every parameter's update compiled once, with clipping, accumulation and averaging as the recipe has them. */
import type { Assignment, Scalar, Tensor, TrainableParameter, TrainingProgram, Update } from "../../engine/engine.ts";
import { ConfigError } from "../../errors.ts";
import type { Recipe } from "../recipe.ts";
import { averageDecay, averaging, towards } from "./average.ts";
import { optimizerKind } from "./optimizers.ts";

/** A tensor that belongs in a checkpoint: `velocity` of the parameter `conv1.weight`. */
export interface StateTensor {
  readonly name: string;
  readonly parameter: string;
  readonly tensor: Tensor;
}

/** A step of all parameters. */
export interface OptimizerStep {
  readonly learningRate: number;
  /** Which step of the run it is, from 1 on. */
  readonly step: number;
  /** Of all batches that it is for. */
  readonly images: number;
}

/** Changes a program's weights by its gradients. Nothing is allocated in a step. */
export interface Optimizer {
  /** All that must be saved to go on as if nothing had been; zeros at first. */
  readonly state: readonly StateTensor[];
  /** The averaged weights by parameter, which the network is evaluated with; undefined if the recipe averages none. */
  readonly averaged: ReadonlyMap<string, Tensor> | undefined;
  /** To be called once the initial weights are there: their average begins with them. */
  start(): void;
  /** Takes in the gradients of a batch of so many images, the first of its step or a later one. */
  addBatch(images: number, isFirst: boolean): void;
  /** Changes the weights by the batches taken in. Returns the gradient's norm where the recipe clips it. */
  step(step: OptimizerStep): number | undefined;
  /** Does something while the program has the averaged weights; the gradients are lost. */
  withAverage<T>(action: () => Promise<T>): Promise<T>;
}

/** What an optimizer takes from a recipe. */
export type OptimizerRecipe = Pick<Recipe, "optimizer"> &
  Partial<Pick<Recipe, "name" | "multipliers" | "clipNorm" | "accumulate" | "average">>;

/** As torch.nn.utils.clip_grad_norm_ has it, against division by 0. */
const CLIP_EPSILON = 1e-6;

/**
 * Compiles a recipe's optimizer for a program.
 *
 * - `clipNorm`: gradients are scaled by min(1, `clipNorm` / (their norm over all parameters + 10⁻⁶)). Source: Pascanu et al. 2013, algorithm 1;
 *   torch.nn.utils.clip_grad_norm_.
 * - `accumulate`: a step is made of several batches, by the mean gradient over all of their images.
 * - `average`: see `averageDecay`.
 *
 * Throws ConfigError if the recipe has a multiplier for a tensor that is not there.
 */
export function createOptimizer(program: TrainingProgram, recipe: OptimizerRecipe): Optimizer {
  checkMultipliers(program, recipe);
  const parameters = program.parameters.map((parameter) => compileParameter(program, parameter, recipe));
  const { clipNorm, accumulate = 1, average } = recipe;
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
    step({ learningRate, step, images }) {
      const mean = accumulate === 1 ? 1 : 1 / images;
      const norm = clipNorm === undefined ? undefined : mean * normOf(program, parameters);
      const clipped = norm === undefined || clipNorm === undefined ? 1 : Math.min(1, clipNorm / (norm + CLIP_EPSILON));
      for (const parameter of parameters) parameter.step(learningRate, step, mean * clipped);
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

/** A recipe's optimizer in a line, for people. */
export function describeOptimizer({ optimizer, clipNorm, accumulate = 1, average }: OptimizerRecipe): string {
  return [
    optimizerKind(optimizer).describe(optimizer),
    ...(clipNorm === undefined ? [] : [`gradients clipped to ${clipNorm}`]),
    ...(accumulate === 1 ? [] : [`${accumulate} batches a step`]),
    ...(average === undefined ? [] : [`weights averaged by ${average}`]),
  ].join("; ");
}

function runAll(updates: readonly Update[]): void {
  for (const update of updates) update.run();
}

function normOf(program: TrainingProgram, parameters: readonly CompiledParameter[]): number {
  let sum = 0;
  for (const { gradient } of parameters) sum += program.sumOfSquares(gradient);
  return Math.sqrt(sum);
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

/** What is done to one parameter besides its step: only where the recipe accumulates, and where it averages. */
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
  /** Of a step: the batch's, or that of the batches' sum. */
  readonly gradient: Tensor;
  /** Of the batch that is taken in. */
  readonly images: Scalar;
  readonly updates: ParameterUpdates;
  step(learningRate: number, step: number, scale: number): void;
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
  const [scale, images, share]: [Scalar, Scalar, Scalar] = [{ value: 1 }, { value: 0 }, { value: 0 }];
  const scaling: Assignment = { target: gradient, from: gradient, operations: [["multiply", scale]] };
  const update = program.compileUpdate([
    ...(sum || clipNorm !== undefined ? [scaling] : []),
    ...own.assignments,
    ...(averaged ? [towards(averaged, value, share)] : []),
  ]);
  return {
    state,
    averaged: averaged ? [[name, averaged]] : [],
    gradient,
    images,
    updates: {
      ...(sum ? accumulation(program, sum, batchGradient, images) : {}),
      ...(averaged ? averaging(program, averaged, value, batchGradient) : {}),
    },
    step(learningRate, step, by) {
      scale.value = by;
      own.set({ learningRate: learningRate * (factors?.learningRate ?? 1), step });
      if (average !== undefined) share.value = 1 - averageDecay(average, step);
      update.run();
    },
  };
}

/** Sums of gradients, each times its images, since a batch's gradient is that of its mean loss. */
function accumulation(program: TrainingProgram, sum: Tensor, gradient: Tensor, images: Scalar) {
  const begin = program.compileUpdate([{ target: sum, from: gradient, operations: [["multiply", images]] }]);
  const operations = [
    ["multiply", images],
    ["add", sum],
  ] as const;
  return { begin, add: program.compileUpdate([{ target: sum, from: gradient, operations }]) };
}
