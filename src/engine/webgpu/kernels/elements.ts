/** Kernels of single elements: activations, dropout, other orders of axes, the gradient of the loss. */
import { dropoutBits, randomStream } from "../../../random.ts";
import type { OpKind } from "../../engine.ts";
import { declare, float, mainParameters, type Operand, workgroupNumber } from "./wgsl.ts";

/** An activation: y of `x`, and dx of `y` and `dy`. */
interface Activation {
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
  let e = exp(-2.0 * a);
  return sign(x) * (1.0 - e) / (1.0 + e);
}`;

const sigmoid = `fn sigmoidOf(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}`;

/** The functions that `activations` call. */
export const activationHelpers = `${tanh}\n${sigmoid}`;

export const activations = {
  relu: { forward: "max(x, 0.0)", backward: "select(0.0, dy, y > 0.0)" },
  tanh: { forward: "tanhOf(x)", backward: "dy * (1.0 - y * y)" },
  sigmoid: { forward: "sigmoidOf(x)", backward: "dy * y * (1.0 - y)" },
} as const satisfies { readonly [K in OpKind]?: Activation };

/** Threefry-2x32 with 20 rounds, as in `random.ts`. */
const threefry = `fn threefry(pair: u32, counter: u32, k0: u32, k1: u32) -> vec2u {
  let keys = array<u32, 3>(k0, k1, 0x1bd11bdau ^ k0 ^ k1);
  var a = pair + k0; var b = counter + k1;
  for (var round = 0u; round < 5u; round++) {
    let even = round % 2u == 0u;
    let r = vec4u(select(17u, 13u, even), select(29u, 15u, even), select(16u, 26u, even), select(24u, 6u, even));
    for (var j = 0u; j < 4u; j++) { a += b; b = (b << r[j]) | (b >> (32u - r[j])); b ^= a; }
    a += keys[(round + 1u) % 3u]; b += keys[(round + 2u) % 3u] + round + 1u;
  }
  return vec2u(a, b);
}`;

/** Function `kept(image, j)`: the factor of element j, in the order of its plain form, of an image of the batch. */
export function dropoutMask(name: string, probability: number): string {
  const { bits, threshold } = dropoutBits(probability);
  const { key1 } = randomStream(0, `dropout:${name}`);
  return `${threefry}
fn kept(image: u32, j: u32) -> f32 {
  let bit = j * ${bits}u;
  let words = threefry(bit / 64u, step.first + image, step.seed, ${key1}u);
  let word = select(words.x, words.y, bit / 32u % 2u == 1u);
  return select(0.0, ${float(1 / (1 - probability))}, ((word >> (bit % 32u)) & ${2 ** bits - 1}u) >= ${threshold}u);
}`;
}

/** Body: [image][rows][columns] of `xs` → [image][columns][rows] of `ys`, as `value` of `v`; element i is one of the result. */
export function transpose(rows: number, columns: number, value = "v"): string {
  return `let row = i % ${rows}u; let column = i / ${rows}u % ${columns}u; let image = i / ${rows * columns}u;
  let v = xs[(image * ${rows}u + row) * ${columns}u + column];
  ys[i] = ${value};`;
}

const LOSS_THREADS = 64;

/** Softmax with cross-entropy: dz = (p · Σ t − t) / images, a workgroup for each image. */
export function softmaxGradient(operands: readonly Operand[], classes: number): string {
  const reduce = (name: string, combine: string) => `shared_${name}[thread] = ${name};
  workgroupBarrier();
  for (var half = ${LOSS_THREADS / 2}u; half > 0u; half /= 2u) {
    if (thread < half) { let a = shared_${name}[thread]; let b = shared_${name}[thread + half]; shared_${name}[thread] = ${combine}; }
    workgroupBarrier();
  }`;
  return `${declare(operands)}
var<workgroup> shared_largest: array<f32, ${LOSS_THREADS}>;
var<workgroup> shared_mass: array<f32, ${LOSS_THREADS}>;
var<workgroup> shared_sum: array<f32, ${LOSS_THREADS}>;
@compute @workgroup_size(${LOSS_THREADS})
fn main(${mainParameters}) {
  let image = ${workgroupNumber};
  if (image >= step.images) { return; }
  let start = image * ${classes}u;
  var largest = -3.4e38; var mass = 0.0;
  for (var c = thread; c < ${classes}u; c += ${LOSS_THREADS}u) { largest = max(largest, logits[start + c]); mass += targets[start + c]; }
  ${reduce("largest", "max(a, b)")}
  ${reduce("mass", "a + b")}
  let top = shared_largest[0];
  var sum = 0.0;
  for (var c = thread; c < ${classes}u; c += ${LOSS_THREADS}u) { sum += exp(logits[start + c] - top); }
  ${reduce("sum", "a + b")}
  let factor = shared_mass[0] / shared_sum[0];
  let count = f32(step.images);
  for (var c = thread; c < ${classes}u; c += ${LOSS_THREADS}u) {
    dy[start + c] = (factor * exp(logits[start + c] - top) - targets[start + c]) / count;
  }
}
`;
}

/** Body: binary cross-entropy, dz = ((a + b) · σ(z) − a) / (images · classes) with a = weight · t and b = 1 − t. */
export function binaryGradient(classes: number): string {
  return `let positive = weights[i % ${classes}u] * targets[i];
  dy[i] = ((positive + 1.0 - targets[i]) * sigmoidOf(logits[i]) - positive) / (f32(step.images) * ${classes}.0);`;
}
