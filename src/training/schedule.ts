/** Learning-rate schedules. */
import * as z from "zod/mini";
import { belowOne, positive, positiveInt, properFraction } from "../schema.ts";
import { bestFigures, type Evaluated, improves, type Monitor } from "./monitor.ts";
import { type BatchSizes, rateScale } from "./rateScale.ts";

const constant = z.strictObject({ kind: z.literal("constant") });

/** Fraction of the run between two reductions of a step schedule without an interval. */
const usualFraction = 1 / 3;

/**
 * × factor after every `everyEpochs` epochs, or after every `everyFraction` of the run's epochs; with both, after the longer of the two, so that a
 * recipe's interval scales with a longer run. `at` lists single fractions of the run instead, as torch.optim.lr_scheduler.MultiStepLR lists epochs. The
 * learning rate changes at the end of the epoch in which the interval ends.
 */
const step = z.pipe(
  z
    .strictObject({
      kind: z.literal("step"),
      everyEpochs: z.exactOptional(positiveInt),
      everyFraction: z.exactOptional(z.number().check(z.positive(), z.lte(1))),
      at: z.exactOptional(z.array(properFraction).check(z.minLength(1))),
      factor: z._default(properFraction, 0.1),
    })
    .check(
      z.refine(
        ({ everyEpochs, everyFraction, at }) => !at || (everyEpochs ?? everyFraction) === undefined,
        "expected either at, or everyEpochs and everyFraction",
      ),
    ),
  z.transform((schedule) =>
    schedule.everyEpochs === undefined && !schedule.at ? { everyFraction: usualFraction, ...schedule } : schedule,
  ),
);

/**
 * × factor when the monitored figure has not improved for `patience` evaluations, at most `reductions` times. Source: Krizhevsky et al.
 * 2012, §5: divided by 10 when the validation error stopped improving, three times in all.
 */
const plateau = z.strictObject({
  kind: z.literal("plateau"),
  factor: z._default(properFraction, 0.1),
  patience: z._default(positiveInt, 2),
  reductions: z._default(positiveInt, 3),
});

/**
 * floor + ½ (1 − floor) (1 + cos(π t / T)) at step t of the T after the warm-up. Source: Loshchilov and Hutter 2017, eq. 5, without restarts;
 * torch.optim.lr_scheduler.CosineAnnealingLR.
 */
const cosine = z.strictObject({ kind: z.literal("cosine"), floor: z._default(belowOne, 0) });

/** 1 − (1 − floor) t / T. Source: torch.optim.lr_scheduler.LinearLR(start_factor = 1, end_factor = floor). */
const linear = z.strictObject({ kind: z.literal("linear"), floor: z._default(belowOne, 0) });
/** floor + (1 − floor) (1 − t / T)^power. Sources: Chen et al. 2017, “DeepLab”, §4.3, with power 0.9; torch.optim.lr_scheduler.PolynomialLR. */
const polynomial = z.strictObject({
  kind: z.literal("polynomial"),
  power: z._default(positive, 0.9),
  floor: z._default(belowOne, 0),
});
/** final^(t / T): the same factor in every step. Source: torch.optim.lr_scheduler.ExponentialLR, with gamma = final^(1 / T). */
const exponential = z.strictObject({ kind: z.literal("exponential"), final: z._default(properFraction, 0.01) });
/**
 * From `start` to 1 over the first `rise` of the run, then to `end`, both along half a cosine; the momentum stays. Sources: Smith and Topin 2018,
 * “Super-convergence”, §3; torch.optim.lr_scheduler.OneCycleLR, with pct_start = rise, 1 / div_factor = start, and end = start / final_div_factor.
 */
const oneCycle = z.strictObject({
  kind: z.literal("one-cycle"),
  rise: z._default(properFraction, 0.3),
  start: z._default(properFraction, 0.04),
  end: z._default(properFraction, 4e-6),
});
/** Every step goes through the cycles before it. */
const MAX_CYCLES = 10_000;

/**
 * A cosine from 1 to `floor` in each of `cycles` cycles, each `growth` times as long as the one before; together they are the run. Sources: Loshchilov
 * and Hutter 2017, eq. 5 and §3; torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, with T_mult = growth.
 */
const cosineRestarts = z.strictObject({
  kind: z.literal("cosine-restarts"),
  cycles: z._default(positiveInt.check(z.lte(MAX_CYCLES)), 3),
  growth: z._default(z.number().check(z.gte(1), z.lte(10)), 1),
  floor: z._default(belowOne, 0),
});

