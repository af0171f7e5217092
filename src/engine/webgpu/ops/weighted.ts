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
import { chooseTile, computedMacs, type ProductExtents } from "../kernels/tiles.ts";
import { type Operand, THREADS } from "../kernels/wgsl.ts";
import type { PlannedBuffer } from "../plan.ts";
import { vectorLayout, weightLayout } from "../weights.ts";
import { isFused } from "./activations.ts";
import { type BuildContext, type Builder, type Built, extentsOf, type FeatureMap, mapOf, type Site } from "./op.ts";

/** Buffers of a product's operands and results, by their names. */
type Buffers = Readonly<Record<string, PlannedBuffer>>;

/** A product to add, with its extents for a whole batch. */
interface Multiplication {
  readonly work: string;
  readonly product: Product;
  readonly results: readonly Operand[];
  readonly buffers: Buffers;
  readonly extents: Omit<ProductExtents, "needsFourRows">;
  /** Rows for a number of images. */
  rows(images: number): number;
}

function bound(operands: readonly Operand[], buffers: Buffers) {
  return operands.map((operand) => ({ ...operand, buffer: buffers[operand.name] as PlannedBuffer }));
}

function addProduct(
  { plan, limits }: BuildContext,
  { work, product, results, buffers, extents, rows }: Multiplication,
): void {
  const needsFourRows = product.a.along === "across";
  const tile = chooseTile({ ...extents, needsFourRows }, limits);
  const { shape, splits } = tile;
  const macs = extents.groups * extents.rows * extents.columns * extents.depth;
  const name = shape ? `${shape.rows}×${shape.columns}${splits > 1 ? ` in ${splits} parts` : ""}` : "1×4";
  const common = {
    work,
    macs,
    computedMacs: computedMacs({ ...extents, needsFourRows }, tile),
    tile: name,
    workgroups: (images: number) => productWorkgroups(product, tile, rows(images)),
  };
  if (splits === 1) {
    const operands = [...product.operands, ...results];
    plan.add({ ...common, code: productCode({ ...product, operands }, tile), operands: bound(operands, buffers) });
    return;
  }
  const { groups, maxRows, columns } = product;
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
  const { ins, outs, taps, inPixels } = partsOf(c);
  const target = mapOf(context, input);
  addProduct(context, {
    work,
    product: inputGradientProduct(c, input.isRectified),
    results: inputGradientResults(c, input.isRectified),
    buffers: { dy: gradient.buffer, w: weight, z: input.buffer, dx: target.buffer },
    extents: { rows: c.batchSize * inPixels, columns: ins, depth: taps * outs, groups: c.groups },
    rows: (images) => images * inPixels,
  });
  return target;
}

function addWeightGradient(
  context: BuildContext,
  { work, c, input }: Weighted,
  gradient: FeatureMap,
  { dw, db }: { readonly dw: PlannedBuffer; readonly db: PlannedBuffer },
): void {
  const { ins, outs, taps, pixels } = partsOf(c);
  const rows = taps * ins + 1;
  addProduct(context, {
    work,
    product: weightGradientProduct(c),
    results: weightGradientResults(c),
    buffers: { xs: input.buffer, dy: gradient.buffer, dw, db },
    extents: { rows, columns: outs, depth: c.batchSize * pixels, groups: c.groups },
    rows: () => rows,
  });
}

function build(
  context: BuildContext,
  work: string,
  op: Op<"conv2d" | "linear">,
  c: Convolution,
  input: FeatureMap,
  site: Site,
): Built {
  const { plan } = context;
  const { ins, outs, taps, pixels } = partsOf(c);
  const relu = isFused(site.next);
  const output = mapOf(context, extentsOf(op.outputShape), relu);
  const weight = context.parameter(op.name, "weight", weightLayout({ groups: c.groups, ins, outs, taps }));
  const bias = context.parameter(op.name, "bias", vectorLayout(c.outChannels));
  const weighted: Weighted = { work, c, input, weight: weight.value };
  addProduct(context, {
    work,
    product: forwardProduct(c, relu),
    results: forwardResults(c),
    buffers: { xs: input.buffer, w: weight.value, bias: bias.value, y: output.buffer },
    extents: { rows: c.batchSize * pixels, columns: outs, depth: taps * ins, groups: c.groups },
    rows: (images) => images * pixels,
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

const buildConv2d: Builder<"conv2d"> = (context, op, input, site) => {
  const { outChannels, kernelSize, stride, padding, groups } = op.options;
  const { height, width } = extentsOf(op.outputShape);
  const c: Convolution = {
    inChannels: input.channels,
    height: input.height,
    width: input.width,
    outChannels,
    outHeight: height,
    outWidth: width,
    kernelSize,
    stride,
    padding,
    groups,
    batchSize: context.batchSize,
  };
  return build(context, "convolution", op, c, input, site);
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

export const weightedBuilders = { conv2d: buildConv2d, linear: buildLinear };
