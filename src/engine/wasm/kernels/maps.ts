/** Kernels that pass over maps row by row: any function of two values, borders, and conversions from and to plain NCHW. */
import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import { i32, type Local, load, sum, type V128 } from "../../../assembler/instructions.ts";
import { addKernel } from "./kernel.ts";

/** Operands of a row kernel, in order: what is read, and what is written. */
const operandFields = [
  ...(["x", "xImage", "xRow"] as const),
  ...(["z", "zImage", "zRow"] as const),
  ...(["y", "yImage", "yRow"] as const),
] as const;

const rowFields = ["rows", "rowBytes", "constant", ...operandFields] as const;

/** y ← f(x, z, constant), vector by vector, in all rows of all images. The target may be an operand. */
export function rowKernel(module: ModuleBuilder, f: (x: V128, z: V128, constant: V128, body: Body) => V128) {
  return addKernel(module, rowFields, ({ body, arg, constant: number, images, items }) => {
    const constant = body.local("v128", number("constant"));
    items(body.i32(i32.mul(images, arg.rows)), (item) => {
      const image = body.i32(i32.div(item, arg.rows));
      const row = body.i32(i32.rem(item, arg.rows));
      const start = (base: Local<"i32">, ofImage: Local<"i32">, ofRow: Local<"i32">) =>
        body.i32(sum(base, i32.mul(image, ofImage), i32.mul(row, ofRow)));
      const x = start(arg.x, arg.xImage, arg.xRow);
      const z = start(arg.z, arg.zImage, arg.zRow);
      const y = start(arg.y, arg.yImage, arg.yRow);
      const end = body.i32(i32.add(y, arg.rowBytes));
      body.for(y, end, 16, () => {
        body.storeV128(y, f(load.v128(x), load.v128(z), constant, body));
        body.increase(x, 16);
        body.increase(z, 16);
      });
    });
  });
}

/** Sets the padding around maps to 0. */
export function bordersKernel(module: ModuleBuilder) {
  const fields = ["y", "yImage", "yRow", "allRows", "top", "rows", "left", "inside", "right"] as const;
  return addKernel(module, fields, ({ body, arg, images, items }) => {
    items(images, (image) => {
      const row = body.i32(0);
      const address = body.i32(i32.add(arg.y, i32.mul(image, arg.yImage)));
      const afterInside = body.i32(i32.add(arg.left, arg.inside));
      body.for(row, arg.allRows, 1, () => {
        body.if(
          i32.below(i32.sub(row, arg.top), arg.rows),
          () => {
            body.clear(address, arg.left);
            body.clear(i32.add(address, afterInside), arg.right);
          },
          () => body.clear(address, arg.yRow),
        );
        body.increase(address, arg.yRow);
      });
    });
  });
}

/** Sets the last lanes of each pixel, from byte `first` on, to 0. */
export function lanesKernel(module: ModuleBuilder) {
  const fields = ["y", "yImage", "yRow", "yPixel", "rows", "columns", "first"] as const;
  return addKernel(module, fields, ({ body, arg, images, items }) => {
    items(body.i32(i32.mul(images, arg.rows)), (item) => {
      const image = i32.mul(i32.div(item, arg.rows), arg.yImage);
      const pixel = body.i32(sum(arg.y, image, i32.mul(i32.rem(item, arg.rows), arg.yRow), arg.first));
      const end = body.i32(i32.add(pixel, i32.mul(arg.columns, arg.yPixel)));
      body.for(pixel, end, arg.yPixel, () => body.clear(pixel, i32.sub(arg.yPixel, arg.first)));
    });
  });
}

const plainFields = [
  ...(["plain", "y", "yImage", "yRow", "yPixel"] as const),
  ...(["channels", "rows", "columns"] as const),
] as const;

/** Conversions between plain [N, C, H, W] and maps with channels last; padded channels become 0. */
export function plainKernels(module: ModuleBuilder) {
  const kernel = (move: (body: Body, plain: Local<"i32">, y: Local<"i32">) => void, isInward: boolean) =>
    addKernel(module, plainFields, ({ body, arg, images, items }) => {
      const channelBytes = body.i32(i32.shiftLeft(i32.mul(arg.rows, arg.columns), 2));
      items(body.i32(i32.mul(images, arg.rows)), (item) => {
        const image = body.i32(i32.div(item, arg.rows));
        const row = body.i32(i32.rem(item, arg.rows));
        const pixel = body.i32(sum(arg.y, i32.mul(image, arg.yImage), i32.mul(row, arg.yRow)));
        const from = body.i32(
          sum(
            arg.plain,
            i32.mul(image, i32.mul(channelBytes, arg.channels)),
            i32.shiftLeft(i32.mul(row, arg.columns), 2),
          ),
        );
        const pixelsEnd = body.i32(i32.add(pixel, i32.mul(arg.columns, arg.yPixel)));
        body.for(pixel, pixelsEnd, arg.yPixel, () => {
          const plain = body.i32(from);
          const y = body.i32(pixel);
          const end = body.i32(i32.add(pixel, i32.shiftLeft(arg.channels, 2)));
          body.for(y, end, 4, () => {
            move(body, plain, y);
            body.increase(plain, channelBytes);
          });
          if (isInward) body.clear(y, sum(pixel, arg.yPixel, i32.sub(0, y)));
          body.increase(from, 4);
        });
      });
    });
  return {
    fromPlain: kernel((body, plain, y) => body.storeF32(y, load.f32(plain)), true),
    toPlain: kernel((body, plain, y) => body.storeF32(plain, load.f32(y)), false),
  };
}
