/** Kernels of whole tensors: updates, sums of squares, search for numbers that are not finite. Extents are those of the buffers, so that tensors share code. */
import type { Assignment, BinaryOperation, Scalar, Tensor, UnaryOperation } from "../../engine.ts";
import { declare, elementwise, mainParameters, reduction, THREADS, workgroupNumber } from "./wgsl.ts";

/** A compiled update: its code, and the tensors and scalars that it reads in the order of its bindings. */
export interface UpdateCode {
  readonly code: string;
  readonly tensors: readonly Tensor[];
  readonly scalars: readonly Scalar[];
}

const isTensor = (operand: Tensor | Scalar): operand is Tensor => "shape" in operand;

const binary = { add: "+", subtract: "-", multiply: "*" } as const satisfies Readonly<
  Record<BinaryOperation[0], string>
>;
const unary = {
  square: "x * x",
  squareRoot: "sqrt(x)",
  reciprocal: "1.0 / x",
} as const satisfies Readonly<Record<UnaryOperation[0], string>>;

/** Tensors of an assignment: target, source, operands. */
export function tensorsOf({ target, from, operations }: Assignment): readonly Tensor[] {
  return [target, from, ...operations.flatMap(([, operand]) => (operand && isTensor(operand) ? [operand] : []))];
}

/** Assignments as one kernel: each element is loaded once, and stored once. */
export function updateCode(assignments: readonly Assignment[]): UpdateCode {
  const tensors = [...new Set(assignments.flatMap(tensorsOf))];
  const targets = new Set(assignments.map(({ target }) => target));
  const scalars = [
    ...new Set(
      assignments.flatMap(({ operations }) =>
        operations.flatMap(([, operand]) => (operand && !isTensor(operand) ? [operand] : [])),
      ),
    ),
  ];
  const name = (operand: Tensor | Scalar) => {
    if (isTensor(operand)) return `v${tensors.indexOf(operand)}`;
    const at = scalars.indexOf(operand);
    return `scalars[${at >> 2}][${at % 4}]`;
  };
  const apply = (operation: BinaryOperation | UnaryOperation) =>
    operation.length === 1 ? `x = ${unary[operation[0]]};` : `x = x ${binary[operation[0]]} ${name(operation[1])};`;
  const statements = assignments.map(
    ({ target, from, operations }) => `x = ${name(from)}; ${operations.map(apply).join(" ")} ${name(target)} = x;`,
  );
  const operands = tensors.map((tensor, i) => ({
    name: `t${i}`,
    access: targets.has(tensor) ? ("write" as const) : ("read" as const),
  }));
  return {
    tensors,
    scalars,
    code: elementwise(operands, {
      uniform: `@group(0) @binding(0) var<uniform> scalars: array<vec4f, ${Math.max(1, Math.ceil(scalars.length / 4))}>;`,
      count: "arrayLength(&t0)",
      body: `${tensors.map((_, i) => `var v${i} = t${i}[i];`).join(" ")}
  _ = scalars[0];
  var x = 0.0;
  ${statements.join("\n  ")}
  ${tensors.flatMap((tensor, i) => (targets.has(tensor) ? `t${i}[i] = v${i};` : [])).join(" ")}`,
    }),
  };
}

/** Elements of a workgroup in `sumsCode`. */
export const SUMS_CHUNK = 16 * THREADS;

/** sums[workgroup] ← Σ `term` of the bits `x` of elements, over a piece of the tensor, in a fixed order. */
const sumsCode = (term: string) => `${declare([
  { name: "xs", access: "read", element: "u32" },
  { name: "sums", access: "write" },
])}
${reduction({ add: "a + b" })}
@compute @workgroup_size(${THREADS})
fn main(${mainParameters}) {
  let number = ${workgroupNumber};
  if (number >= arrayLength(&sums)) { return; }
  _ = step.images;
  var sum = 0.0;
  for (var j = 0u; j < ${SUMS_CHUNK / THREADS}; j++) {
    let i = number * ${SUMS_CHUNK} + j * ${THREADS} + thread;
    if (i < arrayLength(&xs)) { let x = xs[i]; sum += ${term}; }
  }
  sum = add(thread, sum);
  if (thread == 0) { sums[number] = sum; }
}
`;

export const squaresCode = sumsCode("bitcast<f32>(x) * bitcast<f32>(x)");

/** Counts elements that are NaN or infinite, by bits: compilers may take for granted that there is no NaN. */
export const nonFiniteCode = sumsCode("f32((x & 0x7f800000u) == 0x7f800000u)");
