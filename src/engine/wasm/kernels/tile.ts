/** The innermost loops: tiles of up to 4 rows and 8 columns, kept in registers while products are summed. */
import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import {
  type Callable,
  f32x4,
  type I32,
  i32,
  type Local,
  load,
  sum,
  type V128,
  vector,
} from "../../../assembler/instructions.ts";

/** Rows of a whole tile: with 8 columns, 8 registers of sums and 3 of factors. Larger tiles spill. */
export const TILE_ROWS = 4;

/** a · b + c on four f32. */
export type MultiplyAdd = (a: V128, b: V128, c: V128) => V128;

/** Bytes of a panel's row: 8 columns. */
export const PANEL_ROW = 32;

/** Flags of a product tile. */
export const tileFlags = { addToOutput: 1, relu: 2 } as const;

/** Product tiles by their number of rows, from 1. */
export type Tiles = readonly Callable<undefined>[];

/**
 * Product tiles: c[r][0…7] ← start + Σ a[r][k] · b[k][0…7], with the sum over segments of a, which lie at the same distances for all rows; b is
 * contiguous. Start is the bias, or c itself with `addToOutput`; `relu` ends it.
 *
 * Parameters: `pixels` (pairs of the addresses of a's row and c's row), distance of a's group, b, first segment, end of segments, bias, flags.
 * A segment is a pair of a distance and a number of values.
 */
export function productTiles(module: ModuleBuilder, multiplyAdd: MultiplyAdd): Tiles {
  return [1, 2, 3, 4].map((rows) =>
    module.function(
      ["i32", "i32", "i32", "i32", "i32", "i32", "i32"],
      undefined,
      (body, pixels, group, panel, firstSegment, segmentsEnd, bias, flags) => {
        // A row or two alone would wait for each sum: two of each, for even and odd k. More at a time makes V8 spill registers.
        const parts = rows <= 2 ? 2 : 1;
        const outputs = range(rows).map((r) => body.i32(load.i32(pixels, 8 * r + 4)));
        const sums = newSums(body, rows * parts);
        const first = sums.slice(0, 2 * rows);
        loadSums(
          body,
          first,
          flags,
          (i) => load.v128(outputs[i >> 1] as I32, 16 * (i & 1)),
          (half) => load.v128(bias, 16 * half),
        );
        const inputs = range(rows).map(() => body.local("i32"));
        const end = body.local("i32");
        const segment = body.i32(firstSegment);
        const b = body.i32(panel);
        body.for(segment, segmentsEnd, 8, () => {
          const distance = body.i32(i32.add(load.i32(segment), group));
          for (const [r, input] of inputs.entries()) body.set(input, i32.add(load.i32(pixels, 8 * r), distance));
          const [input = end] = inputs;
          body.set(end, i32.add(input, i32.shiftLeft(load.i32(segment, 4), 2)));
          const step = (u: number) =>
            addProducts(
              body,
              multiplyAdd,
              sums.slice(2 * rows * u, 2 * rows * (u + 1)),
              (r) => load.splat(inputs[r] as I32, 4 * u),
              b,
              PANEL_ROW * u,
            );
          const advance = (steps: number) => {
            for (const one of inputs) body.increase(one, 4 * steps);
            body.increase(b, PANEL_ROW * steps);
          };
          const wholeEnd = parts === 1 ? end : body.i32(i32.sub(end, i32.and(i32.sub(end, input), 7)));
          body.while(
            () => i32.below(input, wholeEnd),
            () => {
              for (const u of range(parts)) step(u);
              advance(parts);
            },
          );
          if (parts === 1) return;
          body.if(i32.below(input, end), () => {
            step(0);
            advance(1);
          });
        });
        for (const [i, one] of sums.entries()) {
          const target = first[i % first.length];
          if (target && target !== one) body.set(target, f32x4.add(target, one));
        }
        body.if(i32.and(flags, tileFlags.relu), () => {
          for (const one of first) body.set(one, f32x4.max(one, vector(0)));
        });
        for (const [i, one] of first.entries()) body.storeV128(outputs[i >> 1] as I32, one, 16 * (i & 1));
      },
    ),
  );
}

