/** Convolutions and linear layers. */
import type { Op } from "../../engine.ts";
import {
  type Convolution,
  forwardProduct,
  forwardResults,
  inputGradientProduct,
  inputGradientResults,
  extentsOf as partsOf,
  weightGradientProduct,
  weightGradientResults,
} from "../kernels/convolution.ts";
import { type Product, partialOperand, productCode, productWorkgroups, sumCode } from "../kernels/product.ts";
import { chooseTile, computedMacs } from "../kernels/tiles.ts";
import { type Operand, THREADS } from "../kernels/wgsl.ts";
import type { PlannedBuffer } from "../plan.ts";
import { weightLayout } from "../weights.ts";
import { isFused } from "./activations.ts";
import { type BuildContext, type Builder, type Built, extentsOf, type FeatureMap, mapOf, type Site } from "./op.ts";

/** Buffers of a product's operands and results, by their names. */
type Buffers = Readonly<Record<string, PlannedBuffer>>;

/** A product to add. */
interface Multiplication {
  readonly work: string;
  readonly product: Product;
  readonly results: readonly Operand[];
  readonly buffers: Buffers;
  /** For a whole batch. */
  readonly depth: number;
  /** Rows of an image; undefined if all images have the same rows. */
  readonly rowsOfImage?: number;
}

function bound(operands: readonly Operand[], buffers: Buffers) {
  return operands.map((operand) => ({ ...operand, buffer: buffers[operand.name] as PlannedBuffer }));
}

function addProduct(
  { plan, limits }: BuildContext,
  { work, product, results, buffers, depth, rowsOfImage }: Multiplication,
): void {
  const { groups, maxRows, columns } = product;
  const extents = { rows: maxRows, columns, depth, groups, needsFourRows: product.a.along === "across" };
  const rows = (images: number) => (rowsOfImage === undefined ? maxRows : images * rowsOfImage);
  const tile = chooseTile(extents, limits);
  const { shape, splits } = tile;
  const macs = groups * maxRows * columns * depth;
  const name = shape ? `${shape.rows}×${shape.columns}${splits > 1 ? ` in ${splits} parts` : ""}` : "1×4";
  const common = {
    work,
    macs,
    computedMacs: computedMacs(extents, tile),
    tile: name,
    workgroups: (images: number) => productWorkgroups(product, tile, rows(images)),
  };
  if (splits === 1) {
    const operands = [...product.operands, ...results];
    plan.add({ ...common, code: productCode({ ...product, operands }, tile), operands: bound(operands, buffers) });
    return;
  }
  const partial = plan.buffer(4 * splits * groups * maxRows * columns);
  const all = { ...buffers, partial };
  const operands = [...product.operands, partialOperand(product, "write")];
  plan.add({ ...common, code: productCode({ ...product, operands }, tile), operands: bound(operands, all) });
  const sums = [partialOperand(product, "read"), ...results];
  plan.add({
    work: `${work} sums`,
    code: sumCode(product, tile, sums),
    operands: bound(sums, all),
    workgroups: (images) => Math.ceil((rows(images) * Math.ceil(columns / 4) * groups) / THREADS),
  });
}

/** Buffers of a convolution or linear layer. */
interface Weighted {
  readonly work: string;
  readonly c: Convolution;
  readonly input: FeatureMap;
  readonly weight: PlannedBuffer;
}

function addInputGradient(
  context: BuildContext,
  { work, c, input, weight }: Weighted,
  gradient: FeatureMap,
): FeatureMap {
  const { outs, taps } = partsOf(c);
  const target = mapOf(context, input);
  const product = inputGradientProduct(c, input.isRectified);
  addProduct(context, {
    work,
    product,
    results: inputGradientResults(c, input.isRectified),
    buffers: { dy: gradient.buffer, w: weight, z: input.buffer, dx: target.buffer },
    depth: taps * outs,
    rowsOfImage: product.maxRows / c.batchSize,
  });
  return target;
}

function addWeightGradient(
  context: BuildContext,
  { work, c, input }: Weighted,
  gradient: FeatureMap,
  { dw, db }: { readonly dw: PlannedBuffer; readonly db: PlannedBuffer },
): void {
  addProduct(context, {
    work,
    product: weightGradientProduct(c),
    results: weightGradientResults(c),
    buffers: { xs: input.buffer, dy: gradient.buffer, dw, db },
    depth: c.batchSize * (c.isLocal ? 1 : partsOf(c).pixels),
  });
}

function build(
  context: BuildContext,
  work: string,
  op: Op<"conv2d" | "localConv2d" | "linear">,
  c: Convolution,
  input: FeatureMap,
  site: Site,
): Built {
  const { plan } = context;
  const { ins, outs, taps } = partsOf(c);
  const relu = isFused(site.next);
  const output = mapOf(context, extentsOf(op.outputShape), relu);
  const product = forwardProduct(c, relu);
  const { groups } = product;
  const { isLocal } = c;
  const weight = context.parameter(op.name, "weight", weightLayout({ groups, ins, outs, taps, isLocal }));
  const bias = context.parameter(op.name, "bias", weightLayout({ groups, ins: 1, outs, taps: 1, isLocal }));
  const weighted: Weighted = { work, c, input, weight: weight.value };
  addProduct(context, {
    work,
    product,
    results: forwardResults(c),
    buffers: { xs: input.buffer, w: weight.value, bias: bias.value, y: output.buffer },
    depth: taps * ins,
    rowsOfImage: product.maxRows / c.batchSize,
  });
  return {
    output,
    covers: relu ? 2 : 1,
    backward(gradient) {
      if (weight.gradient && bias.gradient) {
        plan.enter(op.name, "backwardWeights");
        addWeightGradient(context, weighted, gradient, { dw: weight.gradient, db: bias.gradient });
      }
      plan.enter(op.name, "backwardData");
      return site.needsInputGradient ? addInputGradient(context, weighted, gradient) : undefined;
    },
  };
}

function windowed(
  context: BuildContext,
  { options, outputShape }: Op<"conv2d" | "localConv2d">,
  input: FeatureMap,
): Omit<Convolution, "groups"> {
  const { outChannels, kernelSize, stride, padding } = options;
  const { height: outHeight, width: outWidth } = extentsOf(outputShape);
  const { channels: inChannels, height, width } = input;
  const { batchSize } = context;
  return { inChannels, height, width, outChannels, outHeight, outWidth, kernelSize, stride, padding, batchSize };
}

const buildConv2d: Builder<"conv2d"> = (context, op, input, site) =>
  build(context, "convolution", op, { ...windowed(context, op, input), groups: op.options.groups }, input, site);

const buildLocalConv2d: Builder<"localConv2d"> = (context, op, input, site) => {
  const c = { ...windowed(context, op, input), groups: 1, isLocal: true };
  return build(context, "local convolution", op, c, input, site);
};

const buildLinear: Builder<"linear"> = (context, op, input, site) => {
  const onePixel = { height: 1, width: 1, outHeight: 1, outWidth: 1, kernelSize: 1, stride: 1, padding: 0, groups: 1 };
  const c = {
    ...onePixel,
    inChannels: input.channels,
    outChannels: op.options.outFeatures,
    batchSize: context.batchSize,
  };
  return build(context, "linear", op, c, input, site);
};

export const weightedBuilders = { conv2d: buildConv2d, localConv2d: buildLocalConv2d, linear: buildLinear };