/** Learning-rate schedule of a run. Its rates are factors of the recipe's `learningRate`. */
export const scheduleSchema = z.discriminatedUnion("kind", [
  constant,
  step,
  plateau,
  cosine,
  linear,
  polynomial,
  exponential,
  oneCycle,
  cosineRestarts,
]);

export type Schedule = z.infer<typeof scheduleSchema>;
export type ScheduleName = Schedule["kind"];

/** State of a schedule between epochs; stored in checkpoints. */
export interface ScheduleState {
  readonly factor: number;
  readonly bestAccuracy: number;
  /** Present only if the loss is monitored. */
  readonly bestLoss?: number | undefined;
  readonly evaluationsSinceBest: number;
  readonly reductions: number;
}

export const initialScheduleState: ScheduleState = {
  factor: 1,
  // The first evaluation is better, even with an accuracy of 0.
  bestAccuracy: -1,
  evaluationsSinceBest: 0,
  reductions: 0,
};

/** Epochs of a run: completed, and in total. */
export interface EpochCount {
  readonly done: number;
  readonly total: number;
}

/** A kind of schedule: its state after an epoch, and its factor as a function of the completed fraction of the run. */
interface ScheduleKind<S> {
  /** True if the learning rate changes with every step; false if it changes at the ends of epochs only. */
  readonly isSmooth: boolean;
  /** Returns the state after an epoch; `state` already counts that epoch. */
  afterEpoch(schedule: S, state: ScheduleState, epochs: EpochCount): ScheduleState;
  /** Completed fraction of the run without the warm-up, from 0 to 1. */
  factorAt(schedule: S, fraction: number): number;
  /** True if the learning rate before an epoch depends on the number of epochs of the whole run. */
  dependsOnEpochs(schedule: S): boolean;
}

const unchanged = {
  isSmooth: false,
  afterEpoch: (_: unknown, state: ScheduleState) => state,
  factorAt: () => 1,
  dependsOnEpochs: () => false,
};

/** A schedule that is a function of the fraction of the run. */
function alongRun<S>(factorAt: ScheduleKind<S>["factorAt"]): ScheduleKind<S> {
  return { ...unchanged, isSmooth: true, dependsOnEpochs: () => true, factorAt };
}

/** Half a cosine from one value to another. */
function between(from: number, to: number, fraction: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * fraction))) / 2;
}

/** Completed fraction of the cycle that a fraction of the run lies in; the end of the run belongs to the last one. */
function fractionOfCycle(fraction: number, cycles: number, growth: number): number {
  // In units of the last cycle: in those of the first one, many growing cycles are infinitely long.
  const lengthOf = (cycle: number) => growth ** (cycle + 1 - cycles);
  let left = 0;
  for (let cycle = 0; cycle < cycles; cycle++) left += lengthOf(cycle);
  left *= fraction;
  for (let cycle = 0; cycle < cycles - 1; cycle++) {
    const length = lengthOf(cycle);
    // A cycle that ends at this step, regardless of rounding.
    if (left < length * (1 - 1e-9)) return left / length;
    left -= length;
  }
  return Math.min(1, Math.max(0, left));
}

type Intervals = Pick<Extract<Schedule, { kind: "step" }>, "everyEpochs" | "everyFraction" | "at">;

/** Number of intervals of a step schedule that have ended after `done` epochs. */
function intervalsEnded({ everyEpochs = 0, everyFraction = 0, at }: Intervals, done: number, total: number): number {
  // The third interval of a third of 31 epochs ends after epoch 31 regardless of rounding.
  if (at) return at.filter((fraction) => done >= fraction * total - 1e-9).length;
  return Math.floor(done / Math.max(everyEpochs, everyFraction * total) + 1e-9);
}