/**
 * Gradient tiles: c[j][0…7] ← start + Σ a[p][j] · b[p][0…7] over the pixels p of several rows; b and c are contiguous, a's pixels lie `step` bytes apart.
 * Start is 0, or c itself with `addToOutput`.
 *
 * Parameters: first row (addresses of a's rows), end of rows, distance in a, pixels of a row, step, b, c, flags.
 */
export function gradientTiles(module: ModuleBuilder, multiplyAdd: MultiplyAdd): Tiles {
  return [1, 2, 3, 4].map((rows) =>
    module.function(
      ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"],
      undefined,
      (body, firstRow, rowsEnd, distance, pixels, step, panel, output, flags) => {
        const sums = newSums(body, rows);
        loadSums(
          body,
          sums,
          flags,
          (i) => load.v128(output, 16 * i),
          () => vector(0),
        );
        const b = body.i32(panel);
        const end = body.local("i32");
        const a = body.local("i32");
        const row = body.i32(firstRow);
        body.for(row, rowsEnd, 4, () => {
          body.set(a, i32.add(load.i32(row), distance));
          body.set(end, i32.add(b, i32.mul(pixels, PANEL_ROW)));
          body.while(
            () => i32.below(b, end),
            () => {
              addProducts(body, multiplyAdd, sums, (r) => load.splat(a, 4 * r), b, 0);
              body.increase(a, step);
              body.increase(b, PANEL_ROW);
            },
          );
        });
        for (const [i, one] of sums.entries()) body.storeV128(output, one, 16 * i);
      },
    ),
  );
}

/** Runs the tiles that cover `count` rows: whole ones, then one of the rest. */
export function forTiles(
  body: Body,
  tiles: Tiles,
  count: I32,
  run: (tile: Callable<undefined>, row: Local<"i32">) => void,
): void {
  const row = body.i32(0);
  const whole = body.i32(i32.and(count, -TILE_ROWS));
  body.for(row, whole, TILE_ROWS, () => run(tiles[TILE_ROWS - 1] as Callable<undefined>, row));
  const rest = body.i32(i32.and(count, TILE_ROWS - 1));
  for (const rows of [1, 2, 3]) {
    body.if(i32.eq(rest, rows), () => run(tiles[rows - 1] as Callable<undefined>, row));
  }
}

/** Two vectors for each row. */
type Sums = readonly Local<"v128">[];

/** All zero at first. */
function newSums(body: Body, rows: number): Sums {
  return range(2 * rows).map(() => body.local("v128"));
}

/** Starts sums: vector i from `output` with `addToOutput`, otherwise from `start` of its half of a row. */
function loadSums(
  body: Body,
  sums: Sums,
  flags: Local<"i32">,
  output: (i: number) => V128,
  start: (half: number) => V128,
): void {
  body.if(
    i32.and(flags, tileFlags.addToOutput),
    () => {
      for (const [i, one] of sums.entries()) body.set(one, output(i));
    },
    () => {
      for (const [i, one] of sums.entries()) body.set(one, start(i & 1));
    },
  );
}

/** sums[r] += a[r] · b, with b the 8 values at panel + offset. */
function addProducts(
  body: Body,
  multiplyAdd: MultiplyAdd,
  sums: Sums,
  a: (row: number) => V128,
  panel: Local<"i32">,
  offset: number,
): void {
  const [low, high] = [0, 16].map((half) => body.local("v128", load.v128(panel, offset + half)));
  for (let r = 0; 2 * r < sums.length; r++) {
    const factor = body.local("v128", a(r));
    const [first, second] = sums.slice(2 * r) as [Local<"v128">, Local<"v128">];
    body.set(first, multiplyAdd(factor, low as V128, first));
    body.set(second, multiplyAdd(factor, high as V128, second));
  }
}

export const range = (length: number): readonly number[] => Array.from({ length }, (_, i) => i);

/** Address of element `index` of an array, `bytes` bytes each. */
export const at = (start: I32, index: I32, bytes: I32): ReturnType<typeof sum> => sum(start, i32.mul(index, bytes));
