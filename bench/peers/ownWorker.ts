/**
 * Worker that computes with an engine of this project: a step is the training loop's work on a batch in the program's input. The last argument but
 * one is an `OwnSetting` as JSON.
 */
import type { Program, TrainingProgram } from "../../src/engine/engine.ts";
import type { EngineName } from "../../src/engine/select/engineNames.ts";
import { selectEngine } from "../../src/engine/select/selectEngine.ts";
import { oneHotTargets } from "../../src/training/objective/targets.ts";
import { createOptimizer } from "../../src/training/optimizers/optimizer.ts";
import type { Sgd } from "../../src/training/optimizers/sgd.ts";
import { calibrateWorkload } from "./int8.ts";
import {
  CHECKED_IMAGES,
  type Checked,
  type Computation,
  serve,
  type WorkerRequest,
  workerSetting,
} from "./protocol.ts";
import { CHECK_DRAWS, checkTargets, gradientSamples } from "./reference.ts";
import { type Chain, loadParameters, readChain, readFreshImages, readImages } from "./workload.ts";

/** An engine, and whether it uses direct convolution only. */
export interface OwnSetting {
  readonly engine: EngineName;
  readonly exact: boolean;
}

const SGD: Sgd = { kind: "sgd", form: "pytorch", momentum: 0.9, weightDecay: 5e-4 };
/** Low, so that the loss stays finite for hundreds of steps on random labels. */
const LEARNING_RATE = 1e-3;

async function compute({ folder, mode, threads, batchSize, precision }: WorkerRequest): Promise<Computation> {
  const chain = readChain(folder);
  const setting: OwnSetting = JSON.parse(workerSetting());
  const { engine } = await selectEngine(setting.engine, threads);
  const request = { ops: chain.ops, inputShape: chain.inputShape, batchSize, exact: setting.exact };
  const quantization = precision === "int8" ? await calibrateWorkload(folder, chain, engine) : undefined;
  const { program, step, gradients } =
    mode === "train" && precision !== "int8"
      ? training(await engine.compileTraining({ ...request, precision, inputGradient: chain.inputGradient }), chain)
      : inference(await engine.compile({ ...request, precision, ...(quantization && { quantization }) }));
  await loadParameters(program, folder, chain);
  readImages(folder, program.input);
  return {
    description: engine.description,
    step,
    async check() {
      await loadParameters(program, folder, chain);
      readFreshImages(folder, program.input);
      const count = Math.min(CHECKED_IMAGES, batchSize);
      const logits = await program.forward(program.input, batchSize, CHECK_DRAWS);
      const checked = { logits: Array.from(logits.subarray(0, count * chain.classes)), ...(await gradients()) };
      readImages(folder, program.input);
      return checked;
    },
  };
}

interface Steps {
  readonly program: Program;
  readonly step: () => Promise<void>;
  /** Samples of the gradients of the first images: the others of the batch have no targets. */
  readonly gradients: () => Promise<Checked>;
}

function training(program: TrainingProgram, { classes }: Chain): Steps {
  const { batchSize } = program;
  const labels = Array.from({ length: batchSize }, (_, i) => i % classes);
  const targets = oneHotTargets(labels, classes);
  const optimizer = createOptimizer(program, { optimizer: SGD });
  let first = 0;
  return {
    program,
    async step() {
      const { loss } = await program.forwardBackward(program.input, targets, batchSize, { seed: 1, first });
      first += batchSize;
      await optimizer.step({ learningRate: LEARNING_RATE, step: first / batchSize, images: batchSize });
      if (!Number.isFinite(loss)) throw new Error(`training: the loss is ${loss}`);
    },
    async gradients() {
      // The gradients of the mean over the batch, most of which has no targets.
      const scale = batchSize / CHECKED_IMAGES;
      const few = new Float32Array(targets.length);
      few.set(checkTargets(CHECKED_IMAGES, classes).map((target) => target * scale));
      await program.forwardBackward(program.input, few, batchSize, CHECK_DRAWS);
      return gradientSamples(program);
    },
  };
}

function inference(program: Program): Steps {
  return {
    program,
    async step() {
      await program.forward(program.input, program.batchSize, { seed: 0, first: 0 });
    },
    gradients: async () => ({}),
  };
}

await serve(compute);
