/** Element-wise assignments as loops. */
import { ShapeError } from "../../errors.ts";
import type { Assignment, BinaryOperation, Scalar, Tensor, UnaryOperation, Update } from "../engine.ts";
import type { Tensors } from "./tensors.ts";

const binary: { readonly [O in BinaryOperation[0]]: (x: number, operand: number) => number } = {
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
};
const unary: { readonly [O in UnaryOperation[0]]: (x: number) => number } = {
  square: (x) => x * x,
  squareRoot: Math.sqrt,
  reciprocal: (x) => 1 / x,
};

/** Compiles assignments to loops, run in order, in f64. Throws ShapeError if tensor shapes differ. */
export function compileUpdate(assignments: readonly Assignment[], tensors: Tensors): Update {
  const steps = assignments.map((assignment) => compile(assignment, tensors));
  return {
    run() {
      for (const step of steps) step();
    },
  };
}

function compile({ target, from, operations }: Assignment, tensors: Tensors): () => void {
  const like = (tensor: Tensor) => {
    if (tensor.shape.join() === target.shape.join()) return;
    throw new ShapeError(`update: expected a tensor [${target.shape.join(", ")}], got [${tensor.shape.join(", ")}]`);
  };
  like(from);
  const steps = operations.map((operation) => {
    if (operation.length === 1) {
      const apply = unary[operation[0]];
      return (x: number, _i: number) => apply(x);
    }
    const [name, operand] = operation;
    const apply = binary[name];
    if (isTensor(operand)) like(operand);
    const at = isTensor(operand) ? (i: number) => tensors.values(operand)[i] as number : () => operand.value;
    return (x: number, i: number) => apply(x, at(i));
  });
  return () => {
    const [result, source] = [tensors.values(target), tensors.values(from)];
    for (let i = 0; i < result.length; i++) {
      result[i] = steps.reduce((x, step) => step(x, i), source[i] as number);
    }
  };
}

const isTensor = (operand: Tensor | Scalar): operand is Tensor => "shape" in operand;
