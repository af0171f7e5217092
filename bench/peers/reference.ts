/** Direct convolution in f64: what every variant's numbers are compared with. */
import type { CompileRequest, DropoutDraws, Program, TrainingProgram } from "../../src/engine/engine.ts";
import { createReferenceEngine } from "../../src/engine/reference/reference.ts";
import { CHECKED_IMAGES, type Checked, gradientSample, type Mode } from "./protocol.ts";
import { type Chain, loadParameters, targetsOf, type Workload } from "./workload.ts";

/** Random numbers of dropout in a checked step. */
export const CHECK_DRAWS: DropoutDraws = { seed: 1, first: 0 };

/** The numbers of a workload, with our dropout masks, and without dropout for those who draw others. */
export interface Reference {
  readonly withMasks: Checked;
  readonly withoutDropout: Checked;
}

export async function computeReference(workload: Workload, mode: Mode): Promise<Reference> {
  const { ops } = workload.chain;
  const plain = { ...workload, chain: { ...workload.chain, ops: ops.filter(({ kind }) => kind !== "dropout") } };
  const logits = await checkedLogits(plain);
  if (mode === "infer") return { withMasks: { logits }, withoutDropout: { logits } };
  const withoutDropout = { logits, ...(await checkedGradients(plain)) };
  if (plain.chain.ops.length === ops.length) return { withMasks: withoutDropout, withoutDropout };
  return { withMasks: { logits, ...(await checkedGradients(workload)) }, withoutDropout };
}

async function checkedLogits(workload: Workload): Promise<readonly number[]> {
  const program = await createReferenceEngine().compile(requestOf(workload.chain));
  const images = await load(program, workload);
  return Array.from(await program.forward(images, CHECKED_IMAGES, CHECK_DRAWS));
}

async function checkedGradients(workload: Workload): Promise<Checked> {
  const { chain } = workload;
  const { inputGradient } = chain;
  const program = await createReferenceEngine().compileTraining({ ...requestOf(chain), inputGradient });
  const images = await load(program, workload);
  await program.forwardBackward(images, targetsOf(chain, CHECKED_IMAGES), CHECKED_IMAGES, CHECK_DRAWS);
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

function requestOf({ ops, inputShape }: Pick<Chain, "ops" | "inputShape">): CompileRequest {
  return { ops, inputShape, batchSize: CHECKED_IMAGES, precision: "f32" };
}

async function load(program: Program, workload: Workload): Promise<Float32Array> {
  await loadParameters(program, workload);
  await workload.readFreshImages(program.input);
  return program.input;
}
