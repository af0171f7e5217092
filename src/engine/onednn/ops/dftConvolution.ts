/** Convolution of stride 1 by the discrete Fourier transform, made of matrix products. docs/onednn.md explains it. */
import type { AnyOp, Op } from "../../engine.ts";
import type { Activation } from "../native/oneDnn.ts";
import type { Value } from "../plan.ts";
import { addActivationBackward, fusable } from "./activations.ts";
import { type PlacedFrequency, placeMatrices } from "./dftMatrices.ts";
import {
  asFactor,
  type Dft,
  filterMatrices,
  filterPlanes,
  fresh,
  fromPlanes,
  fromSpectrum,
  imageMatrices,
  mapsInFormat,
  mapsLayout,
  mapsOf,
  multiplyPlanes,
  newPlanes,
  newSpectrum,
  type Side,
  type SubBatch,
  shaped,
  toPlanes,
  toSpectrum,
  transform,
  transformFilters,
  turned,
} from "./dftSteps.ts";
import { type BuildContext, type Built, whole } from "./op.ts";

/**
 * Maximum number of images whose spectra are in memory at the same time. Each part recomputes the filters' planes: parts of 64 take 12 % longer for a
 * step of `alexnet-fashion` at batch 128, and save 6 % of the memory of its activations.
 */
const LARGEST_PART = 128;

/** Adds the forward steps. Maps are stored channels-last, weights as [kernel row, kernel column, group, channel, output]. */
export function buildDft(context: BuildContext, op: Op<"conv2d">, input: Value, next: AnyOp | undefined): Built {
  const { plan, training, batchSize } = context;
  const format = context.format;
  const dft = dftOf(context, op);
  const activation = fusable(next);
  const x = plan.inLayout(input, mapsLayout(dft, dft.input, batchSize, format));
  const output = plan.value([batchSize, ...op.outputShape], mapsLayout(dft, dft.output, batchSize, format));
  const { weight, bias } = parametersOf(context, op, dft);
  addForward(dft, { x, weight: weight.value, bias: bias.value, output }, activation);
  return {
    output,
    covers: activation ? 2 : 1,
    backward(outputGradient, needed) {
      if (!training) throw new Error(`${op.name}: backward of an inference program`);
      const gradient = activation
        ? addActivationBackward(plan, activation, output, outputGradient)
        : plan.inLayout(outputGradient, output.desc);
      const inputGradient = needed ? plan.value(x.dims, x.desc) : undefined;
      const gradients = weight.gradient && bias.gradient && { weight: weight.gradient, bias: bias.gradient };
      const values = { x, weight: weight.value, gradient, inputGradient, gradients };
      for (const [index, part] of dft.parts.entries()) addBackward(dft, op.name, values, part, index > 0);
      return inputGradient && plan.inLayout(inputGradient, input.desc);
    },
  };
}

function dftOf(context: BuildContext, { inputShape, outputShape, options }: Op<"conv2d">): Dft {
  const { plan, batchSize } = context;
  const { kernelSize, padding, groups } = options;
  const side = ([channels = 0, height = 0, width = 0]: readonly number[]): Side => ({ channels, height, width });
  const [input, output] = [side(inputShape), side(outputShape)];
  const axis = (size: number) => ({ size, kernelSize, padding });
  const matrices = placeMatrices(plan, axis(input.height), axis(input.width), Math.max(batchSize, output.width));
  return { plan, format: context.format, matrices, groups, input, output, parts: subBatches(batchSize) };
}

/** Consecutive parts of a batch, of nearly equal size. */
function subBatches(batchSize: number): readonly SubBatch[] {
  const parts = Math.ceil(batchSize / LARGEST_PART);
  const start = (part: number) => Math.floor((part * batchSize) / parts);
  return Array.from({ length: parts }, (_, part) => ({ first: start(part), count: start(part + 1) - start(part) }));
}

/** Parameters in the layouts of the steps: weights and their gradient [tap, pair of channels], the bias and its gradient [1, output]. */
function parametersOf(context: BuildContext, { name, options }: Op<"conv2d">, dft: Dft) {
  const { session } = context.plan;
  const { kernelSize: size, outChannels } = options;
  const [depth, filters] = [dft.input.channels / dft.groups, outChannels / dft.groups];
  const pairs = dft.groups * depth * filters;
  const ofGroup = { dims: [filters, depth, size, size], strides: [1, filters, size * pairs, pairs] };
  const { dims, strides } =
    dft.groups === 1
      ? ofGroup
      : { dims: [dft.groups, ...ofGroup.dims], strides: [depth * filters, ...ofGroup.strides] };
  const weight = context.parameter(name, "weight", dims, session.strided(dims, strides, "f32"), whole);
  const bias = context.parameter(name, "bias", [outChannels], session.plain([outChannels], "f32"), whole);
  const both = ({ value, gradient }: typeof weight, shape: readonly number[]) => ({
    value: shaped(dft, value, shape),
    gradient: gradient && shaped(dft, gradient, shape),
  });
  return { weight: both(weight, [size ** 2, pairs]), bias: both(bias, [1, outChannels]) };
}

interface ForwardValues {
  readonly x: Value;
  readonly weight: Value;
  readonly bias: Value;
  readonly output: Value;
}

