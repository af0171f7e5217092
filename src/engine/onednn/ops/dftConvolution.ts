/** Convolution of stride 1 by the discrete Fourier transform, made of matrix products. docs/onednn.md explains it. */
import type { AnyOp, Op } from "../../engine.ts";
import type { MatmulOptions, NumberFormat } from "../native/oneDnn.ts";
import type { Plan, Value } from "../plan.ts";
import { addActivationBackward, fusable } from "./activations.ts";
import { type DftMatrices, type Pair, type PlacedFrequency, placeMatrices } from "./dftMatrices.ts";
import { type BuildContext, type Built, whole } from "./op.ts";

/** A side of the convolution: its input or its output. Maps lie channels-last. */
interface Side {
  readonly height: number;
  readonly width: number;
  /** Of all groups. */
  readonly channels: number;
}

/** Consecutive images. */
interface SubBatch {
  readonly first: number;
  readonly count: number;
}

/** What the steps of one convolution have in common. */
interface Dft {
  readonly plan: Plan;
  readonly format: NumberFormat;
  readonly matrices: DftMatrices;
  readonly groups: number;
  readonly taps: number;
  readonly input: Side;
  readonly output: Side;
  readonly batches: readonly SubBatch[];
}

/** Adds the forward steps. The weights lie as [height, width, groups, channels, outputs] of the kernel. */
export function buildDft(context: BuildContext, op: Op<"conv2d">, input: Value, next: AnyOp | undefined): Built {
  const { plan, training, format } = context;
  const { session } = plan;
  const dft = dftOf(context, op);
  const activation = fusable(next);
  const x = plan.inLayout(input, channelsLast(dft, dft.input, context.batchSize));
  const outputDims = [context.batchSize, ...op.outputShape];
  const output = plan.value(outputDims, channelsLast(dft, dft.output, context.batchSize));
  const { groups, taps } = dft;
  const kernel = op.options.kernelSize;
  const [depth, filters] = [dft.input.channels / groups, dft.output.channels / groups];
  const ofGroup = [filters, depth, kernel, kernel];
  const pairs = groups * depth * filters;
  const strides = [1, filters, kernel * pairs, pairs];
  const [weightDims, weightStrides] =
    groups === 1 ? [ofGroup, strides] : [[groups, ...ofGroup], [depth * filters, ...strides]];
  const stored = session.strided(weightDims, weightStrides, "f32");
  const weight = context.parameter(op.name, "weight", weightDims, stored, whole);
  const bias = context.parameter(op.name, "bias", [dft.output.channels], session.plain([dft.output.channels], "f32"), whole);
  const inFormat = plan.inLayout(weight.value, session.strided(weightDims, weightStrides, format));
  const asTaps = (value: Value, numberFormat: NumberFormat) =>
    shaped(dft, value, [taps, pairs], [pairs, 1], 0, numberFormat);
  addForward(dft, x, asTaps(inFormat, format), bias.value, output, activation);
  return {
    output,
    covers: activation ? 2 : 1,
    backward(outputGradient, needed) {
      if (!training) throw new Error(`${op.name}: backward of an inference program`);
      const gradient = activation
        ? addActivationBackward(plan, activation, output, outputGradient)
        : plan.inLayout(outputGradient, output.desc);
      const inputGradient = needed ? plan.value(x.dims, x.desc) : undefined;
      const gradients = weight.gradient && bias.gradient && { weight: asTaps(weight.gradient, "f32"), bias: bias.gradient };
      addBackward(dft, op.name, { x, weight: asTaps(inFormat, format), gradient, inputGradient, gradients });
      return inputGradient && plan.inLayout(inputGradient, input.desc);
    },
  };
}

function dftOf({ plan, format, batchSize }: BuildContext, { inputShape, outputShape, options }: Op<"conv2d">): Dft {
  const { kernelSize, padding, groups } = options;
  const side = ([channels = 0, height = 0, width = 0]: readonly number[]): Side => ({ channels, height, width });
  const [input, output] = [side(inputShape), side(outputShape)];
  const axis = (size: number) => ({ size, kernelSize, padding });
  const ones = Math.max(batchSize, output.width);
  return {
    plan,
    format,
    matrices: placeMatrices(plan, format, axis(input.height), axis(input.width), ones),
    groups,
    taps: kernelSize ** 2,
    input,
    output,
    batches: [{ first: 0, count: batchSize }],
  };
}

