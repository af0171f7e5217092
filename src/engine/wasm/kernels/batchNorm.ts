/** Batch normalization: sums over images and positions, the numbers of each channel, and passes that apply them. */
import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import {
  type Expr,
  f32x4,
  i32,
  i32x4,
  type Local,
  load,
  sum,
  type V128,
  vector,
} from "../../../assembler/instructions.ts";
import { addKernel, control } from "./kernel.ts";

const mapFields = [
  ...(["x", "xImage", "xRow", "xPixel"] as const),
  ...(["z", "zImage", "zRow", "zPixel"] as const),
  ...(["rows", "columns", "laneBytes"] as const),
] as const;

/** Vectors of a channel's numbers, by their addresses. */
const sumFields = [...mapFields, "mean", "sums"] as const;

/** Bytes of the sums of a batch; each image has its own. */
export const sumsBytes = (batchSize: number, terms: number, laneBytes: number): number => batchSize * terms * laneBytes;

/**
 * sums[image][term][channel] ← Σ term(x, z, mean) over the positions of an image, first along each row: fewer roundings than one long sum. Runs in
 * training only.
 */
function sumsKernel(module: ModuleBuilder, terms: (x: V128, z: V128, mean: V128) => readonly V128[], count: number) {
  return addKernel(module, sumFields, ({ body, arg, scratch, images, items }) => {
    const bytes = body.i32(i32.mul(arg.laneBytes, count));
    items(body.i32(i32.mul(images, load.i32(control.training))), (image) => {
      const sums = body.i32(i32.add(arg.sums, i32.mul(image, bytes)));
      body.clear(sums, bytes);
      const row = body.i32(0);
      body.for(row, arg.rows, 1, () => {
        body.clear(scratch, bytes);
        const x = body.i32(sum(arg.x, i32.mul(image, arg.xImage), i32.mul(row, arg.xRow)));
        const z = body.i32(sum(arg.z, i32.mul(image, arg.zImage), i32.mul(row, arg.zRow)));
        const column = body.i32(0);
        body.for(column, arg.columns, 1, () => {
          const channel = body.i32(0);
          body.for(channel, arg.laneBytes, 16, () => {
            const at = (map: Local<"i32">) => load.v128(i32.add(map, channel));
            for (const [i, term] of terms(at(x), at(z), at(arg.mean)).entries()) {
              accumulate(body, sum(scratch, channel, i32.mul(arg.laneBytes, i)), term);
            }
          });
          body.increase(x, arg.xPixel);
          body.increase(z, arg.zPixel);
        });
        const offset = body.i32(0);
        body.for(offset, bytes, 16, () => accumulate(body, i32.add(sums, offset), load.v128(i32.add(scratch, offset))));
      });
    });
  });
}

function accumulate(body: Body, address: Expr<"i32">, term: V128): void {
  body.storeV128(address, f32x4.add(load.v128(address), term));
}

const channelFields = ["sums", "positions", "laneBytes"] as const;

/** A kernel that computes the numbers of four channels per item; `total(i)` is the sum of term i over all images, n the number of values. */
function channelsKernel<const F extends string>(
  module: ModuleBuilder,
  fields: readonly F[],
  terms: number,
  compute: (scope: {
    readonly body: Body;
    readonly n: V128;
    total(term: number): Local<"v128">;
    /** Address of the item's four channels. */
    at(field: F): Expr<"i32">;
    value(field: F): Expr<"i32">;
    constant(field: F): V128;
    readonly isTraining: Expr<"i32">;
  }) => void,
) {
  return addKernel(module, [...channelFields, ...fields], ({ body, arg, constant, images, items }) => {
    const ofField = (field: F) => (arg as Readonly<Record<F, Local<"i32">>>)[field];
    const n = body.local("v128", f32x4.fromInt(i32x4.splat(i32.mul(images, arg.positions))));
    items(body.i32(i32.div(arg.laneBytes, 16)), (item) => {
      const offset = body.i32(i32.mul(item, 16));
      compute({
        body,
        n,
        total(term) {
          const total = body.local("v128", vector(0));
          const image = body.i32(0);
          body.for(image, images, 1, () => {
            const place = i32.mul(i32.add(i32.mul(image, terms), term), arg.laneBytes);
            body.set(total, f32x4.add(total, load.v128(sum(arg.sums, place, offset))));
          });
          return total;
        },
        at: (field) => i32.add(ofField(field), offset),
        value: ofField,
        constant: (field) => (constant as (field: F) => V128)(field),
        isTraining: load.i32(control.training),
      });
    });
  });
}

