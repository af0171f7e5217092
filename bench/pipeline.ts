/**
 * Time that the engine waits for data: images/s of training steps on a data set (default: Fashion-MNIST), prepared as in training, and of the same
 * steps on noise in the engine's memory, alternating. Prints medians, with quartiles in brackets.
 *
 *     node --import tsx bench/pipeline.ts [--dataset NAME|DIR] [--data-dir DIR] [--precision auto|f32|bf16] [--network NAME] [--fit NAME]
 *       [--batch-size N] [--rounds N]
 */
import { parseArgs } from "node:util";
import { type Batch, batches } from "../src/dataset/prepare/batches.ts";
import { createThreadedPreparation } from "../src/dataset/prepare/threadedPreparation.ts";
import type { TrainingProgram } from "../src/engine/engine.ts";
import { precisionNames } from "../src/engine/select/precision.ts";
import { fitNames } from "../src/image/prepare/fit.ts";
import { initialValues } from "../src/network/initialize.ts";
import { operations } from "../src/network/network.ts";
import { fillUniform, permutation, randomStream } from "../src/random.ts";
import { resolve } from "../src/settings/resolve.ts";
import { oneProcess } from "../src/trainer/processes.ts";
import { type PreparedRun, prepareRun } from "../src/trainer/runSetup.ts";
import { createObjective } from "../src/training/objective/objective.ts";
import { createOptimizer } from "../src/training/optimizers/optimizer.ts";

/** Untimed steps of each kind at the start. */
const WARM_UP = 3;
const SEED = 1;

const { values: flags } = parseArgs({
  options: {
    precision: { type: "string", default: "auto" },
    dataset: { type: "string", default: "fashion-mnist" },
    "data-dir": { type: "string" },
    network: { type: "string" },
    fit: { type: "string" },
    "batch-size": { type: "string", default: "128" },
    rounds: { type: "string", default: "15" },
  },
});
const precision = precisionNames.find((name) => name === flags.precision);
const rounds = Number(flags.rounds);
if (precision === undefined || !(rounds >= 1)) {
  throw new Error(`expected --precision ${precisionNames.join("|")} and --rounds of at least 1`);
}

const fit = fitNames.find((name) => name === flags.fit);
const { dataset, "data-dir": dataDir, network } = flags;
const settings = {
  precision,
  dataset,
  batchSize: Number(flags["batch-size"]),
  ...(dataDir === undefined ? {} : { dataDir }),
  ...(network === undefined ? {} : { network }),
  ...(fit === undefined ? {} : { fit }),
};
const run = await prepareRun(await resolve(settings), {
  command: "bench/pipeline.ts",
  observer: { onMessage: console.log },
  ...oneProcess,
});
const program = await compile(run);
try {
  report(await measure(run, program), program.batchSize);
} finally {
  program.close();
  run.engine.close();
  run.dataset.close?.();
}

async function compile({ config, engine }: PreparedRun): Promise<TrainingProgram> {
  const { network, recipe, precision, exact } = config;
  const { batchSize } = recipe;
  console.log(`${engine.description}; ${network.name}, ${precision}, batches of ${batchSize}, ${rounds} rounds`);
  const compiled = await engine.compileTraining({
    ops: operations(network),
    inputShape: network.input,
    batchSize,
    precision,
    exact,
  });
  const tensors = new Map(compiled.parameters.map(({ name, value }) => [name, value]));
  for (const { name, values } of initialValues(network, recipe.initializer, SEED)) {
    const tensor = tensors.get(name);
    if (tensor) await compiled.write(tensor, values);
  }
  return compiled;
}

/** Returns a batch ready to be computed. */
type Feed = () => Promise<Batch>;

/** Milliseconds of each step of one kind: total, and waiting for its batch. */
interface Times {
  readonly step: number[];
  readonly waiting: number[];
}

async function measure(run: PreparedRun, program: TrainingProgram): Promise<{ real: Times; resident: Times }> {
  const { recipe, network } = run.config;
  const optimizer = createOptimizer(program, recipe);
  const objective = createObjective(
    recipe,
    { batchSize: program.batchSize, imageShape: network.input },
    run.dataset.train,
    run.config.dataset.classNames,
  );
  let [first, step] = [0, 0];
  const measureStep = async (feed: Feed, times: Times) => {
    const start = performance.now();
    const batch = await feed();
    times.waiting.push(performance.now() - start);
    const { targets } = objective.prepare(batch, first);
    await program.forwardBackward(batch.images, targets, batch.count, { seed: SEED, first });
    await optimizer.step({ learningRate: recipe.learningRate, step: ++step, images: batch.count });
    await new Promise(setImmediate);
    times.step.push(performance.now() - start);
    first += batch.count;
  };
  const result = { real: { step: [], waiting: [] }, resident: { step: [], waiting: [] } };
  const real = realFeed(run, program);
  const noise = new Float32Array(program.input.length);
  fillUniform(randomStream(SEED, "bench/pipeline"), 0, noise);
  const labels = Int32Array.from({ length: program.batchSize }, (_, i) => i % run.config.dataset.classNames.length);
  const indices = new Uint32Array(program.batchSize);
  const resident: Feed = async () => ({ images: program.input, labels, indices, count: program.batchSize, view: 0 });
  const measureResident = () => {
    // Restores the noise that the real data overwrote, before the clock starts.
    program.input.set(noise);
    return measureStep(resident, result.resident);
  };
  for (let round = 0; round < WARM_UP + rounds; round++) {
    // The order alternates between rounds, so that a drift of the machine's speed favours neither.
    if (round % 2 === 0) await measureStep(real, result.real);
    await measureResident();
    if (round % 2 === 1) await measureStep(real, result.real);
  }
  return result;
}

/** Batches of the training images in shuffled order, for one epoch. */
function realFeed({ config, dataset, engine }: PreparedRun, { batchSize, input }: TrainingProgram): Feed {
  const { train: split } = dataset;
  const order = permutation(randomStream(SEED, "shuffle"), 0, split.length);
  const { preprocessing, recipe, colours } = config;
  const random = { augmentation: recipe.augmentation, seed: SEED, colours };
  const preparation = createThreadedPreparation({ preprocessing, random, threads: engine.threads, patience: 0 });
  const source = batches({ split, preparation, batchSize, order, epoch: 0, into: input });
  const iterator = source[Symbol.asyncIterator]();
  return async () => {
    const { value: batch, done } = await iterator.next();
    if (done) throw new Error(`--rounds: an epoch has only ${Math.ceil(split.length / batchSize)} batches`);
    return batch;
  };
}

function report({ real, resident }: { real: Times; resident: Times }, batchSize: number): void {
  const rates = (times: Times) => times.step.slice(WARM_UP).map((ms) => (1000 * batchSize) / ms);
  console.log(`real data        ${spread(rates(real))} images/s`);
  console.log(`resident batch   ${spread(rates(resident))} images/s`);
  console.log(`ratio            ${(median(rates(real)) / median(rates(resident))).toFixed(3)}`);
  const [residentRates, realRates] = [rates(resident), rates(real)];
  const pairs = realRates.map((rate, round) => rate / (residentRates[round] as number));
  console.log(`ratio in a round ${spread(pairs, 3)}`);
  console.log(`waiting for data ${spread(real.waiting.slice(WARM_UP))} ms of ${spread(real.step.slice(WARM_UP))} ms`);
}

function spread(values: readonly number[], digits = 1): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((fraction) => quantile(values, fraction).toFixed(digits));
  return `${middle} [${low} … ${high}]`;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = fraction * (sorted.length - 1);
  const [low = 0, high = low] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (place % 1) * (high - low);
}
