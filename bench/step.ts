/**
 * Time of a training iteration in this checkout relative to another one: their training loops alternate on the same images in memory, each in its own
 * process. Prints milliseconds of both and the ratio per round, for each network and precision, as median with quartiles. Below 1, this checkout is
 * faster.
 *
 *     git worktree add ../before COMMIT && ln -s "$PWD/node_modules" ../before/node_modules
 *     node --import tsx bench/step.ts ../before [--network NAME …] [--precision f32 …] [--batch-size 128] [--rounds 15] [--steps 2] [--threads N]
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchmarkedNetworks } from "../src/benchmark/benchmark.ts";
import type { Split } from "../src/dataset/dataset.ts";
import type { Precision } from "../src/engine/engine.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { nativePrecisions } from "../src/engine/select/precision.ts";
import type { Network } from "../src/network/network.ts";
import type { Training, TrainingListener } from "../src/training/train.ts";

/** One network at one precision, in one checkout. */
interface Job {
  readonly tree: string;
  readonly network: string;
  readonly precision: Precision;
  readonly batchSize: number;
  readonly threads?: number;
}

const WARM_UP_ROUNDS = 2;
const here = resolve(fileURLToPath(new URL("..", import.meta.url)));

if (process.send) await work(JSON.parse(process.argv[2] ?? "") as Job);
else await compare();

async function compare(): Promise<void> {
  const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      network: { type: "string", multiple: true, default: [...benchmarkedNetworks] },
      precision: { type: "string", multiple: true },
      "batch-size": { type: "string", default: "128" },
      rounds: { type: "string", default: "15" },
      steps: { type: "string", default: "2" },
      threads: { type: "string" },
    },
  });
  const [other] = positionals;
  const [rounds, steps, batchSize] = [Number(flags.rounds), Number(flags.steps), Number(flags["batch-size"])];
  if (other === undefined || !(rounds >= 1) || !(steps >= 1)) {
    throw new Error("expected another checkout, and --rounds and --steps of at least 1");
  }
  const engine = createOneDnnEngine(flags.threads === undefined ? {} : { threads: Number(flags.threads) });
  engine.close();
  const native = nativePrecisions(engine);
  const precisions = native.filter((name) => flags.precision?.includes(name) ?? true);
  console.log(`${engine.description}; batches of ${batchSize}, ${rounds} rounds of ${steps} iterations`);
  for (const network of flags.network) {
    for (const precision of precisions) {
      const job = { network, precision, batchSize, threads: engine.threads };
      report(`${network} ${precision}`, await measure(job, [resolve(other), here], rounds, steps));
    }
  }
}

/** Seconds per iteration by round, of the other checkout and of this one. */
type Rounds = readonly (readonly [before: number, now: number])[];

async function measure(
  job: Omit<Job, "tree">,
  trees: readonly [string, string],
  rounds: number,
  steps: number,
): Promise<Rounds> {
  const workers = trees.map((tree) => startWorker({ ...job, tree })) as [ChildProcess, ChildProcess];
  try {
    const measured: [number, number][] = [];
    for (let round = 0; round < WARM_UP_ROUNDS + rounds; round++) {
      const times: [number, number] = [0, 0];
      // The order alternates between rounds, so that a drift of the machine's speed favours neither.
      for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        times[which] = await ask(workers[which], steps);
      }
      if (round >= WARM_UP_ROUNDS) measured.push(times);
    }
    return measured;
  } finally {
    for (const worker of workers) worker.kill("SIGKILL");
  }
}

function startWorker(job: Job): ChildProcess {
  return fork(fileURLToPath(import.meta.url), [JSON.stringify(job)], { execArgv: ["--import", "tsx"] });
}

/** Mean seconds of an iteration, over `steps` iterations. */
async function ask(worker: ChildProcess, steps: number): Promise<number> {
  const stop = new AbortController();
  const died = once(worker, "exit", { signal: stop.signal }).then(([code]) => {
    throw new Error(`a worker failed with exit code ${code}`);
  });
  died.catch(() => {});
  const answer = once(worker, "message", { signal: stop.signal });
  worker.send(steps);
  try {
    const [seconds] = await Promise.race([answer, died]);
    return seconds / steps;
  } finally {
    stop.abort();
  }
}

