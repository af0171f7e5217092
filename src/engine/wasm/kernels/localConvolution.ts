/** Locally connected layer: each output position has its own panels of kernels. */
import type { ModuleBuilder } from "../../../assembler/assembler.ts";
import { f32x4, i32, type Local, load, sum, type V128, v128, vector } from "../../../assembler/instructions.ts";
import { addKernel, type KernelScope } from "./kernel.ts";
import { PANEL_ROW } from "./tile.ts";

const fields = [
  // Map with its padding: the first value of window (0, 0), and bytes from one image, row and pixel of windows to the next, and between rows of a window.
  ...(["x", "xImage", "xRow", "xPixel", "xWindowRow"] as const),
  ...(["y", "yImage", "yRow", "yPixel"] as const),
  // Positions, and panels of eight outputs for each of them.
  ...(["rows", "columns", "panels"] as const),
  // Rows of a window and bytes of each.
  ...(["windowRows", "runBytes"] as const),
  // Kernels [rows, columns, panels, window, 8], and biases [rows, columns, panels, 8].
  ...(["weight", "bias"] as const),
] as const;

type Field = (typeof fields)[number];

/** A position with one of its panels. */
interface Item {
  readonly image: Local<"i32">;
  /** Addresses of its window and of its eight outputs in that image. */
  readonly x: Local<"i32">;
  readonly y: Local<"i32">;
}

/** Code of one position and panel: addresses of its kernels and bias, and a loop over the images. */
function visit(
  { body, arg, images }: KernelScope<Field>,
  number: Local<"i32">,
  run: (place: {
    readonly weight: Local<"i32">;
    readonly bias: Local<"i32">;
    forImages(each: (item: Item) => void): void;
    item(image: Local<"i32">): Item;
  }) => void,
): void {
  const panel = body.i32(i32.rem(number, arg.panels));
  const position = body.i32(i32.div(number, arg.panels));
  const row = body.i32(i32.div(position, arg.columns));
  const column = body.i32(i32.rem(position, arg.columns));
  const panelBytes = i32.mul(i32.mul(arg.windowRows, arg.runBytes), PANEL_ROW / 4);
  const weight = body.i32(i32.add(arg.weight, i32.mul(number, panelBytes)));
  const bias = body.i32(i32.add(arg.bias, i32.mul(number, PANEL_ROW)));
  const item = (image: Local<"i32">): Item => ({
    image,
    x: body.i32(sum(arg.x, i32.mul(image, arg.xImage), i32.mul(row, arg.xRow), i32.mul(column, arg.xPixel))),
    y: body.i32(
      sum(
        sum(arg.y, i32.mul(image, arg.yImage), i32.mul(row, arg.yRow)),
        i32.mul(column, arg.yPixel),
        i32.mul(panel, PANEL_ROW),
      ),
    ),
  });
  run({
    weight,
    bias,
    item,
    forImages(each) {
      const image = body.i32(0);
      body.for(image, images, 1, () => each(item(image)));
    },
  });
}

/** Runs `each` for four values of a window at a time, in the order of the kernels: `x` is their address, `w` that of their rows of eight weights. */
function forWindow(
  { body, arg }: KernelScope<Field>,
  start: Local<"i32">,
  weight: Local<"i32">,
  each: (x: Local<"i32">, w: Local<"i32">) => void,
): void {
  const w = body.i32(weight);
  const run = body.i32(start);
  const row = body.i32(0);
  body.for(row, arg.windowRows, 1, () => {
    const x = body.i32(run);
    body.for(x, body.i32(i32.add(run, arg.runBytes)), 16, () => {
      each(x, w);
      body.increase(w, 4 * PANEL_ROW);
    });
    body.increase(run, arg.xWindowRow);
  });
}

const halves = [0, 1] as const;
const quarter = [0, 1, 2, 3] as const;