/** y ← (x − mean) · scale + shift in all pixels; with `hasGradient`, + z · factor. Vectors by their addresses. */
function applyKernel(module: ModuleBuilder, hasGradient: boolean) {
  const fields = [...mapFields, "y", "yImage", "yRow", "yPixel", "mean", "scale", "shift", "factor"] as const;
  return addKernel(module, fields, ({ body, arg, images, items }) => {
    items(body.i32(i32.mul(images, arg.rows)), (item) => {
      const image = body.i32(i32.div(item, arg.rows));
      const row = body.i32(i32.rem(item, arg.rows));
      const start = (map: "x" | "y" | "z") =>
        body.i32(sum(arg[map], i32.mul(image, arg[`${map}Image`]), i32.mul(row, arg[`${map}Row`])));
      const [x, y, z] = [start("x"), start("y"), start("z")];
      const column = body.i32(0);
      body.for(column, arg.columns, 1, () => {
        const channel = body.i32(0);
        body.for(channel, arg.laneBytes, 16, () => {
          const at = (base: Local<"i32">) => load.v128(i32.add(base, channel));
          const scaled = f32x4.add(f32x4.mul(f32x4.sub(at(x), at(arg.mean)), at(arg.scale)), at(arg.shift));
          const whole = hasGradient ? f32x4.add(scaled, f32x4.mul(at(z), at(arg.factor))) : scaled;
          body.storeV128(i32.add(y, channel), whole);
        });
        body.increase(x, arg.xPixel);
        body.increase(y, arg.yPixel);
        body.increase(z, arg.zPixel);
      });
    });
  });
}

const running = (old: V128, value: V128, momentum: V128): V128 =>
  f32x4.add(f32x4.mul(f32x4.sub(vector(1), momentum), old), f32x4.mul(momentum, value));

/**
 * Steps of batch normalization. Forward: `normSums` and `normMean` give the batch's mean (the running one at evaluation), `normSquares` and `normScale` its
 * variance (the running one at evaluation, and if `fixed` is 1), r = 1 / √(variance + eps), scale = weight · r, and the running statistics; `normApply` the output. Backward: `normGradientSums`, then
 * `normGradients` the gradients of the parameters and the factors of dx = dy · scale + (x − mean) · slope + offset, which `normApplyGradient` computes.
 */
export function batchNormKernels(module: ModuleBuilder) {
  return {
    normSums: sumsKernel(module, (x) => [x], 1),
    normSquares: sumsKernel(module, (x, _z, mean) => [f32x4.mul(f32x4.sub(x, mean), f32x4.sub(x, mean))], 1),
    normGradientSums: sumsKernel(module, (x, dy, mean) => [dy, f32x4.mul(dy, f32x4.sub(x, mean))], 2),
    normMean: channelsKernel(
      module,
      ["mean", "runningMean", "momentum"],
      1,
      ({ body, n, total, at, constant, isTraining }) => {
        const old = body.local("v128", load.v128(at("runningMean")));
        body.if(
          isTraining,
          () => {
            const mean = body.local("v128", f32x4.div(total(0), n));
            body.storeV128(at("mean"), mean);
            body.storeV128(at("runningMean"), running(old, mean, constant("momentum")));
          },
          () => body.storeV128(at("mean"), old),
        );
      },
    ),
    normScale: channelsKernel(
      module,
      ["weight", "r", "scale", "runningVariance", "eps", "momentum", "fixed"],
      1,
      ({ body, n, total, at, value, constant, isTraining }) => {
        const variance = body.local("v128", load.v128(at("runningVariance")));
        body.if(i32.lt(value("fixed"), isTraining), () => {
          const squares = total(0);
          const unbiased = f32x4.div(squares, f32x4.sub(n, vector(1)));
          body.storeV128(at("runningVariance"), running(variance, unbiased, constant("momentum")));
          body.set(variance, f32x4.div(squares, n));
        });
        const r = body.local("v128", f32x4.div(vector(1), f32x4.sqrt(f32x4.add(variance, constant("eps")))));
        body.storeV128(at("r"), r);
        body.storeV128(at("scale"), f32x4.mul(load.v128(at("weight")), r));
      },
    ),
    normGradients: channelsKernel(
      module,
      ["r", "scale", "weightGradient", "biasGradient", "slope", "offset"],
      2,
      ({ body, n, total, at }) => {
        const [bias, products] = [total(0), total(1)];
        const r = body.local("v128", load.v128(at("r")));
        const scale = body.local("v128", f32x4.div(load.v128(at("scale")), n));
        body.storeV128(at("biasGradient"), bias);
        body.storeV128(at("weightGradient"), f32x4.mul(r, products));
        const negative = body.local("v128", f32x4.sub(vector(0), scale));
        body.storeV128(at("offset"), f32x4.mul(negative, bias));
        body.storeV128(at("slope"), f32x4.mul(f32x4.mul(negative, f32x4.mul(r, r)), products));
      },
    ),
    normApply: applyKernel(module, false),
    normApplyGradient: applyKernel(module, true),
  };
}