function channelsLast({ plan, format }: Dft, { channels, height, width }: Side, batch: number) {
  const strides = [height * width * channels, 1, width * channels, channels];
  return plan.session.strided([batch, channels, height, width], strides, format);
}

/** The same memory, from element `first` on, seen in another shape. */
function shaped(
  { plan }: Dft,
  value: Value,
  dims: readonly number[],
  strides: readonly number[],
  first: number,
  format: NumberFormat,
): Value {
  const { buffer, offset = 0 } = value;
  const bytes = format === "f32" ? 4 : 2;
  return { buffer, dims, desc: plan.session.strided(dims, strides, format), offset: offset + first * bytes };
}

const plainStrides = (dims: readonly number[]): readonly number[] =>
  dims.map((_, i) => dims.slice(i + 1).reduce((product, extent) => product * extent, 1));

/** A new value in row order. */
function fresh({ plan, format }: Dft, dims: readonly number[], numberFormat = format): Value {
  return plan.value(dims, plan.session.plain(dims, numberFormat));
}

/** dst ← src · weights. */
function multiply(
  { plan }: Dft,
  work: string,
  [src, weights, dst]: readonly [Value, Value, Value],
  options: Omit<MatmulOptions, "bias"> & { readonly bias?: Value } = {},
): void {
  const { bias, ...others } = options;
  const primitiveDesc = plan.session.matmul(src.desc, weights.desc, dst.desc, bias ? { ...others, bias: bias.desc } : others);
  plan.add(work, primitiveDesc, [
    ["src", src],
    ["weights", weights],
    ["dst", dst],
    ...(bias ? ([["bias", bias]] as const) : []),
  ]);
}

const TRANSFORM = "DFT transform";
const PRODUCT = "DFT product";

/** One matrix for every image of a sub-batch. */
function forAll(dft: Dft, matrix: Value): Value {
  const dims = [1, ...matrix.dims];
  return shaped(dft, matrix, dims, plainStrides(dims), 0, dft.format);
}

/** Maps [image, row, column · channel] of some images: rows are those of maps, or of the vertical transform. */
function rowsOf(dft: Dft, { width, channels }: Side, rows: number, value: Value, { first, count }: SubBatch): Value {
  const dims = [count, rows, width * channels];
  return shaped(dft, value, dims, plainStrides(dims), first * rows * width * channels, dft.format);
}

/** Rows of one vertical frequency: [image, row · column, channel]. */
function frequencyRows(dft: Dft, { width, channels }: Side, spectrum: Value, frequency: PlacedFrequency): Value {
  const { matrices, format } = dft;
  const [count = 0] = spectrum.dims;
  const dims = [count, frequency.rows * width, channels];
  const strides = [matrices.rows * width * channels, channels, 1];
  return shaped(dft, spectrum, dims, strides, frequency.firstRow * width * channels, format);
}

/** Planes of one vertical frequency, which lie as [plane, image, channel], seen as [image, plane, channel]. */
function byImage(dft: Dft, { channels }: Side, planes: Value, { planes: n }: PlacedFrequency, count: number): Value {
  return shaped(dft, planes, [count, n, channels], [channels, count * channels, 1], 0, dft.format);
}

/** The same seen as matrices [plane, group, image, channel of the group]. */
function byGroup(dft: Dft, { channels }: Side, planes: Value, { planes: n }: PlacedFrequency, count: number): Value {
  const depth = channels / dft.groups;
  const dims = [n, dft.groups, count, depth];
  return shaped(dft, planes, dims, [count * channels, depth, channels, 1], 0, dft.format);
}

/** Matrices with their last two axes exchanged. */
function transposedMatrices(dft: Dft, value: Value, [a = 0, b = 0, m = 0, n = 0]: readonly number[], strides: readonly number[]): Value {
  const [sa = 0, sb = 0, sm = 0, sn = 0] = strides;
  return shaped(dft, value, [a, b, n, m], [sa, sb, sn, sm], 0, dft.format);
}