/** Trains on request: each message is a number of iterations, the answer their seconds. */
async function work({ tree, network: name, precision, batchSize, threads = 1 }: Job): Promise<void> {
  const load = (path: string) => import(join(tree, path));
  const { createOneDnnEngine: createEngine }: typeof import("../src/engine/onednn/onednn.ts") =
    await load("src/engine/onednn/onednn.ts");
  const { findNetwork }: typeof import("../src/network/alexnet.ts") = await load("src/network/alexnet.ts");
  const { operations }: typeof import("../src/network/network.ts") = await load("src/network/network.ts");
  const { train }: typeof import("../src/training/train.ts") = await load("src/training/train.ts");
  const { initialPosition }: typeof import("../src/training/state.ts") = await load("src/training/state.ts");
  const { initialize }: typeof import("../src/benchmark/benchmarkNetwork.ts") = await load(
    "src/benchmark/benchmarkNetwork.ts",
  );
  const network = findNetwork(name);
  const engine = createEngine({ threads });
  const request = { ops: operations(network), inputShape: network.input, batchSize, precision, exact: false };
  const program = await engine.compileTraining(request);
  await initialize(program, network);
  await train(await trainingOf(load, program, network, threads), initialPosition, pacedListener());
}

async function trainingOf(
  load: (path: string) => Promise<unknown>,
  program: Training["program"],
  network: Network,
  threads: number,
): Promise<Training> {
  const { createOptimizer } = (await load(
    "src/training/optimizers/optimizer.ts",
  )) as typeof import("../src/training/optimizers/optimizer.ts");
  const { findRecipe } = (await load("src/training/recipe.ts")) as typeof import("../src/training/recipe.ts");
  const { createPreparation } = (await load(
    "src/dataset/prepare/preparation.ts",
  )) as typeof import("../src/dataset/prepare/preparation.ts");
  const { batchSize } = program;
  const [channels, height, width] = network.input;
  const none = new Array<number>(channels).fill(0);
  const preprocessing = {
    size: [height, width] as const,
    channels: channels === 1 ? (1 as const) : (3 as const),
    fit: { kind: "resize" as const },
    resize: "bilinear" as const,
    mean: none,
    deviation: none.map(() => 1),
  };
  // Earlier versions start their threads here.
  const options = { preprocessing, threads };
  // So low a rate that thousands of iterations on noise stay finite.
  const recipe = { ...findRecipe("fashion"), batchSize, learningRate: 1e-9, epochs: 1 };
  const classes = program.outputShape[0] as number;
  const split = noise(network.input, classes, 100_000 * batchSize);
  return {
    program,
    optimizer: createOptimizer(program, recipe),
    recipe,
    train: split,
    test: split,
    preparation: createPreparation(options),
    classNames: Array.from({ length: classes }, (_, c) => `class ${c}`),
    imageShape: network.input,
  };
}

/** A few images of noise in the network's size, repeated. */
function noise([channels, height, width]: Network["input"], classes: number, length: number): Split {
  const images = Array.from({ length: 16 }, (_, i) => ({
    width,
    height,
    channels: channels === 1 ? (1 as const) : (3 as const),
    data: Uint8Array.from({ length: channels * height * width }, (_, p) => ((p + 7 * i) * 2654435761) >>> 24),
  }));
  return {
    length,
    label: (index) => index % classes,
    image: (index) => images[index % images.length] as (typeof images)[number],
  };
}

/** Pauses between two iterations until the parent requests more. */
function pacedListener(): TrainingListener {
  let left = 0;
  let start = 0;
  return {
    signal: undefined,
    onIteration() {},
    onWindow: async () => {},
    isDue: () => left === 1,
    async betweenIterations() {
      if (left > 0 && --left > 0) return undefined;
      if (start > 0) process.send?.((performance.now() - start) / 1000);
      [left] = (await once(process, "message")) as [number];
      start = performance.now();
      return undefined;
    },
    onEvaluationProgress() {},
    onEvaluation: async () => {},
    onStuck() {},
    onEarlyStop() {},
  };
}

function report(what: string, rounds: Rounds): void {
  const milliseconds = (values: readonly number[]) => spread(values.map((s) => 1000 * s)).map((ms) => ms.toFixed(1));
  const [before, now] = [milliseconds(rounds.map(([b]) => b)), milliseconds(rounds.map(([, n]) => n))];
  const ratio = spread(rounds.map(([b, n]) => n / b)).map((r) => r.toFixed(3));
  const shown = ([low, middle, high]: readonly string[]) => `${middle} [${low} … ${high}]`;
  console.log(`${what.padEnd(22)} before ${shown(before)} ms   now ${shown(now)} ms   ratio ${shown(ratio)}`);
}

/** Quartiles and median. */
function spread(values: readonly number[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return [0.25, 0.5, 0.75].map((fraction) => {
    const place = fraction * (sorted.length - 1);
    const [low = 0, high = low] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return low + (place % 1) * (high - low);
  });
}
