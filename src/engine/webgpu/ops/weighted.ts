/** Convolutions and linear layers. */
import type { Op } from "../../engine.ts";
import {
  type Convolution,
  forwardProduct,
  inputGradientProduct,
  extentsOf as partsOf,
  weightGradientProduct,
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

function bound(operands: readonly Operand[], buffers: Buffers) {
  return operands.map((operand) => ({ ...operand, buffer: buffers[operand.name] as PlannedBuffer }));
}

function addProduct({ plan, limits }: BuildContext, work: string, product: Product, buffers: Buffers): void {
  const { groups, maxRows, columns, maxDepth: depth, rowsOfImage, results } = product;
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
  const buffers = { xs: input.buffer, w: weight.value, bias: bias.value, y: output.buffer };
  addProduct(context, work, product, buffers);
  return {
    output,
    covers: relu ? 2 : 1,
    backward({ buffer: dy }) {
      const { gradient: dw } = weight;
      const { gradient: db } = bias;
      if (dw && db) {
        plan.enter(op.name, "backwardWeights");
        addProduct(context, work, weightGradientProduct(c), { ...buffers, dy, dw, db });
      }
      plan.enter(op.name, "backwardData");
      if (!site.needsInputGradient) return undefined;
      const target = mapOf(context, input);
      const { isRectified, buffer: z } = input;
      addProduct(context, work, inputGradientProduct(c, isRectified), { ...buffers, dy, z, dx: target.buffer });
      return target;
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