/** Filters' planes as matrices [plane, group, channel, output]. */
function filterDims({ groups, input, output }: Dft, { planes }: PlacedFrequency): readonly number[] {
  return [planes, groups, input.channels / groups, output.channels / groups];
}

/** Memory of the steps of one frequency, for the one with the most planes. */
function planesOf(dft: Dft, { channels }: Side, count: number): Value {
  return fresh(dft, [dft.matrices.planes, count, channels]);
}

function filterPlanes(dft: Dft, numberFormat = dft.format): Value {
  const { groups, input, output, matrices } = dft;
  return fresh(dft, [matrices.planes, (input.channels * output.channels) / groups], numberFormat);
}

function addForward(
  dft: Dft,
  x: Value,
  weight: Value,
  bias: Value,
  output: Value,
  activation: MatmulOptions["activation"],
): void {
  const { matrices } = dft;
  const biasRow = repeatedBias(dft, bias);
  for (const part of dft.batches) {
    const spectrum = verticalTransform(dft, dft.input, x, part, matrices.vertical.matrix);
    const outputSpectrum = fresh(dft, [part.count, matrices.rows, dft.output.width * dft.output.channels]);
    const [inputs, filters] = [planesOf(dft, dft.input, part.count), filterPlanes(dft)];
    const outputs = planesOf(dft, dft.output, part.count);
    for (const frequency of matrices.frequencies) {
      toPlanes(dft, dft.input, spectrum, frequency, matrices.horizontal[frequency.rows].matrix, inputs);
      addFilterPlanes(dft, weight, frequency, filters);
      const dims = filterDims(dft, frequency);
      multiply(dft, PRODUCT, [
        byGroup(dft, dft.input, inputs, frequency, part.count),
        shaped(dft, filters, dims, plainStrides(dims), 0, dft.format),
        byGroup(dft, dft.output, outputs, frequency, part.count),
      ]);
      fromPlanes(dft, dft.output, outputs, frequency, matrices.horizontalInverse[frequency.rows].matrix, outputSpectrum);
    }
    const inverse = forAll(dft, matrices.verticalInverse.matrix);
    const maps = rowsOf(dft, dft.output, dft.output.height, output, part);
    multiply(dft, TRANSFORM, [inverse, outputSpectrum, maps], { bias: biasRow, activation });
  }
}

/** The bias once for every column of a map: what is added to a row of outputs. */
function repeatedBias(dft: Dft, bias: Value): Value {
  const { channels, width } = dft.output;
  const repeated = fresh(dft, [width, channels], "f32");
  multiply(dft, TRANSFORM, [dft.matrices.column(width), shaped(dft, bias, [1, channels], [channels, 1], 0, "f32"), repeated]);
  const dims = [1, 1, width * channels];
  return shaped(dft, repeated, dims, plainStrides(dims), 0, "f32");
}

function verticalTransform(dft: Dft, side: Side, maps: Value, part: SubBatch, matrix: Value): Value {
  const spectrum = fresh(dft, [part.count, dft.matrices.rows, side.width * side.channels]);
  multiply(dft, TRANSFORM, [forAll(dft, matrix), rowsOf(dft, side, side.height, maps, part), spectrum]);
  return spectrum;
}

function toPlanes(dft: Dft, side: Side, spectrum: Value, frequency: PlacedFrequency, matrix: Value, planes: Value): void {
  const [count = 0] = spectrum.dims;
  const rows = frequencyRows(dft, side, spectrum, frequency);
  multiply(dft, TRANSFORM, [forAll(dft, matrix), rows, byImage(dft, side, planes, frequency, count)]);
}

function fromPlanes(dft: Dft, side: Side, planes: Value, frequency: PlacedFrequency, matrix: Value, spectrum: Value): void {
  const [count = 0] = spectrum.dims;
  const rows = frequencyRows(dft, side, spectrum, frequency);
  multiply(dft, TRANSFORM, [forAll(dft, matrix), byImage(dft, side, planes, frequency, count), rows]);
}

function addFilterPlanes(dft: Dft, weight: Value, { planes, filter }: PlacedFrequency, filters: Value): void {
  const dims = [planes, weight.dims[1] as number];
  multiply(dft, TRANSFORM, [filter.matrix, weight, shaped(dft, filters, dims, plainStrides(dims), 0, dft.format)]);
}

