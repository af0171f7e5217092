/** Pooling kernels: maximum and means over windows, forward and backward. */
import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import { f32x4, i32, i32x4, type Local, load, sum, v128, vector } from "../../../assembler/instructions.ts";
import { addKernel, type KernelScope } from "./kernel.ts";
import { at } from "./tile.ts";

const windowFields = [
  // Map and pooled map: base, and bytes from one image, row and pixel to the next.
  ...(["x", "xImage", "xRow", "xPixel"] as const),
  ...(["y", "yImage", "yRow", "yPixel"] as const),
  // Pooled pixels, and for each of their rows and columns the first of the window and the end.
  ...(["rows", "columns", "rowTable", "columnTable", "laneBytes"] as const),
] as const;

const maxFields = [...windowFields, "index", "indexImage", "relu"] as const;
const meanFields = [...windowFields, "weights"] as const;
const backwardFields = ["mapRows", "mapColumns"] as const;

type Scope = KernelScope<(typeof windowFields)[number]>;
type BackwardScope = KernelScope<(typeof windowFields)[number] | (typeof backwardFields)[number]>;

/** Bytes of the channels that an item of a backward pass takes. */
const CHANNEL_BLOCK = 256;

/** A pooled pixel's window, as rows and columns, and its number in the image. */
interface Window {
  readonly image: Local<"i32">;
  readonly pixel: Local<"i32">;
  readonly y: Local<"i32">;
  readonly rows: readonly [first: Local<"i32">, end: Local<"i32">];
  readonly columns: readonly [first: Local<"i32">, end: Local<"i32">];
}

/** Calls `visit` for the address of each pixel of a window, shifted by some bytes, row by row. */
function forWindow(
  { body, arg }: Scope,
  { image, rows, columns }: Window,
  shift: Local<"i32">,
  visit: (x: Local<"i32">) => void,
): void {
  const row = body.i32(rows[0]);
  body.for(row, rows[1], 1, () => {
    const start = sum(arg.x, i32.mul(image, arg.xImage), i32.mul(row, arg.xRow), shift);
    const x = body.i32(i32.add(start, i32.mul(columns[0], arg.xPixel)));
    const column = body.i32(columns[0]);
    body.for(column, columns[1], 1, () => {
      visit(x);
      body.increase(x, arg.xPixel);
    });
  });
}

/** Runs `visit` for each pooled pixel of a row. */
function forRow({ body, arg }: Scope, image: Local<"i32">, row: Local<"i32">, visit: (window: Window) => void): void {
  const column = body.i32(0);
  const pair = (table: Local<"i32">, i: Local<"i32">) =>
    [body.i32(load.i32(at(table, i, 8))), body.i32(load.i32(at(table, i, 8), 4))] as const;
  const rows = pair(arg.rowTable, row);
  const y = body.i32(sum(arg.y, i32.mul(image, arg.yImage), i32.mul(row, arg.yRow)));
  const pixel = body.i32(i32.mul(row, arg.columns));
  body.for(column, arg.columns, 1, () => {
    visit({ image, pixel, y, rows, columns: pair(arg.columnTable, column) });
    body.increase(y, arg.yPixel);
    body.increase(pixel, 1);
  });
}

/** Forward: an item is a row of pooled pixels. */
function forward(scope: Scope, visit: (window: Window, channel: Local<"i32">) => void): void {
  const { body, arg, images, items } = scope;
  items(body.i32(i32.mul(images, arg.rows)), (item) => {
    const image = body.i32(i32.div(item, arg.rows));
    forRow(scope, image, body.i32(i32.rem(item, arg.rows)), (window) => {
      const channel = body.i32(0);
      body.for(channel, arg.laneBytes, 16, () => visit(window, channel));
    });
  });
}

/** Backward: an item is a block of channels of an image, whose gradients are cleared, then summed. */
function backward(scope: BackwardScope, visit: (window: Window, channel: Local<"i32">) => void): void {
  const { body, arg, images, items } = scope;
  const blocks = body.i32(i32.div(i32.add(arg.laneBytes, CHANNEL_BLOCK - 1), CHANNEL_BLOCK));
  items(body.i32(i32.mul(images, blocks)), (item) => {
    const image = body.i32(i32.div(item, blocks));
    const first = body.i32(i32.mul(i32.rem(item, blocks), CHANNEL_BLOCK));
    const end = body.i32(i32.add(first, CHANNEL_BLOCK));
    body.if(i32.lt(arg.laneBytes, end), () => body.set(end, arg.laneBytes));
    clearBlock(scope, image, first, end);
    const row = body.i32(0);
    body.for(row, arg.rows, 1, () => {
      forRow(scope, image, row, (window) => {
        const channel = body.i32(first);
        body.for(channel, end, 16, () => visit(window, channel));
      });
    });
  });
}

