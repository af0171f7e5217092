/**
 * Steps of convolution by the discrete Fourier transform. All transforms are f32; the factors of the products between them have the network's format.
 */
import { sizeOf, stridesOf } from "../../../shape.ts";
import type { Desc, MatmulOptions, NumberFormat } from "../native/oneDnn.ts";
import { channelsLast } from "../parts.ts";
import type { Plan, Value } from "../plan.ts";
import type { DftMatrices, PlacedFrequency } from "./dftMatrices.ts";

/** A side of the convolution: its input or its output. Maps are stored channels-last. */
export interface Side {
  readonly height: number;
  readonly width: number;
  /** Number of channels of all groups. */
  readonly channels: number;
}

/** Consecutive images. */
export interface SubBatch {
  readonly first: number;
  readonly count: number;
}

/** Context shared by the steps of one convolution. */
export interface Dft {
  readonly plan: Plan;
  readonly format: NumberFormat;
  readonly matrices: DftMatrices;
  readonly groups: number;
  readonly input: Side;
  readonly output: Side;
  readonly parts: readonly SubBatch[];
}

type Product = readonly [src: Value, weights: Value, dst: Value];
type ProductOptions = Omit<MatmulOptions, "bias"> & { readonly bias?: Value };

/** A view of f32 memory from element `first` on, in another shape. */
export function shaped(
  { plan }: Dft,
  { buffer, offset = 0 }: Value,
  dims: readonly number[],
  strides = stridesOf(dims),
  first = 0,
): Value {
  return { buffer, dims, desc: plan.session.strided(dims, strides, "f32"), offset: offset + 4 * first };
}

/** A new f32 value in row order. */
export function fresh({ plan }: Dft, dims: readonly number[]): Value {
  return plan.value(dims, plan.session.plain(dims, "f32"));
}

/** Layout of the maps of some images. */
export function mapsLayout(
  { plan }: Dft,
  { channels, height, width }: Side,
  batch: number,
  format: NumberFormat,
): Desc {
  return channelsLast(plan.session, [batch, channels, height, width], format);
}

/** dst ← src · weights, as part of a transform of maps. */
export function transform(dft: Dft, product: Product, options: ProductOptions = {}): void {
  multiply(dft, "DFT transform", product, options);
}

/** A transform of filters, or of the gradient of their planes. */
export function transformFilters(dft: Dft, product: Product, options: ProductOptions = {}): void {
  multiply(dft, "DFT filters", product, options);
}

function multiply(
  { plan }: Dft,
  work: string,
  [src, weights, dst]: Product,
  { bias, ...others }: ProductOptions,
): void {
  const options = bias ? { ...others, bias: bias.desc } : others;
  const args = [
    ["src", src],
    ["weights", weights],
    ["dst", dst],
    ...(bias ? ([["bias", bias]] as const) : []),
  ] as const;
  const flops = 2 * (src.dims.at(-1) as number) * sizeOf(dst.dims);
  plan.add(work, plan.session.matmul(src.desc, weights.desc, dst.desc, options), args, flops);
}

/** [row, column] for every image of a sub-batch. */
const forAll = (dft: Dft, matrix: Value): Value => shaped(dft, matrix, [1, ...matrix.dims]);

/** A sub-batch of maps in f32: a view, or a copy. */
export function mapsOf(dft: Dft, side: Side, maps: Value, part: SubBatch): Value {
  const { plan, format } = dft;
  const lying = mapsInFormat(dft, side, maps, part);
  return format === "f32" ? lying : plan.inLayout(lying, mapsLayout(dft, side, part.count, "f32"));
}

/** A view of a sub-batch of maps. */
export function mapsInFormat(dft: Dft, side: Side, { buffer, offset = 0 }: Value, { first, count }: SubBatch): Value {
  const { format } = dft;
  const { height, width, channels } = side;
  const dims = [count, channels, height, width];
  const bytes = (format === "f32" ? 4 : 2) * first * height * width * channels;
  return { buffer, dims, desc: mapsLayout(dft, side, count, format), offset: offset + bytes };
}

/** View as [image, row of a map, column · channel]. */
export function mapRows(dft: Dft, { height, width, channels }: Side, maps: Value): Value {
  return shaped(dft, maps, [maps.dims[0] as number, height, width * channels]);
}

/** Memory for the rows of the vertical transforms of n maps: [image, row, column · channel]. */
export function newSpectrum(dft: Dft, { width, channels }: Side, n: number): Value {
  return fresh(dft, [n, dft.matrices.rows, width * channels]);
}

