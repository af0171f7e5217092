/**
 * A process of a job that compares its training step with that of one process, for every number of images. Process 0 prints the number of steps. With
 * names of networks as arguments, it compares those instead of the small chains, and prints the largest difference of each without a bound:
 *
 *     OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
 *     mpirun -n 2 --bind-to none node --import tsx test/mpi/gradientProcess.ts alexnet alexnet-owt alexnet-fashion
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { joinJob } from "../../src/communication/join.ts";
import { alone, ownCount, rowsOf } from "../../src/engine/communicator.ts";
import type { TrainableParameter, TrainingProgram } from "../../src/engine/engine.ts";
import { UsageError } from "../../src/errors.ts";
import { findNetwork } from "../../src/network/alexnet.ts";
import { initialValues } from "../../src/network/initialize.ts";
import { partition } from "../../src/network/partition.ts";
import { type Scheme, schemes } from "../../src/network/schemes.ts";
import { sizeOf } from "../../src/shape.ts";
import { assertClose } from "../assertClose.ts";
import { type Chain, compileTraining, need, opsOf, parameterValues, uniform } from "../chains.ts";
import { stacks } from "../conformance/stacks.ts";
import { engines } from "../engines.ts";

const networks = process.argv.slice(2).map(findNetwork);
const BATCH = networks.length > 0 ? 4 : 8;
/**
 * Largest relative L2 difference of a gradient. The gradients are sums of the same products in another order: f32 sums of up to 968 terms (bias of conv1,
 * 8 images of 11×11). Measured for data: 6e-7. Where outputs are divided, activations' gradients are sums in another order too, and in bf16 they are rounded
 * before the sum.
 */
const tolerances: Readonly<Record<string, Readonly<Record<Scheme, number>>>> = {
  reference: { data: 1e-12, towers: 1e-12, hybrid: 1e-12 },
  "onednn, f32": { data: 2e-6, towers: 1e-5, hybrid: 1e-5 },
  "onednn, bf16": { data: 2e-6, towers: 2e-2, hybrid: 2e-2 },
  "onednn, f32, DFT": { data: 2e-6, towers: 1e-5, hybrid: 1e-5 },
};
/**
 * The loss is computed from the scores. With data, each score is the same sum, in another order where another number of images has another kernel: measured 0
 * with AVX-512 and 2.2e-7 with AVX2, two units in the last place. A part of the outputs may be computed by another algorithm.
 */
const lossTolerances: typeof tolerances = {
  reference: { data: 1e-12, towers: 1e-12, hybrid: 1e-12 },
  "onednn, f32": { data: 5e-7, towers: 1e-5, hybrid: 1e-5 },
  "onednn, bf16": { data: 1e-7, towers: 2e-2, hybrid: 2e-2 },
  "onednn, f32, DFT": { data: 5e-7, towers: 1e-5, hybrid: 1e-5 },
};

/** Chains with scores; channels are normalised in groups, as towers need it. */
const smallChains = Object.entries(stacks)
  .map(([name, chain]) => {
    const layers = chain.layers.map((layer) => (layer.kind === "localResponseNorm" ? { ...layer, groups: 4 } : layer));
    return [name, { ...chain, layers, batchSize: BATCH, inputGradient: false }] as const;
  })
  .filter(([, chain]) => opsOf(chain).at(-1)?.outputShape.length === 1);

const chains: readonly (readonly [name: string, chain: Chain])[] =
  networks.length === 0
    ? smallChains
    : networks.map(({ name, input, layers }) => [name, { input, layers, batchSize: BATCH, inputGradient: false }]);

/** Values of the parameters of a chain: networks begin as in training, so that activations keep their size from layer to layer. */
function valuesOf(chainName: string): typeof parameterValues {
  const network = networks.find(({ name }) => name === chainName);
  if (!network) return parameterValues;
  const all = new Map<string, Float32Array>();
  for (const { name, values } of initialValues(network, { weight: { kind: "heNormal" }, bias: "zero", ones: [] }, 1))
    all.set(name, values.slice());
  return (name) => need(all, name);
}

const communicator = await joinJob(process.env);
const { rank, size } = communicator;

/** Number of parts of each parameter, by name. */
function partsOf(chain: Chain): ReadonlyMap<string, number> {
  const { ops } = partition(opsOf(chain), chain.scheme ?? "data", chain.communicator ?? alone);
  return new Map(
    ops.flatMap(({ part, parameters }) => parameters.map(({ name }) => [name, part?.count ?? 1] as const)),
  );
}

/** Writes every parameter, or the part of this process. */
async function fill(
  program: TrainingProgram,
  parts: ReadonlyMap<string, number>,
  valuesFor: typeof parameterValues,
): Promise<void> {
  for (const { name, value } of program.parameters) {
    const count = need(parts, name);
    const length = sizeOf(value.shape);
    const from = count === 1 ? 0 : rank * length;
    await program.write(value, valuesFor(name, count * length).subarray(from, from + length));
  }
}

/** A gradient in f64: in two f32 numbers, of which the second is what the first leaves. */
async function precise(program: TrainingProgram, { gradient }: TrainableParameter): Promise<Float64Array> {
  const [high, low] = [program.newTensor(gradient), program.newTensor(gradient)];
  const values = await program.read(gradient);
  await program.write(high, values);
  program.compileUpdate([{ target: low, from: gradient, operations: [["subtract", high]] }]).run();
  const rest = await program.read(low);
  return Float64Array.from(values, (value, i) => value + (rest[i] as number));
}

