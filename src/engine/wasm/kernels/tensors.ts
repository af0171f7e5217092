/** Kernels over whole tensors: assignments of optimizers, and sums of squares. */
import type { ModuleBuilder } from "../../../assembler/assembler.ts";
import { type Expr, f32x4, f64, f64x2, i32, load, type V128, v128, vector } from "../../../assembler/instructions.ts";
import { addKernel } from "./kernel.ts";
import { at } from "./tile.ts";

/** Bytes of a tensor that an item of an update takes: with a copy in scratch memory, in the first cache for a few tensors. */
export const PIECE_BYTES = 4096;
/** Bytes of a tensor that one sum is over. */
export const CHUNK_BYTES = 65536;

/** Instructions of an update, each followed by the address of its operand: a tensor, or a scalar. */
export const updateInstructions = {
  load: 0,
  store: 1,
  addTensor: 2,
  subtractTensor: 3,
  multiplyTensor: 4,
  addScalar: 5,
  subtractScalar: 6,
  multiplyScalar: 7,
  square: 8,
  squareRoot: 9,
  reciprocal: 10,
} as const;

const binary = [f32x4.add, f32x4.sub, f32x4.mul] as const;

/** Runs the instructions from `program` on, piece by piece of the tensors; the value in progress is in scratch memory. */
export function updateKernel(module: ModuleBuilder) {
  return addKernel(module, ["bytes", "program", "programEnd"], ({ body, arg, scratch, items }) => {
    const value = () => load.v128(x);
    const x = body.local("i32");
    const operand = body.local("i32");
    const offset = body.local("i32");
    const end = body.local("i32");
    const forPiece = (run: () => void) => {
      body.set(x, scratch);
      body.for(x, end, 16, () => {
        run();
        body.increase(operand, 16);
      });
    };
    const store = (result: V128) => body.storeV128(x, result);
    const scalar = body.local("v128");
    const i = updateInstructions;
    const cases: readonly (readonly [instruction: number, run: () => void])[] = [
      [i.load, () => store(load.v128(operand))],
      [i.store, () => body.storeV128(operand, value())],
      ...binary.map((f, n) => [i.addTensor + n, () => store(f(value(), load.v128(operand)))] as const),
      ...binary.map((f, n) => [i.addScalar + n, () => store(f(value(), scalar))] as const),
      [i.square, () => store(f32x4.mul(value(), value()))],
      [i.squareRoot, () => store(f32x4.sqrt(value()))],
      [i.reciprocal, () => store(f32x4.div(vector(1), value()))],
    ];
    items(body.i32(i32.div(i32.add(arg.bytes, PIECE_BYTES - 1), PIECE_BYTES)), (item) => {
      body.set(offset, i32.mul(item, PIECE_BYTES));
      body.set(end, i32.sub(arg.bytes, offset));
      body.if(i32.below(PIECE_BYTES, end), () => body.set(end, PIECE_BYTES));
      body.increase(end, scratch);
      const instruction = body.i32(arg.program);
      body.for(instruction, arg.programEnd, 8, () => {
        const kind = body.i32(load.i32(instruction));
        body.set(operand, load.i32(instruction, 4));
        body.set(scalar, load.splat(operand));
        body.increase(operand, offset);
        for (const [number, run] of cases) body.if(i32.eq(kind, number), () => forPiece(run));
      });
    });
  });
}

/** sums[i] ← Σ x² over chunk i, in f64: finite exactly if all values are. */
export function squaresKernel(module: ModuleBuilder) {
  return addKernel(module, ["x", "bytes", "sums"], ({ body, arg, items }) => {
    const total = body.local("v128");
    items(body.i32(i32.shiftRight(i32.add(arg.bytes, CHUNK_BYTES - 1), 16)), (item) => {
      const x = body.i32(at(arg.x, item, CHUNK_BYTES));
      const end = body.i32(i32.add(x, CHUNK_BYTES));
      const last = i32.add(arg.x, arg.bytes);
      body.if(i32.below(last, end), () => body.set(end, last));
      body.set(total, vector(0));
      body.for(x, end, 16, () => {
        const value = body.local("v128", load.v128(x));
        for (const half of [value, v128.shuffle(value, value, [2, 3, 2, 3])]) {
          const wide = body.local("v128", f64x2.promoteLow(half));
          body.set(total, f64x2.add(total, f64x2.mul(wide, wide)));
        }
      });
      const sumOf: Expr<"f64"> = f64.add(f64x2.lane(total, 0), f64x2.lane(total, 1));
      body.storeF64(at(arg.sums, item, 8), sumOf);
    });
  });
}