const kinds: { readonly [K in ScheduleName]: ScheduleKind<Extract<Schedule, { kind: K }>> } = {
  constant: unchanged,
  step: {
    ...unchanged,
    dependsOnEpochs: ({ everyEpochs, everyFraction }) => everyEpochs === undefined || everyFraction !== undefined,
    afterEpoch: ({ factor, ...interval }, state, { done, total }) => ({
      ...state,
      factor: factor ** intervalsEnded(interval, done, total),
    }),
  },
  plateau: {
    ...unchanged,
    afterEpoch({ factor, patience, reductions }, state) {
      if (state.reductions >= reductions || state.evaluationsSinceBest < patience) return state;
      return { ...state, factor: state.factor * factor, evaluationsSinceBest: 0, reductions: state.reductions + 1 };
    },
  },
  cosine: alongRun(({ floor }, fraction) => between(1, floor, fraction)),
  linear: alongRun(({ floor }, fraction) => 1 - (1 - floor) * fraction),
  polynomial: alongRun(({ power, floor }, fraction) => floor + (1 - floor) * (1 - fraction) ** power),
  exponential: alongRun(({ final }, fraction) => final ** fraction),
  "one-cycle": alongRun(({ rise, start, end }, fraction) =>
    fraction < rise ? between(start, 1, fraction / rise) : between(1, end, (fraction - rise) / (1 - rise)),
  ),
  "cosine-restarts": alongRun(({ cycles, growth, floor }, fraction) =>
    between(1, floor, fractionOfCycle(fraction, cycles, growth)),
  ),
};

export const scheduleNames = Object.keys(kinds) as readonly ScheduleName[];

function kindOf<S extends Schedule>(schedule: S): ScheduleKind<S> {
  return kinds[schedule.kind] as unknown as ScheduleKind<S>;
}

/** The state after an epoch that ended with this evaluation. */
export function advance(
  schedule: Schedule,
  state: ScheduleState,
  epochs: EpochCount,
  evaluated: Evaluated,
  monitor?: Monitor,
): ScheduleState {
  const counted = improves(monitor, evaluated, state)
    ? { ...state, ...bestFigures(monitor, evaluated), evaluationsSinceBest: 0 }
    : { ...state, evaluationsSinceBest: state.evaluationsSinceBest + 1 };
  return kindOf(schedule).afterEpoch(schedule, counted, epochs);
}

/** True if a run with another number of epochs has other learning rates from its start, so that it cannot be extended. */
export function dependsOnEpochs(schedule: Schedule): boolean {
  return kindOf(schedule).dependsOnEpochs(schedule);
}

/** The part of a recipe that determines the learning rate. */
export interface RateRecipe extends BatchSizes {
  readonly learningRate: number;
  readonly schedule: Schedule;
  /** Epochs over which the rate rises linearly from 0. Source: Goyal et al. 2017, §2.2. */
  readonly warmup: number;
}

/** True if the learning rate changes with every step at an epoch, fractional: in a warm-up, and in a schedule such as cosine. */
export function changesSmoothly({ schedule, warmup }: Pick<RateRecipe, "schedule" | "warmup">, epoch: number): boolean {
  return epoch <= warmup || kindOf(schedule).isSmooth;
}

/** Optimizer steps of a run. */
export interface RunSteps {
  readonly perEpoch: number;
  readonly total: number;
}

/** The steps of a run on `images` images: the last one of an epoch may have fewer batches, the last batch fewer images. */
export function runSteps(
  {
    epochs,
    batchSize,
    accumulate,
  }: { readonly epochs: number; readonly batchSize: number; readonly accumulate: number },
  images: number,
): RunSteps {
  const stepsOf = (count: number) => Math.ceil(Math.ceil(count / batchSize) / accumulate);
  const [whole, rest] = [Math.floor(epochs), epochs - Math.floor(epochs)];
  const last = rest === 0 ? 0 : stepsOf(Math.max(1, Math.round(rest * images)));
  return { perEpoch: stepsOf(images), total: whole * stepsOf(images) + last };
}

/**
 * The learning rate of a step after `steps` earlier ones, including the factors of linear scaling and rollbacks. `schedule` is the state after the last epoch.
 *
 * In a warm-up of W steps, the rate is multiplied by (steps + 1) / W, as in torch.optim.lr_scheduler.LinearLR(start_factor = 1 / W, total_iters =
 * W − 1). Schedules along the run begin after the warm-up; `step` and `plateau` count epochs from its start.
 */
export function learningRateAt(
  { learningRate, schedule, warmup, ...sizes }: RateRecipe,
  { perEpoch, total }: RunSteps,
  position: {
    readonly steps: number;
    readonly schedule: ScheduleState;
    readonly rollbacks: { readonly factor: number };
  },
): number {
  const { steps } = position;
  const warmupSteps = Math.min(total, Math.round(warmup * perEpoch));
  const warming = steps < warmupSteps ? (steps + 1) / warmupSteps : 1;
  const fraction = Math.min(1, Math.max(0, steps - warmupSteps) / Math.max(1, total - warmupSteps));
  return (
    learningRate *
    rateScale(sizes) *
    position.rollbacks.factor *
    position.schedule.factor *
    kindOf(schedule).factorAt(schedule, fraction) *
    warming
  );
}
