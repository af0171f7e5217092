/** Products: convolutions without unfolding, linear layers, and the input gradients of both. */
import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import { type Callable, i32, type Local, load, sum, v128 } from "../../../assembler/instructions.ts";
import { addKernel, type KernelScope } from "./kernel.ts";
import { at, forTiles, PANEL_ROW, range, type Tiles, tileFlags } from "./tile.ts";

const commonFields = [
  // Input: base, and bytes from one image, row and pixel of the output to the next.
  ...(["a", "aImage", "aRow", "aPixel"] as const),
  // Output, likewise.
  ...(["c", "cImage", "cRow", "cPixel"] as const),
  // Output pixels of an image.
  ...(["rows", "columns"] as const),
  // Pixels and panels of an item.
  ...(["pixelsOfItem", "panelsOfItem"] as const),
  ...(["panels", "panelsOfGroup", "aGroup"] as const),
  // Weights, and bytes of a panel.
  ...(["b", "bPanel"] as const),
  // Parts of the sum, see `PART_BYTES`.
  ...(["parts", "partsEnd"] as const),
  // Bias, bytes from one panel's to the next, and `tileFlags.relu` or 0.
  ...(["bias", "biasPanel", "relu"] as const),
] as const;

const transposedFields = [...commonFields, "taps", "tapsEnd", "outPanels"] as const;

type CommonField = (typeof commonFields)[number];
type Scope = KernelScope<CommonField>;

/** A part of the sum is short enough for its weights to stay in the first cache: first segment, end of segments, bytes into the panel. */
export const PART_BYTES = 12;

/**
 * c[pixel, 8p … 8p + 7] ← bias + Σ a[pixel, k] · b[p, k], relu if asked for, for all pixels of the images and all panels p. The values of a are those
 * of the segments, from the pixel's address on: the rows of a window, where channels are last.
 */
export function productKernel(module: ModuleBuilder, tiles: Tiles) {
  return addKernel(module, commonFields, (scope) => {
    const { body, arg } = scope;
    forEachItem(scope, (pixels, count, panel) => {
      const b = body.i32(at(arg.b, panel, arg.bPanel));
      multiply(scope, tiles, pixels, count, panel, b);
    });
  });
}

/**
 * The same with the transposed weights: the gradient of the input. Weights [panels of outputs][taps, inputs][8 outputs] become panels [taps, outputs][8 inputs] in
 * scratch memory, one at a time. `taps` are the addresses of the taps in a panel, `outPanels` the panels of a group.
 */
export function transposedProductKernel(module: ModuleBuilder, tiles: Tiles) {
  const transpose = transposeFunction(module);
  return addKernel(module, transposedFields, (scope) => {
    const { body, arg, scratch } = scope;
    forEachItem(scope, (pixels, count, panel) => {
      const target = body.i32(at(scratch, arg.pixelsOfItem, 8));
      const group = body.i32(i32.div(panel, arg.panelsOfGroup));
      const inGroup = body.i32(i32.rem(panel, arg.panelsOfGroup));
      const source = body.i32(
        sum(arg.b, i32.mul(i32.mul(group, arg.outPanels), arg.bPanel), i32.mul(inGroup, 8 * PANEL_ROW)),
      );
      const tap = body.i32(arg.taps);
      const to = body.i32(target);
      body.for(tap, arg.tapsEnd, 4, () => {
        const from = body.i32(i32.add(source, load.i32(tap)));
        const outPanel = body.i32(0);
        body.for(outPanel, arg.outPanels, 1, () => {
          body.call(transpose, from, to);
          body.increase(from, arg.bPanel);
          body.increase(to, 8 * PANEL_ROW);
        });
      });
      multiply(scope, tiles, pixels, count, panel, target);
    });
  });
}

/** Fills the table of pixels for each item, and runs `use` for each of its panels. */
function forEachItem(
  scope: Scope,
  use: (pixels: Local<"i32">, count: Local<"i32">, panel: Local<"i32">) => void,
): void {
  const { body, arg, scratch, images, items } = scope;
  const pixelsOfImage = body.i32(i32.mul(arg.rows, arg.columns));
  const allPixels = body.i32(i32.mul(images, pixelsOfImage));
  const groups = body.i32(i32.div(sum(arg.panels, arg.panelsOfItem, -1), arg.panelsOfItem));
  const blocks = body.i32(i32.div(sum(allPixels, arg.pixelsOfItem, -1), arg.pixelsOfItem));
  items(body.i32(i32.mul(groups, blocks)), (item) => {
    const firstPixel = body.i32(i32.mul(i32.div(item, groups), arg.pixelsOfItem));
    const count = body.i32(i32.sub(allPixels, firstPixel));
    body.if(i32.lt(arg.pixelsOfItem, count), () => body.set(count, arg.pixelsOfItem));
    listPixels(scope, firstPixel, count, pixelsOfImage);
    const panel = body.i32(i32.mul(i32.rem(item, groups), arg.panelsOfItem));
    const panelsEnd = body.i32(i32.add(panel, arg.panelsOfItem));
    body.if(i32.lt(arg.panels, panelsEnd), () => body.set(panelsEnd, arg.panels));
    body.for(panel, panelsEnd, 1, () => use(scratch, count, panel));
  });
}

