/** Direct convolution in f64: what every variant's numbers are compared with. */
import type { AnyOp, CompileRequest, DropoutDraws, Program, TrainingProgram } from "../../src/engine/engine.ts";
import { createReferenceEngine } from "../../src/engine/reference/reference.ts";
import { oneHotTargets } from "../../src/training/objective/targets.ts";
import { CHECKED_IMAGES, type Checked, gradientSample, type Mode } from "./protocol.ts";
import { type Chain, loadParameters, readChain, readFreshImages } from "./workload.ts";

/** Random numbers of dropout in a checked step. */
export const CHECK_DRAWS: DropoutDraws = { seed: 1, first: 0 };

/** The numbers of a workload, with our dropout masks, and without dropout for those who draw others. */
export interface Reference {
  readonly withMasks: Checked;
  readonly withoutDropout: Checked;
}

export async function computeReference(folder: string, mode: Mode): Promise<Reference> {
  const chain = readChain(folder);
  const plain = { ...chain, ops: chain.ops.filter(({ kind }) => kind !== "dropout") };
  const logits = await checkedLogits(folder, plain);
  if (mode === "infer") return { withMasks: { logits }, withoutDropout: { logits } };
  const withoutDropout = { logits, ...(await checkedGradients(folder, plain)) };
  if (plain.ops.length === chain.ops.length) return { withMasks: withoutDropout, withoutDropout };
  return { withMasks: { logits, ...(await checkedGradients(folder, chain)) }, withoutDropout };
}

async function checkedLogits(folder: string, chain: Chain): Promise<readonly number[]> {
  const program = await createReferenceEngine().compile(requestOf(chain));
  const images = await load(program, folder, chain);
  return Array.from(await program.forward(images, CHECKED_IMAGES, CHECK_DRAWS));
}

async function checkedGradients(folder: string, chain: Chain): Promise<Checked> {
  const { inputGradient } = chain;
  const program = await createReferenceEngine().compileTraining({ ...requestOf(chain), inputGradient });
  const images = await load(program, folder, chain);
  await program.forwardBackward(images, checkTargets(CHECKED_IMAGES, chain.classes), CHECKED_IMAGES, CHECK_DRAWS);
  return gradientSamples(program);
}

/** Samples of all gradients of a step of `CHECKED_IMAGES` images: each parameter's, and that of the images if it was requested. */
export async function gradientSamples(program: TrainingProgram): Promise<Checked> {
  const samples: Record<string, readonly number[]> = {};
  for (const { name, gradient } of program.parameters) samples[name] = gradientSample(await program.read(gradient));
  if (!program.inputGradient) return samples;
  // A larger batch has other images after the checked ones, which have no targets.
  const images = (await program.read(program.inputGradient)).slice(
    0,
    CHECKED_IMAGES * (program.input.length / program.batchSize),
  );
  return { ...samples, images: gradientSample(images) };
}

/** Targets of the images 0, 1, …, of class i mod `classes`. */
export function checkTargets(images: number, classes: number): Float32Array {
  return oneHotTargets(
    Array.from({ length: images }, (_, i) => i % classes),
    classes,
  );
}

function requestOf({
  ops,
  inputShape,
}: { readonly ops: readonly AnyOp[] } & Pick<Chain, "inputShape">): CompileRequest {
  return { ops, inputShape, batchSize: CHECKED_IMAGES, precision: "f32" };
}

async function load(program: Program, folder: string, chain: Chain): Promise<Float32Array> {
  await loadParameters(program, folder, chain);
  readFreshImages(folder, program.input);
  return program.input;
}
