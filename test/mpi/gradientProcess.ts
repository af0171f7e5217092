/** A process of a job that compares its training step with that of one process, for every number of images. Process 0 prints the number of steps. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { joinJob } from "../../src/communication/join.ts";
import { alone, ownCount, rowsOf } from "../../src/engine/communicator.ts";
import type { TrainingProgram } from "../../src/engine/engine.ts";
import { sizeOf } from "../../src/shape.ts";
import { assertClose, assertCloseNorm } from "../assertClose.ts";
import { type Chain, compileTraining, fillParameters, need, opsOf, readGradients, uniform } from "../chains.ts";
import { stacks } from "../conformance/stacks.ts";
import { engines } from "../engines.ts";

const BATCH = 8;
/** The gradients are sums of the same products in another order: f32 sums of up to 968 terms (bias of conv1, 8 images of 11×11). Measured: 6e-7. */
const TOLERANCE = 2e-6;
/** The loss is computed from the scores. */
const LOSS = { relative: 1e-7 };

/** Chains with scores. */
const chains = Object.entries(stacks)
  .map(([name, chain]) => [name, { ...chain, batchSize: BATCH, inputGradient: false }] as const)
  .filter(([, chain]) => opsOf(chain).at(-1)?.outputShape.length === 1);

async function step(program: TrainingProgram, { input }: Chain, count: number) {
  const size = sizeOf(input);
  const all = uniform("images", BATCH * size);
  const classes = sizeOf(program.outputShape);
  const rows = program.rows ?? rowsOf(alone, BATCH);
  const images = all.subarray(rows.first * size, (rows.first + ownCount(rows, count)) * size);
  const targets = Float32Array.from({ length: count * classes }, (_, i) =>
    Number(i % classes === (3 * Math.floor(i / classes)) % classes),
  );
  const { loss, logits } = await program.forwardBackward(images, targets, count, { seed: 4, first: 100 });
  return { loss, tensors: new Map([["scores", logits.slice()], ...(await readGradients(program))]) };
}

/** The engine that is compared for every number of images. */
const every = "onednn, f32";
const communicator = await joinJob(process.env);
/** Those that differ in what they exchange. For more processes than cores, only the most different ones, to save time. */
const compared = ["reference", every, ...(communicator.size > 2 ? [] : ["onednn, bf16", "onednn, f32, DFT"])];
let steps = 0;
for (const { name, create, settings } of engines.filter((each) => compared.includes(each.name))) {
  const engine = await create({ threads: 1 });
  for (const [chainName, chain] of chains) {
    const [joint, single] = [
      await compileTraining(engine, settings, { ...chain, communicator }),
      await compileTraining(engine, settings, chain),
    ];
    await fillParameters(joint);
    await fillParameters(single);
    const counts = name === every ? Array.from({ length: BATCH }, (_, i) => i + 1) : [BATCH, 3];
    for (const count of counts) {
      const [ours, theirs] = [await step(joint, chain, count), await step(single, chain, count)];
      const where = `${name}, ${chainName}, ${count} images`;
      const hash = createHash("sha256");
      for (const values of ours.tensors.values()) hash.update(values);
      const hashes = await communicator.agree(hash.digest("hex"));
      assert.equal(new Set(hashes).size, 1, `${where}: processes differ`);
      assertClose([ours.loss], [theirs.loss], LOSS, `${where}: loss`);
      for (const [tensor, values] of theirs.tensors)
        assertCloseNorm(need(ours.tensors, tensor), values, TOLERANCE, `${where}: ${tensor}`);
      steps++;
    }
    joint.close();
    single.close();
  }
  engine.close();
}
if (communicator.rank === 0) process.stdout.write(`${steps} steps are those of one process\n`);
await communicator.close();
