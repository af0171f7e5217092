/** Computes with an engine of this project: a step is the training loop's work on a batch in the program's input. */
import type { Engine, Program, TrainingProgram } from "../../src/engine/engine.ts";
import type { Int8Scheme } from "../../src/int8.ts";
import { createOptimizer } from "../../src/training/optimizers/optimizer.ts";
import type { Sgd } from "../../src/training/optimizers/sgd.ts";
import { requireFinite, SGD } from "./library.ts";
import { CHECKED_IMAGES, type Checked, type Computation, type ComputeRequest } from "./protocol.ts";
import { CHECK_DRAWS, gradientSamples } from "./reference.ts";
import { type Chain, loadParameters, targetsOf, type Workload } from "./workload.ts";

/** Use of an engine. */
export interface OwnUse {
  readonly engine: Engine;
  /** Direct convolution only. */
  readonly exact: boolean;
  /** Scheme of inference in int8. */
  readonly quantization?: Int8Scheme | undefined;
}

const { learningRate, momentum, weightDecay } = SGD;
const sgd: Sgd = { kind: "sgd", form: "pytorch", momentum, weightDecay };

export async function createOwn(
  { engine, exact, quantization }: OwnUse,
  workload: Workload,
  { mode, batchSize, precision }: ComputeRequest,
): Promise<Computation> {
  const { chain } = workload;
  const request = { ops: chain.ops, inputShape: chain.inputShape, batchSize, exact };
  const { program, step, gradients } =
    mode === "train" && precision !== "int8"
      ? training(await engine.compileTraining({ ...request, precision, inputGradient: chain.inputGradient }), chain)
      : inference(await engine.compile({ ...request, precision, ...(quantization && { quantization }) }));
  await loadParameters(program, workload);
  await workload.readImages(program.input);
  return {
    description: engine.description,
    step,
    async check() {
      await loadParameters(program, workload);
      await workload.readFreshImages(program.input);
      const count = Math.min(CHECKED_IMAGES, batchSize);
      const logits = await program.forward(program.input, batchSize, CHECK_DRAWS);
      const checked = { logits: Array.from(logits.subarray(0, count * chain.classes)), ...(await gradients()) };
      await workload.readImages(program.input);
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

function training(program: TrainingProgram, chain: Chain): Steps {
  const { batchSize } = program;
  const targets = targetsOf(chain, batchSize);
  const optimizer = createOptimizer(program, { optimizer: sgd });
  let first = 0;
  return {
    program,
    async step() {
      const { loss } = await program.forwardBackward(program.input, targets, batchSize, { seed: 1, first });
      first += batchSize;
      await optimizer.step({ learningRate, step: first / batchSize, images: batchSize });
      requireFinite(loss);
    },
    async gradients() {
      // The gradients of the mean over the batch, most of which has no targets.
      const few = targetsOf(chain, batchSize, CHECKED_IMAGES, batchSize / CHECKED_IMAGES);
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
