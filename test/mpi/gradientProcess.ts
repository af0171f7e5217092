/**
 * A process of a job that compares its training step with that of one process, for every number of images. Process 0 writes the largest differences to
 * the file of its first argument.
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { joinJob } from "../../src/communication/join.ts";
import { alone, type Communicator, ownCount, rowsOf } from "../../src/engine/communicator.ts";
import type { Engine, TrainingProgram } from "../../src/engine/engine.ts";
import { conv2d, dropout, flatten, linear, maxPool2d, relu } from "../../src/layers/kinds.ts";
import { sizeOf } from "../../src/shape.ts";
import { type Chain, fillParameters, opsOf, readGradients, uniform } from "../chains.ts";
import { stacks } from "../conformance/stacks.ts";
import { engines } from "../engines.ts";

/** Difference of a step, relative to the step of one process. */
export interface StepDifference {
  readonly engine: string;
  readonly chain: string;
  readonly count: number;
  readonly loss: number;
  /** Relative L2 of each gradient, and of the scores. */
  readonly tensors: Readonly<Record<string, number>>;
  /** True if all processes have the same gradients, to the bit. */
  readonly isSame: boolean;
}

const BATCH = 8;

/** Chains with scores; convolutions large enough for every algorithm, in groups too, and dropout. */
const chains: Readonly<Record<string, Omit<Chain, "batchSize">>> = {
  ...Object.fromEntries(
    Object.entries(stacks).filter(([, chain]) => opsOf({ ...chain, batchSize: 1 }).at(-1)?.outputShape.length === 1),
  ),
  "convolutions of every algorithm": {
    input: [3, 30, 30],
    layers: [
      conv2d("conv1", { outChannels: 32, kernelSize: 5, padding: 2 }),
      relu("relu1"),
      conv2d("conv2", { outChannels: 64, kernelSize: 3, padding: 1 }),
      relu("relu2"),
      conv2d("conv3", { outChannels: 64, kernelSize: 3, padding: 1, groups: 2 }),
      relu("relu3"),
      maxPool2d("pool3", { kernelSize: 3, stride: 2 }),
      flatten("flatten"),
      dropout("drop4", { probability: 0.5 }),
      linear("fc4", { outFeatures: 96 }),
      relu("relu4"),
      linear("fc5", { outFeatures: 10 }),
    ],
  },
};

function difference(a: Float32Array, b: Float32Array): number {
  let [squares, of] = [0, 0];
  for (const [i, x] of b.entries()) {
    squares += ((a[i] as number) - x) ** 2;
    of += x * x;
  }
  return squares === 0 ? 0 : Math.sqrt(squares / of);
}

async function step(program: TrainingProgram, chain: Omit<Chain, "batchSize">, count: number) {
  const size = sizeOf(chain.input);
  const all = uniform("images", BATCH * size);
  const classes = sizeOf(program.outputShape);
  const rows = program.rows ?? rowsOf(alone, BATCH);
  const images = all.subarray(rows.first * size, (rows.first + ownCount(rows, count)) * size);
  const targets = Float32Array.from({ length: count * classes }, (_, i) =>
    Number(i % classes === (3 * Math.floor(i / classes)) % classes),
  );
  const { loss, logits } = await program.forwardBackward(images, targets, count, { seed: 4, first: 100 });
  return { loss, logits: logits.slice(), gradients: await readGradients(program) };
}

async function compile(
  engine: Engine,
  settings: (typeof engines)[number]["settings"],
  chain: Omit<Chain, "batchSize">,
  communicator: Communicator,
) {
  const program = await engine.compileTraining({
    ...settings,
    ops: opsOf({ ...chain, batchSize: BATCH }),
    inputShape: chain.input,
    batchSize: BATCH,
    communicator,
  });
  await fillParameters(program);
  return program;
}

/** The engine that is compared for every number of images. */
const every = "onednn, f32";
const communicator = await joinJob(process.env);
/** Those that differ in what they exchange. For more processes than cores, only the most different ones, to save time. */
const compared = ["reference", every, ...(communicator.size > 2 ? [] : ["onednn, bf16", "onednn, f32, DFT"])];
const found: StepDifference[] = [];
for (const { name, create, settings } of engines.filter((each) => compared.includes(each.name))) {
  const engine = await create({ threads: 1 });
  for (const [chainName, chain] of Object.entries(chains)) {
    const [joint, single] = [
      await compile(engine, settings, chain, communicator),
      await compile(engine, settings, chain, alone),
    ];
    const counts = name === every ? Array.from({ length: BATCH }, (_, i) => i + 1) : [BATCH, 3];
    for (const count of counts) {
      const [ours, theirs] = [await step(joint, chain, count), await step(single, chain, count)];
      const tensors = { scores: difference(ours.logits, theirs.logits) };
      const hash = createHash("sha256");
      for (const [tensor, values] of ours.gradients) {
        hash.update(values);
        Object.assign(tensors, { [tensor]: difference(values, theirs.gradients.get(tensor) as Float32Array) });
      }
      const hashes = await communicator.agree(hash.digest("hex"));
      const isSame = new Set(hashes).size === 1;
      found.push({
        engine: name,
        chain: chainName,
        count,
        loss: Math.abs(ours.loss / theirs.loss - 1),
        tensors,
        isSame,
      });
    }
    joint.close();
    single.close();
  }
  engine.close();
}
if (communicator.rank === 0) writeFileSync(process.argv[2] as string, JSON.stringify(found));
await communicator.close();