function addForward(dft: Dft, { x, weight, bias, output }: ForwardValues, activation: Activation | undefined): void {
  const { plan, matrices } = dft;
  const biasRow = repeatedBias(dft, bias);
  for (const part of dft.parts) {
    const spectrum = toSpectrum(dft, dft.input, mapsOf(dft, dft.input, x, part), matrices.vertical.matrix);
    const outputSpectrum = newSpectrum(dft, dft.output, part.count);
    for (const frequency of matrices.frequencies) {
      const { horizontal, horizontalInverse } = tablesOf(dft, frequency);
      const inputs = asFactor(dft, toPlanes(dft, dft.input, spectrum, frequency, horizontal.matrix));
      const filters = asFactor(dft, filterPlanes(dft, weight, frequency));
      const outputs = newPlanes(dft, dft.output, frequency.planes, part.count);
      multiplyPlanes(dft, imageMatrices(dft, inputs), filterMatrices(dft, filters), imageMatrices(dft, outputs));
      fromPlanes(dft, dft.output, outputs, frequency, horizontalInverse.matrix, outputSpectrum);
    }
    const target = mapsInFormat(dft, dft.output, output, part);
    const maps = dft.format === "f32" ? target : fresh(dft, target.dims);
    const options = { bias: biasRow, activation };
    fromSpectrum(dft, dft.output, outputSpectrum, matrices.verticalInverse.matrix, maps, options);
    if (maps !== target) plan.copy({ ...maps, desc: mapsLayout(dft, dft.output, part.count, "f32") }, target);
  }
}

function tablesOf({ matrices }: Dft, { rows }: PlacedFrequency) {
  return { horizontal: matrices.horizontal[rows], horizontalInverse: matrices.horizontalInverse[rows] };
}

/** The bias repeated for every column of a map, to be added to a row of outputs. */
function repeatedBias(dft: Dft, bias: Value): Value {
  const { channels, width } = dft.output;
  const repeated = fresh(dft, [width, channels]);
  transform(dft, [dft.matrices.column(width), bias, repeated]);
  return shaped(dft, repeated, [1, 1, width * channels]);
}

interface BackwardValues {
  readonly x: Value;
  readonly weight: Value;
  readonly gradient: Value;
  /** Memory for the gradient of the input; undefined if it is not needed. The same holds for `gradients`. */
  readonly inputGradient: Value | undefined;
  readonly gradients: { readonly weight: Value; readonly bias: Value } | undefined;
}

/** Adds the backward steps of a sub-batch. Both gradients use the planes of the output's gradient, which are computed once. */
function addBackward(dft: Dft, name: string, values: BackwardValues, part: SubBatch, isLater: boolean): void {
  const { plan, matrices, input, output } = dft;
  const { x, weight, gradient, inputGradient, gradients } = values;
  /** Direction of the steps that both gradients share. */
  const shared = inputGradient ? "backwardData" : "backwardWeights";
  plan.enter(name, shared);
  const gradientMaps = mapsOf(dft, output, gradient, part);
  const gradientSpectrum = toSpectrum(dft, output, gradientMaps, matrices.verticalInverse.transposed);
  plan.enter(name, "backwardWeights");
  const spectrum = gradients && toSpectrum(dft, input, mapsOf(dft, input, x, part), matrices.vertical.matrix);
  const inputSpectrum = inputGradient && newSpectrum(dft, input, part.count);
  for (const [index, frequency] of matrices.frequencies.entries()) {
    const { horizontal, horizontalInverse } = tablesOf(dft, frequency);
    plan.enter(name, shared);
    const planes = toPlanes(dft, output, gradientSpectrum, frequency, horizontalInverse.transposed);
    const outputs = imageMatrices(dft, asFactor(dft, planes));
    if (gradients && spectrum) {
      plan.enter(name, "backwardWeights");
      const accumulate = isLater || index > 0;
      const inputs = asFactor(dft, toPlanes(dft, input, spectrum, frequency, horizontal.matrix));
      const filters = fresh(dft, [frequency.planes, weight.dims[1] as number]);
      multiplyPlanes(dft, turned(imageMatrices(dft, inputs)), outputs, filterMatrices(dft, filters));
      transformFilters(dft, [frequency.filter.transposed, filters, gradients.weight], { accumulate });
      if (index === 0) addBiasGradient(dft, planes, gradients.bias, isLater);
    }
    if (inputSpectrum) {
      plan.enter(name, "backwardData");
      const filters = asFactor(dft, filterPlanes(dft, weight, frequency));
      const inputs = newPlanes(dft, input, frequency.planes, part.count);
      multiplyPlanes(dft, outputs, turned(filterMatrices(dft, filters)), imageMatrices(dft, inputs));
      fromPlanes(dft, input, inputs, frequency, horizontal.transposed, inputSpectrum);
    }
  }
  if (!inputSpectrum || !inputGradient) return;
  plan.enter(name, "backwardData");
  const target = mapsInFormat(dft, input, inputGradient, part);
  const maps = dft.format === "f32" ? target : fresh(dft, target.dims);
  fromSpectrum(dft, input, inputSpectrum, matrices.vertical.transposed, maps);
  if (maps !== target) plan.copy({ ...maps, desc: mapsLayout(dft, input, part.count, "f32") }, target);
}

/** The first plane of frequency 0 holds the sums over the maps. */
function addBiasGradient(dft: Dft, planes: Value, bias: Value, accumulate: boolean): void {
  const [, count = 0, channels = 0] = planes.dims;
  transform(dft, [dft.matrices.row(count), shaped(dft, planes, [count, channels]), bias], { accumulate });
}
