/** Worker that computes with this project: a step is the training loop's work on a batch in the program's input. */
import type { Program, TrainingProgram } from "../../src/engine/engine.ts";
import { createOneDnnEngine } from "../../src/engine/onednn/onednn.ts";
import { oneHotTargets } from "../../src/training/objective/targets.ts";
import { createOptimizer } from "../../src/training/optimizers/optimizer.ts";
import type { Sgd } from "../../src/training/optimizers/sgd.ts";
import { CHECKED_IMAGES, type Computation, serve, type WorkerRequest } from "./protocol.ts";
import { type Chain, readChain, readImages, readParameters } from "./workload.ts";

const SGD: Sgd = { kind: "sgd", form: "pytorch", momentum: 0.9, weightDecay: 5e-4 };
/** Low, so that the loss stays finite for hundreds of steps on random labels. */
const LEARNING_RATE = 1e-3;

async function compute({ folder, mode, threads, batchSize, precision }: WorkerRequest): Promise<Computation> {
  const chain = readChain(folder);
  const engine = createOneDnnEngine({ threads });
  const request = { ops: chain.ops, inputShape: chain.inputShape, batchSize, precision };
  const { program, step } =
    mode === "train"
      ? training(await engine.compileTraining(request), chain)
      : inference(await engine.compile(request));
  await loadParameters(program, folder, chain);
  readImages(folder, program.input);
  return {
    description: engine.description,
    step,
    async check() {
      await loadParameters(program, folder, chain);
      const logits = await program.forward(program.input, batchSize, { seed: 0, first: 0 });
      return logits.subarray(0, Math.min(CHECKED_IMAGES, batchSize) * chain.classes);
    },
  };
}

interface Steps {
  readonly program: Program;
  readonly step: () => Promise<void>;
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
  };
}

function inference(program: Program): Steps {
  return {
    program,
    async step() {
      await program.forward(program.input, program.batchSize, { seed: 0, first: 0 });
    },
  };
}

async function loadParameters(program: Program, folder: string, chain: Chain): Promise<void> {
  const tensors = new Map(program.parameters.map(({ name, value }) => [name, value]));
  for (const { name, values } of readParameters(folder, chain, (length) => program.scratch(length))) {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${name}: the program has no such parameter`);
    await program.write(tensor, values);
  }
}

await serve(compute);
