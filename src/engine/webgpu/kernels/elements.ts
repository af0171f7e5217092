/** Kernels of single elements: activations, dropout, other orders of axes, the gradient of the loss. */
import { dropoutBits, randomStream } from "../../../random.ts";
import type { OpKind, OpOptions } from "../../engine.ts";
import { declare, float, mainParameters, type Operand, reduction, THREADS, workgroupNumber } from "./wgsl.ts";

/** An activation: y of `x`, and dx of `y` and `dy`. */
export interface Activation {
  readonly forward: string;
  readonly backward: string;
}

/**
 * tanh by its series below 0.35, where drivers' functions lose digits, and by e^−2|x| above, which does not overflow. The series ends where its next term
 * is below half a unit in the last place.
 */
const tanh = `fn tanhOf(x: f32) -> f32 {
  let a = abs(x); let t = x * x;
  if (a < 0.35) {
    return x + x * t * (-0.33333333 + t * (0.13333333 + t * (-0.053968254 + t * (0.021869488 + t * (-0.0088632355 + t * 0.0035921280)))));
  }
  let e = exp(-2 * a); return sign(x) * (1 - e) / (1 + e);
}`;

const sigmoid = `fn sigmoidOf(x: f32) -> f32 {
  let e = exp(-abs(x)); return select(e, 1.0, x >= 0) / (1 + e);
}`;

/** The functions that `activations` call. */
export const activationHelpers = `${tanh}\n${sigmoid}`;

export const activations = {
  relu: () => ({ forward: "max(x, 0)", backward: "select(0, dy, y > 0)" }),
  tanh: () => ({ forward: "tanhOf(x)", backward: "dy * (1 - y * y)" }),
  sigmoid: () => ({ forward: "sigmoidOf(x)", backward: "dy * y * (1 - y)" }),
} satisfies { readonly [K in OpKind]?: (options: OpOptions[K]) => Activation };

/** Threefry-2x32 with 20 rounds, as in `random.ts`. */
const threefry = `fn threefry(pair: u32, counter: u32, k0: u32, k1: u32) -> vec2u {
  let keys = array<u32, 3>(k0, k1, 0x1bd11bdau ^ k0 ^ k1);
  var a = pair + k0; var b = counter + k1;
  for (var round = 0u; round < 5; round++) {
    let r = select(vec4u(17, 29, 16, 24), vec4u(13, 15, 26, 6), round % 2 == 0);
    for (var j = 0u; j < 4; j++) { a += b; b = (b << r[j]) | (b >> (32u - r[j])); b ^= a; }
    a += keys[(round + 1) % 3]; b += keys[(round + 2) % 3] + round + 1;
  }
  return vec2u(a, b);
}`;

/** Function `kept(image, j)`: the factor of element j, in the order of its plain form, of an image of the batch. */
export function dropoutMask(name: string, probability: number): string {
  const { bits, threshold } = dropoutBits(probability);
  const { key1 } = randomStream(0, `dropout:${name}`);
  return `${threefry}
fn kept(image: u32, j: u32) -> f32 {
  let bit = j * ${bits};
  let words = threefry(bit / 64, step.first + image, step.seed, ${key1}u);
  let word = select(words.x, words.y, bit / 32 % 2 == 1);
  return select(0, ${float(1 / (1 - probability))}, ((word >> (bit % 32)) & ${2 ** bits - 1}u) >= ${threshold});
}`;
}

/** Element i of [image][columns][rows], from an operand [image][rows][columns]. */
export const transposed = (operand: string, rows: number, columns: number): string =>
  `${operand}[(i / ${rows * columns} * ${rows} + i % ${rows}) * ${columns} + i / ${rows} % ${columns}]`;

/** Softmax with cross-entropy: dz = (p · Σ t − t) / images, a workgroup for each image. */
export function softmaxGradient(operands: readonly Operand[], classes: number): string {
  const each = (statement: string) =>
    `for (var c = start + thread; c < start + ${classes}; c += ${THREADS}) { ${statement} }`;
  return `${declare(operands)}
${reduction({ add: "a + b", largest: "max(a, b)" })}
@compute @workgroup_size(${THREADS})
fn main(${mainParameters}) {
  let image = ${workgroupNumber};
  if (image >= step.images) { return; }
  let start = image * ${classes};
  var top = -3.4e38; var mass = 0.0; var sum = 0.0;
  ${each("top = max(top, logits[c]); mass += targets[c];")}
  top = largest(thread, top);
  ${each("sum += exp(logits[c] - top);")}
  let factor = add(thread, mass) / add(thread, sum);
  ${each("dy[c] = (factor * exp(logits[c] - top) - targets[c]) / f32(step.images);")}
}
`;
}

/** Body: binary cross-entropy, dz = ((a + b) · σ(z) − a) / (images · classes) with a = weight · t and b = 1 − t. */
export function binaryGradient(classes: number): string {
  return `let positive = weights[i % ${classes}] * targets[i];
  dy[i] = ((positive + 1.0 - targets[i]) * sigmoidOf(logits[i]) - positive) / (f32(step.images) * ${classes}.0);`;
}