/** y ← bias + Σ x · weight. An item is a position with a panel. */
function forward(module: ModuleBuilder) {
  return addKernel(module, fields, (scope) => {
    const { body, arg, items } = scope;
    items(body.i32(i32.mul(i32.mul(arg.rows, arg.columns), arg.panels)), (number) => {
      visit(scope, number, ({ weight, bias, forImages }) => {
        forImages(({ x, y }) => {
          // A sum for each of four values: one alone would wait for each addition.
          const sums = quarter.map(() => halves.map(() => body.local("v128", vector(0))));
          forWindow(scope, x, weight, (address, w) => {
            for (const k of quarter) {
              const value = body.local("v128", load.splat(address, 4 * k));
              for (const half of halves) {
                const own = sums[k]?.[half] as Local<"v128">;
                body.set(own, f32x4.add(own, f32x4.mul(value, load.v128(w, PANEL_ROW * k + 16 * half))));
              }
            }
          });
          for (const half of halves) {
            const [a, b, c, d] = quarter.map((k) => sums[k]?.[half] as V128) as [V128, V128, V128, V128];
            const total = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
            body.storeV128(y, f32x4.add(load.v128(bias, 16 * half), total), 16 * half);
          }
        });
      });
    });
  });
}

/** Gradients of kernels and biases, at the addresses of these: Σ x · dy over the images. An item is a position with a panel. */
function weightGradient(module: ModuleBuilder) {
  return addKernel(module, fields, (scope) => {
    const { body, arg, items } = scope;
    items(body.i32(i32.mul(i32.mul(arg.rows, arg.columns), arg.panels)), (number) => {
      visit(scope, number, ({ weight, bias, forImages }) => {
        body.clear(weight, i32.mul(i32.mul(arg.windowRows, arg.runBytes), PANEL_ROW / 4));
        body.clear(bias, PANEL_ROW);
        forImages(({ x, y }) => {
          const errors = halves.map((half) => body.local("v128", load.v128(y, 16 * half)));
          for (const half of halves) {
            body.storeV128(bias, f32x4.add(load.v128(bias, 16 * half), errors[half] as V128), 16 * half);
          }
          forWindow(scope, x, weight, (address, w) => {
            for (const k of quarter) {
              const value = body.local("v128", load.splat(address, 4 * k));
              for (const half of halves) {
                const at = PANEL_ROW * k + 16 * half;
                body.storeV128(w, f32x4.add(load.v128(w, at), f32x4.mul(value, errors[half] as V128)), at);
              }
            }
          });
        });
      });
    });
  });
}

/** x ← x + Σ weight · dy over the outputs. An item is an image, whose windows overlap; the map is 0 before. */
function inputGradient(module: ModuleBuilder) {
  return addKernel(module, [...fields, "map", "mapImage"], (scope) => {
    const { body, arg, images, items } = scope;
    items(images, (image) => {
      body.clear(i32.add(arg.map, i32.mul(image, arg.mapImage)), arg.mapImage);
      const number = body.i32(0);
      body.for(number, body.i32(i32.mul(i32.mul(arg.rows, arg.columns), arg.panels)), 1, () => {
        visit(scope as unknown as KernelScope<Field>, number, ({ weight, item }) => {
          const { x, y } = item(image);
          const errors = halves.map((half) => body.local("v128", load.v128(y, 16 * half)));
          forWindow(scope as unknown as KernelScope<Field>, x, weight, (address, w) => {
            const product = (k: number) => {
              const term = (half: 0 | 1) =>
                f32x4.mul(load.v128(w, PANEL_ROW * k + 16 * half), errors[half] as Local<"v128">);
              return body.local("v128", f32x4.add(term(0), term(1)));
            };
            const pairs = (a: V128, b: V128) =>
              body.local("v128", f32x4.add(v128.shuffle(a, b, [0, 1, 4, 5]), v128.shuffle(a, b, [2, 3, 6, 7])));
            const [low, high] = [pairs(product(0), product(1)), pairs(product(2), product(3))];
            const sums = f32x4.add(v128.shuffle(low, high, [0, 2, 4, 6]), v128.shuffle(low, high, [1, 3, 5, 7]));
            body.storeV128(address, f32x4.add(load.v128(address), sums));
          });
        });
      });
    });
  });
}

/** Kernels of locally connected layers; channels are in whole vectors. */
export function localConvolutionKernels(module: ModuleBuilder) {
  return {
    localConvolution: forward(module),
    localWeightGradient: weightGradient(module),
    localInputGradient: inputGradient(module),
  };
}
