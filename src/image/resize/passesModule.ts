/** The two passes of resizing as a WebAssembly module with SIMD. */
import { ModuleBuilder } from "../../assembler/assembler.ts";
import { type I32, i32, i32x4, intVector, load, narrow, sum, type V128, widen } from "../../assembler/instructions.ts";
import { precisionBits } from "./taps.ts";

/** Bytes that the kernels read and write beyond their last pixel at most. */
export const OVERHANG = 16;

/** Functions of the module. Starts, weights, rows and pixels are addresses of the memory; extents are in pixels, or in bytes where their names say so. */
export interface PassKernels {
  /** Rows of colour, `rowBytes` apart, to rows of `columns` pixels of the strip. */
  across(
    source: number,
    rowBytes: number,
    rows: number,
    starts: number,
    weights: number,
    count: number,
    columns: number,
    strip: number,
  ): void;
  /** Rows of the strip, of `rowBytes` each and numbered from `before` on, to `rows` rows of the target. */
  down(
    strip: number,
    rowBytes: number,
    before: number,
    starts: number,
    weights: number,
    count: number,
    rows: number,
    target: number,
  ): void;
}

/** Added before the shift to round to nearest. */
const half = intVector(1 << (precisionBits - 1));
/** Sums as levels: signed integers, limited to 0 … 255 by `narrow`. */
const levels = (sums: V128): V128 => i32x4.shiftRight(sums, precisionBits);
/** Offset of an element of four bytes. */
const word = (index: I32): I32 => i32.shiftLeft(index, 2);

/** Types of eight parameters. */
const eight = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"] as const;

function addAcross(module: ModuleBuilder): void {
  const across = module.function(
    eight,
    undefined,
    (body, source, rowBytes, rows, starts, weights, count, columns, target) => {
      const row = body.i32(0);
      const lastStart = body.i32(sum(starts, word(columns)));
      const weightBytes = body.i32(word(count));
      const sums = body.local("v128");
      body.for(row, rows, 1, () => {
        const start = body.i32(starts);
        const weight = body.i32(weights);
        body.for(start, lastStart, 4, () => {
          const pixel = body.i32(sum(source, i32.mul(load.i32(start), 3)));
          const lastWeight = body.i32(sum(weight, weightBytes));
          body.set(sums, half);
          body.for(weight, lastWeight, 4, () => {
            const values = widen.lowWords(widen.lowBytes(load.lowest(pixel)));
            body.set(sums, i32x4.add(sums, i32x4.mul(values, load.splat(weight))));
            body.increase(pixel, 3);
          });
          const words = narrow.toWords(levels(sums), levels(sums));
          // The fourth byte is the next pixel's, which is written later.
          body.storeLowest(target, narrow.toBytes(words, words));
          body.increase(target, 3);
        });
        body.increase(source, rowBytes);
      });
    },
  );
  module.export("across", across);
}

function addDown(module: ModuleBuilder): void {
  const down = module.function(
    eight,
    undefined,
    (body, strip, rowBytes, before, starts, weights, count, rows, target) => {
      const row = body.i32(0);
      const sums = [body.local("v128"), body.local("v128"), body.local("v128"), body.local("v128")] as const;
      const bytes = body.local("v128");
      const factor = body.local("v128");
      body.for(row, rows, 1, () => {
        const first = body.i32(sum(strip, i32.mul(i32.sub(load.i32(starts), before), rowBytes)));
        const lastWeight = body.i32(sum(weights, word(count)));
        const column = body.i32(0);
        body.for(column, rowBytes, 16, () => {
          for (const each of sums) body.set(each, half);
          const source = body.i32(sum(first, column));
          const weight = body.i32(weights);
          body.for(weight, lastWeight, 4, () => {
            body.set(bytes, load.v128(source));
            body.set(factor, load.splat(weight));
            const [low, high] = [widen.lowBytes(bytes), widen.highBytes(bytes)];
            const parts = [widen.lowWords(low), widen.highWords(low), widen.lowWords(high), widen.highWords(high)];
            for (const [i, each] of sums.entries()) {
              body.set(each, i32x4.add(each, i32x4.mul(parts[i] as V128, factor)));
            }
            body.increase(source, rowBytes);
          });
          const [a, b, c, d] = sums;
          const low = narrow.toWords(levels(a), levels(b));
          // Bytes beyond the row are the next one's, which is written later.
          body.storeV128(sum(target, column), narrow.toBytes(low, narrow.toWords(levels(c), levels(d))));
        });
        body.increase(starts, 4);
        body.set(weights, lastWeight);
        body.increase(target, rowBytes);
      });
    },
  );
  module.export("down", down);
}

/** `null`: this machine, or the policy of this page, does not compile the module. */
let compiled: WebAssembly.Module | null | undefined;

function compile(): WebAssembly.Module | null {
  if (typeof WebAssembly === "undefined") return null;
  const module = new ModuleBuilder({ isShared: false });
  addAcross(module);
  addDown(module);
  try {
    return new WebAssembly.Module(module.bytes());
  } catch {
    return null;
  }
}

/** A memory and the kernels on it; undefined without WebAssembly or its SIMD. */
export function createPassKernels():
  | { readonly memory: WebAssembly.Memory; readonly kernels: PassKernels }
  | undefined {
  // Not `??=`: a module that does not compile is not tried again.
  if (compiled === undefined) compiled = compile();
  if (!compiled) return undefined;
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(compiled, { host: { memory } });
  return { memory, kernels: exports as unknown as PassKernels };
}