/** Values of a backward pass; weights and their gradient are [tap, pair of channels]. */
interface Backward {
  readonly x: Value;
  readonly weight: Value;
  readonly gradient: Value;
  /** To be made if it is there, as are the next. */
  readonly inputGradient: Value | undefined;
  readonly gradients: { readonly weight: Value; readonly bias: Value } | undefined;
}

function addBackward(dft: Dft, name: string, values: Backward): void {
  dft.batches.forEach((part, index) => addBackwardPart(dft, name, values, part, index > 0));
}

/** Both gradients take the planes of the output's, so that these are made once. */
function addBackwardPart(dft: Dft, name: string, values: Backward, part: SubBatch, isLater: boolean): void {
  const { plan, matrices, input, output } = dft;
  const { x, weight, gradient, inputGradient, gradients } = values;
  const { count } = part;
  plan.enter(name, "backwardData");
  const outputSpectrum = verticalTransform(dft, output, gradient, part, matrices.verticalInverse.transposed);
  const outputs = planesOf(dft, output, count);
  const inputs = planesOf(dft, input, count);
  const [filters, filterGradients] = [filterPlanes(dft), filterPlanes(dft, "f32")];
  plan.enter(name, "backwardWeights");
  const spectrum = gradients && verticalTransform(dft, input, x, part, matrices.vertical.matrix);
  const inputSpectrum = inputGradient && fresh(dft, [count, matrices.rows, input.width * input.channels]);
  for (const [index, frequency] of matrices.frequencies.entries()) {
    const { rows } = frequency;
    plan.enter(name, "backwardData");
    toPlanes(dft, output, outputSpectrum, frequency, matrices.horizontalInverse[rows].transposed, outputs);
    const ofOutputs = byGroup(dft, output, outputs, frequency, count);
    const dims = filterDims(dft, frequency);
    if (gradients && spectrum) {
      plan.enter(name, "backwardWeights");
      const accumulate = isLater || index > 0;
      toPlanes(dft, input, spectrum, frequency, matrices.horizontal[rows].matrix, inputs);
      const ofInputs = byGroup(dft, input, inputs, frequency, count);
      const turned = transposedMatrices(dft, inputs, ofInputs.dims, [count * input.channels, input.channels / dft.groups, input.channels, 1]);
      multiply(dft, PRODUCT, [turned, ofOutputs, shaped(dft, filterGradients, dims, plainStrides(dims), 0, "f32")]);
      const flat = [frequency.planes, weight.dims[1] as number];
      const ofFilters = shaped(dft, filterGradients, flat, plainStrides(flat), 0, "f32");
      multiply(dft, TRANSFORM, [frequency.filter.transposed, ofFilters, gradients.weight], { accumulate });
      if (index === 0) addBiasGradient(dft, outputs, gradients.bias, count, isLater);
    }
    if (inputSpectrum) {
      plan.enter(name, "backwardData");
      addFilterPlanes(dft, weight, frequency, filters);
      multiply(dft, PRODUCT, [
        ofOutputs,
        transposedMatrices(dft, filters, dims, plainStrides(dims)),
        byGroup(dft, input, inputs, frequency, count),
      ]);
      fromPlanes(dft, input, inputs, frequency, matrices.horizontal[rows].transposed, inputSpectrum);
    }
  }
  if (!inputSpectrum || !inputGradient) return;
  const maps = rowsOf(dft, input, input.height, inputGradient, part);
  multiply(dft, TRANSFORM, [forAll(dft, matrices.vertical.transposed), inputSpectrum, maps]);
}

/** The plane of frequency 0 holds the sums over the maps. */
function addBiasGradient(dft: Dft, outputs: Value, bias: Value, count: number, accumulate: boolean): void {
  const { channels } = dft.output;
  const sums = shaped(dft, outputs, [count, channels], [channels, 1], 0, dft.format);
  const row = shaped(dft, bias, [1, channels], [channels, 1], 0, "f32");
  multiply(dft, TRANSFORM, [dft.matrices.row(count), sums, row], { accumulate });
}