function clearBlock({ body, arg }: BackwardScope, image: Local<"i32">, first: Local<"i32">, end: Local<"i32">): void {
  const row = body.i32(0);
  body.for(row, arg.mapRows, 1, () => {
    const x = body.i32(sum(arg.x, i32.mul(image, arg.xImage), i32.mul(row, arg.xRow), first));
    const rowEnd = body.i32(at(x, arg.mapColumns, arg.xPixel));
    body.for(x, rowEnd, arg.xPixel, () => body.clear(x, i32.sub(end, first)));
  });
}

/** Adds a vector in memory. */
function accumulate(body: Body, address: Local<"i32">, term: ReturnType<typeof f32x4.add>): void {
  body.storeV128(address, f32x4.add(load.v128(address), term));
}

/**
 * Maximum: y ← the largest x of the window, the first in row order, with ReLU if `relu` is 1; its number in the window to `index`, unless that is 0. Backward: the gradient y goes
 * to x at that number.
 */
export function maxPoolKernels(module: ModuleBuilder) {
  const indexOf = (
    { arg }: KernelScope<"index" | "indexImage" | "laneBytes">,
    { image, pixel }: Window,
    channel: Local<"i32">,
  ) => sum(arg.index, i32.mul(image, arg.indexImage), i32.mul(pixel, arg.laneBytes), channel);
  return {
    maxPool: addKernel(module, maxFields, (scope) => {
      const { body, arg } = scope;
      const [best, place] = [body.local("v128"), body.local("v128")];
      const number = body.local("i32");
      forward(scope, (window, channel) => {
        body.set(number, 0);
        forWindow(scope, window, channel, (x) => {
          const value = body.local("v128", load.v128(x));
          const isLarger = body.local("v128", f32x4.gt(value, best));
          body.if(
            number,
            () => {
              body.set(best, v128.select(value, best, isLarger));
              body.set(place, v128.select(i32x4.splat(number), place, isLarger));
            },
            () => {
              body.set(best, value);
              body.set(place, vector(0));
            },
          );
          body.increase(number, 1);
        });
        body.if(arg.relu, () => body.set(best, f32x4.max(best, vector(0))));
        body.storeV128(i32.add(window.y, channel), best);
        body.if(arg.index, () => body.storeV128(indexOf(scope, window, channel), place));
      });
    }),
    maxPoolBackward: addKernel(module, [...maxFields, ...backwardFields], (scope) => {
      const { body } = scope;
      backward(scope, (window, channel) => {
        const number = body.i32(0);
        const place = body.local("v128", load.v128(indexOf(scope, window, channel)));
        const gradient = body.local("v128", load.v128(i32.add(window.y, channel)));
        forWindow(scope, window, channel, (x) => {
          accumulate(body, x, v128.and(gradient, i32x4.eq(place, i32x4.splat(number))));
          body.increase(number, 1);
        });
      });
    }),
  };
}

/** Means: y ← weight · Σ x over the window, with a weight for each pooled pixel. Backward: x += weight · y. */
export function meanPoolKernels(module: ModuleBuilder) {
  const weightOf = ({ arg }: KernelScope<"weights">, { pixel }: Window) => load.splat(at(arg.weights, pixel, 4));
  return {
    meanPool: addKernel(module, meanFields, (scope) => {
      const { body } = scope;
      const total = body.local("v128");
      forward(scope, (window, channel) => {
        body.set(total, vector(0));
        forWindow(scope, window, channel, (x) => body.set(total, f32x4.add(total, load.v128(x))));
        body.storeV128(i32.add(window.y, channel), f32x4.mul(total, weightOf(scope, window)));
      });
    }),
    meanPoolBackward: addKernel(module, [...meanFields, ...backwardFields], (scope) => {
      const { body } = scope;
      backward(scope, (window, channel) => {
        const y = load.v128(i32.add(window.y, channel));
        const gradient = body.local("v128", f32x4.mul(y, weightOf(scope, window)));
        forWindow(scope, window, channel, (x) => accumulate(body, x, gradient));
      });
    }),
  };
}