async function step(
  program: TrainingProgram,
  { input }: Chain,
  parts: ReadonlyMap<string, number>,
  count: number,
  isPrecise: boolean,
) {
  const length = sizeOf(input);
  const all = uniform("images", BATCH * length);
  const classes = sizeOf(program.outputShape);
  const rows = program.rows ?? rowsOf(alone, BATCH);
  const images = all.subarray(rows.first * length, (rows.first + ownCount(rows, count)) * length);
  const targets = Float32Array.from({ length: count * classes }, (_, i) =>
    Number(i % classes === (3 * Math.floor(i / classes)) % classes),
  );
  const { loss, logits } = await program.forwardBackward(images, targets, count, { seed: 4, first: 100 });
  const tensors = new Map<string, Float64Array>([["scores", Float64Array.from(logits)]]);
  for (const parameter of program.parameters) {
    const own = isPrecise
      ? await precise(program, parameter)
      : Float64Array.from(await program.read(parameter.gradient));
    const whole = new Float64Array(own.length * need(parts, parameter.name));
    if (whole.length === own.length) whole.set(own);
    else {
      communicator.gather(own, whole);
      communicator.wait();
    }
    tensors.set(parameter.name, whole);
  }
  const squares = await program.sumOfSquares(program.parameters.map(({ gradient }) => gradient));
  return { loss, tensors, norm: Math.sqrt(squares) };
}

const norm = (values: Float64Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

/** The engine whose division of the batch is compared for every number of images. */
const every = "onednn, f32";
/** Those that differ in what they exchange. For more processes than cores, only the most different ones, to save time. */
const compared = [
  ...(networks.length > 0 ? [] : ["reference"]),
  every,
  ...(size > 2 ? [] : ["onednn, bf16"]),
  ...(size > 2 || networks.length > 0 ? [] : ["onednn, f32, DFT"]),
];
let steps = 0;
const worst = new Map<string, number>();

/** Prints the largest differences since the last report. */
function report(): void {
  if (rank === 0)
    for (const [key, difference] of worst) process.stdout.write(`${key}: ${difference.toExponential(1)}\n`);
  worst.clear();
}

/** Numbers of images to compare. */
function countsOf(engine: string, scheme: Scheme): readonly number[] {
  if (networks.length > 0) return [BATCH];
  const isFull = engine === every && scheme === "data" && size === 2;
  return isFull ? Array.from({ length: BATCH }, (_, i) => i + 1) : [BATCH, 3];
}

/** True if the scheme can divide the chain. */
function canDivide(chain: Chain, scheme: Scheme): boolean {
  try {
    partition(opsOf(chain), scheme, communicator);
    return true;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

for (const { name, create, settings } of engines.filter((each) => compared.includes(each.name))) {
  const engine = await create({ threads: 1 });
  const isPrecise = name === "reference";
  for (const [chainName, chain] of chains) {
    const values = valuesOf(chainName);
    const single = await compileTraining(engine, settings, chain);
    await fill(single, partsOf(chain), values);
    for (const scheme of schemes.filter((each) => canDivide(chain, each))) {
      const divided = { ...chain, communicator, scheme };
      const joint = await compileTraining(engine, settings, divided);
      await fill(joint, partsOf(divided), values);
      for (const count of countsOf(name, scheme)) {
        const ours = await step(joint, chain, partsOf(divided), count, isPrecise);
        const theirs = await step(single, chain, partsOf(chain), count, isPrecise);
        const where = `${name}, ${chainName}, ${scheme}, ${count} images`;
        const hash = createHash("sha256").update(JSON.stringify([ours.loss, ours.norm]));
        for (const values of ours.tensors.values()) hash.update(values);
        const hashes = await communicator.agree(hash.digest("hex"));
        assert.equal(new Set(hashes).size, 1, `${where}: processes differ`);
        const boundOf = (of: typeof tolerances) => (networks.length > 0 ? Infinity : (of[name]?.[scheme] ?? 0));
        const tolerance = boundOf(tolerances);
        const relative = boundOf(lossTolerances);
        assertClose([ours.loss], [theirs.loss], { relative }, `${where}: loss`);
        assertClose([ours.norm], [theirs.norm], { relative: tolerance }, `${where}: norm of all gradients`);
        for (const [tensor, values] of theirs.tensors) {
          const own = need(ours.tensors, tensor);
          // The scores of the reference engine are rounded to f32.
          const bound = tensor === "scores" ? Math.max(tolerance, 1e-7) : tolerance;
          const difference = norm(own.map((x, i) => x - (values[i] as number))) / Math.max(norm(values), 1e-30);
          assert.ok(difference <= bound, `${where}: ${tensor}: relative L2 ${difference}, expected at most ${bound}`);
          if (tensor !== "scores") {
            const key = `${name}, ${scheme}${networks.length > 0 ? `, ${chainName}` : ""}`;
            worst.set(key, Math.max(worst.get(key) ?? 0, difference));
          }
        }
        steps++;
      }
      joint.close();
    }
    single.close();
    if (networks.length > 0) report();
  }
  engine.close();
}
report();
if (rank === 0) process.stdout.write(`${steps} steps are those of one process\n`);
await communicator.close();