/** Transforms maps vertically; the matrix is that of the transform or of its adjoint. */
export function toSpectrum(dft: Dft, side: Side, maps: Value, matrix: Value): Value {
  const spectrum = newSpectrum(dft, side, maps.dims[0] as number);
  transform(dft, [forAll(dft, matrix), mapRows(dft, side, maps), spectrum]);
  return spectrum;
}

/** Transforms rows of vertical transforms back to maps. */
export function fromSpectrum(
  dft: Dft,
  side: Side,
  spectrum: Value,
  matrix: Value,
  maps: Value,
  options: ProductOptions = {},
): void {
  transform(dft, [forAll(dft, matrix), spectrum, mapRows(dft, side, maps)], options);
}

/** Rows of one vertical frequency: [image, row · column, channel]. */
function frequencyRows(dft: Dft, { width, channels }: Side, spectrum: Value, frequency: PlacedFrequency): Value {
  const dims = [spectrum.dims[0] as number, frequency.rows * width, channels];
  const strides = [dft.matrices.rows * width * channels, channels, 1];
  return shaped(dft, spectrum, dims, strides, frequency.firstRow * width * channels);
}

/** Memory for the planes of one vertical frequency: [plane, image, channel]. */
export function newPlanes(dft: Dft, { channels }: Side, planes: number, n: number): Value {
  return fresh(dft, [planes, n, channels]);
}

/** View of the planes as [image, plane, channel]. */
function byImage(dft: Dft, planes: Value): Value {
  const [n = 0, count = 0, channels = 0] = planes.dims;
  return shaped(dft, planes, [count, n, channels], [channels, count * channels, 1]);
}

/** Transforms rows of the vertical transform to planes. */
export function toPlanes(dft: Dft, side: Side, spectrum: Value, frequency: PlacedFrequency, matrix: Value): Value {
  const planes = newPlanes(dft, side, frequency.planes, spectrum.dims[0] as number);
  transform(dft, [forAll(dft, matrix), frequencyRows(dft, side, spectrum, frequency), byImage(dft, planes)]);
  return planes;
}

/** Transforms planes back to rows of the vertical transform. */
export function fromPlanes(
  dft: Dft,
  side: Side,
  planes: Value,
  frequency: PlacedFrequency,
  matrix: Value,
  spectrum: Value,
): void {
  transform(dft, [forAll(dft, matrix), byImage(dft, planes), frequencyRows(dft, side, spectrum, frequency)]);
}

/** Planes of the filters, [plane, pair of channels], of weights [tap, pair of channels]. */
export function filterPlanes(dft: Dft, weight: Value, { planes, filter }: PlacedFrequency): Value {
  const made = fresh(dft, [planes, weight.dims[1] as number]);
  transformFilters(dft, [filter.matrix, weight, made]);
  return made;
}

/** Planes as matrices to be multiplied: [plane, group, row, column], in the format of the network. */
export interface Matrices {
  readonly value: Value;
  readonly dims: readonly number[];
  readonly strides: readonly number[];
}

/** Planes [plane, image, channel] as matrices [image, channel of a group], one for each plane and group. */
export function imageMatrices({ groups }: Dft, value: Value): Matrices {
  const [planes = 0, count = 0, channels = 0] = value.dims;
  const depth = channels / groups;
  return { value, dims: [planes, groups, count, depth], strides: [count * channels, depth, channels, 1] };
}

/** Planes of filters as matrices [channel of a group, output of the group]. */
export function filterMatrices({ groups, input, output }: Dft, value: Value): Matrices {
  const dims = [value.dims[0] as number, groups, input.channels / groups, output.channels / groups];
  return { value, dims, strides: stridesOf(dims) };
}

/** Transposed views of the matrices. */
export function turned({ value, dims, strides }: Matrices): Matrices {
  const turn = ([planes = 0, groups = 0, rows = 0, columns = 0]: readonly number[]) => [planes, groups, columns, rows];
  return { value, dims: turn(dims), strides: turn(strides) };
}

/** Planes in the format of the network, as factors of products. */
export function asFactor({ plan, format }: Dft, planes: Value): Value {
  return plan.inLayout(planes, plan.session.plain(planes.dims, format));
}

/** dst ← a · b for each plane and group: factors in the format of the network, the result in f32. */
export function multiplyPlanes(dft: Dft, a: Matrices, b: Matrices, dst: Matrices): void {
  const seen = ({ value, dims, strides }: Matrices, format: NumberFormat): Value => ({
    ...shaped(dft, value, dims, strides),
    desc: dft.plan.session.strided(dims, strides, format),
  });
  multiply(dft, "DFT product", [seen(a, dft.format), seen(b, dft.format), seen(dst, "f32")], {});
}