/** Addresses of each pixel in a and in c. */
function listPixels(
  { body, arg, scratch }: Scope,
  first: Local<"i32">,
  count: Local<"i32">,
  pixelsOfImage: Local<"i32">,
): void {
  const image = body.i32(i32.div(first, pixelsOfImage));
  const inImage = body.i32(i32.rem(first, pixelsOfImage));
  const row = body.i32(i32.div(inImage, arg.columns));
  const column = body.i32(i32.rem(inImage, arg.columns));
  const entry = body.i32(scratch);
  body.for(entry, body.i32(at(scratch, count, 8)), 8, () => {
    const address = (base: Local<"i32">, ofImage: Local<"i32">, ofRow: Local<"i32">, ofPixel: Local<"i32">) =>
      sum(base, i32.mul(image, ofImage), i32.mul(row, ofRow), i32.mul(column, ofPixel));
    body.storeI32(entry, address(arg.a, arg.aImage, arg.aRow, arg.aPixel));
    body.storeI32(entry, address(arg.c, arg.cImage, arg.cRow, arg.cPixel), 4);
    body.increase(column, 1);
    body.if(i32.eq(column, arg.columns), () => {
      body.set(column, 0);
      body.increase(row, 1);
      body.if(i32.eq(row, arg.rows), () => {
        body.set(row, 0);
        body.increase(image, 1);
      });
    });
  });
}

/** All tiles of some pixels and one panel, part by part of the sum. */
function multiply(
  { body, arg }: Scope,
  tiles: Tiles,
  pixels: Local<"i32">,
  count: Local<"i32">,
  panel: Local<"i32">,
  b: Local<"i32">,
): void {
  const group = body.i32(i32.mul(i32.div(panel, arg.panelsOfGroup), arg.aGroup));
  const output = body.i32(i32.mul(panel, PANEL_ROW));
  const bias = body.i32(at(arg.bias, panel, arg.biasPanel));
  const part = body.i32(arg.parts);
  const lastPart = body.i32(i32.sub(arg.partsEnd, PART_BYTES));
  shiftOutputs(body, pixels, count, output);
  body.for(part, arg.partsEnd, PART_BYTES, () => {
    const flags = body.i32(i32.mul(i32.ne(part, arg.parts), tileFlags.addToOutput));
    body.if(i32.eq(part, lastPart), () => body.set(flags, i32.or(flags, arg.relu)));
    const weights = body.i32(i32.add(b, load.i32(part, 8)));
    forTiles(body, tiles, count, (tile, row) => {
      body.call(tile, at(pixels, row, 8), group, weights, load.i32(part), load.i32(part, 4), bias, flags);
    });
  });
  shiftOutputs(body, pixels, count, i32.sub(0, output));
}

/** Moves the addresses in c by some bytes. */
function shiftOutputs(body: Body, pixels: Local<"i32">, count: Local<"i32">, by: ReturnType<typeof sum>): void {
  const entry = body.i32(pixels);
  const distance = body.i32(by);
  body.for(entry, body.i32(at(pixels, count, 8)), 8, () => {
    body.storeI32(entry, i32.add(load.i32(entry, 4), distance), 4);
  });
}

/** Transposes 8×8 contiguous values from one address to another. */
function transposeFunction(module: ModuleBuilder): Callable<undefined> {
  return module.function(["i32", "i32"], undefined, (body, from, to) => {
    for (const rowHalf of [0, 1]) {
      for (const columnHalf of [0, 1]) {
        const rows = range(4).map((r) =>
          body.local("v128", load.v128(from, PANEL_ROW * (4 * rowHalf + r) + 16 * columnHalf)),
        );
        transpose4(body, rows).forEach((column, c) => {
          body.storeV128(to, column, PANEL_ROW * (4 * columnHalf + c) + 16 * rowHalf);
        });
      }
    }
  });
}

function transpose4(body: Body, rows: readonly Local<"v128">[]): readonly Local<"v128">[] {
  const [a, b, c, d] = rows as [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">];
  const keep = (x: Local<"v128">, y: Local<"v128">, lanes: readonly number[]) =>
    body.local("v128", v128.shuffle(x, y, lanes));
  const [low1, high1] = [keep(a, b, [0, 4, 1, 5]), keep(a, b, [2, 6, 3, 7])];
  const [low2, high2] = [keep(c, d, [0, 4, 1, 5]), keep(c, d, [2, 6, 3, 7])];
  return [
    keep(low1, low2, [0, 1, 4, 5]),
    keep(low1, low2, [2, 3, 6, 7]),
    keep(high1, high2, [0, 1, 4, 5]),
    keep(high1, high2, [2, 3, 6, 7]),
  ];
}
