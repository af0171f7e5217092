/** Loads of a product's factors: four values at once where rows are whole vectors, otherwise one by one. */
import type { Factor } from "./product.ts";

/** Four values from `k` on by a function of one, for layouts without whole vectors. */
export const four = (one: string): string =>
  `vec4f(${[0, 1, 2, 3].map((j) => one.replaceAll("$", `${j}u`)).join(", ")})`;

/** The four values of an operand from index `i` on. */
export const vectorAt = (operand: string): string => `${operand}[i / 4]`;

/** A matrix whose elements are values of an operand, with four along the depth in a row where `isVector`. */
interface Gathered {
  readonly operand: string;
  readonly isVector: boolean;
  /** True where the element at depth `k` is outside of the matrix. */
  readonly outside: string;
  /** Statements that declare the element's index `i`, or return `zero`. */
  index(zero: string): string;
}

/** Function `${side}Load(f, k)`: four values along the depth, at once or one by one. */
export function loadAlongDepth(side: "a" | "b", { operand, isVector, outside, index }: Gathered): string {
  const [name, type, zero, value] = isVector
    ? [`${side}Load`, "vec4f", "vec4f()", vectorAt(operand)]
    : [`${side}One`, "f32", "0.0", `${operand}[i]`];
  const one = `fn ${name}(f: vec4i, k: u32) -> ${type} {
  if (${outside}) { return ${zero}; }
  ${index(zero)}
  return ${value};
}`;
  if (isVector) return one;
  return `${one}
fn ${side}Load(f: vec4i, k: u32) -> vec4f { return ${four(`${side}One(f, k + $)`)}; }`;
}

/** Rows of a matrix [group][depth][columns], or [depth][group][columns], in columns of a group. */
export function rowsOf(operand: string, depth: string, columns: number, start: string, rowLength: number): Factor {
  const one = `fn bOne(f: vec4i, k: u32, j: u32) -> f32 {
  if (u32(f.y) + j >= ${columns}) { return 0.0; }
  return ${operand}[u32(f.x) + k * ${rowLength} + j];
}`;
  const isVector = columns % 4 === 0;
  const value = isVector
    ? `let i = u32(f.x) + k * ${rowLength}; return ${vectorAt(operand)};`
    : `return ${four("bOne(f, k, $)")};`;
  return {
    along: "across",
    text: `fn bFixed(n: u32, group: u32) -> vec4i { return vec4i(i32(${start} + n), i32(n), 0, 0); }
${isVector ? "" : one}
fn bLoad(f: vec4i, k: u32) -> vec4f {
  if (k >= ${depth} || u32(f.y) >= ${columns}) { return vec4f(); }
  ${value}
}`,
  };
}
