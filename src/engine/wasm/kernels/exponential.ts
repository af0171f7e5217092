/** eˣ and powers on four f32. */
import type { ModuleBuilder } from "../../../assembler/assembler.ts";
import {
  type Callable,
  call,
  double,
  f32x4,
  f64,
  i32,
  i32x4,
  intVector,
  type V128,
  vector,
} from "../../../assembler/instructions.ts";

/** Beyond these arguments eˣ is below the normal f32, or above all. */
const RANGE = [-87, 88] as const;

/** Coefficients of (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2. Source: Moshier, Cephes Math Library 2.2, expf.c. */
const COEFFICIENTS = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
];

/** ln 2 in two parts, the first of 9 bits, so that its multiples are exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;

/** eˣ = 2ⁿ · eʳ with r = x − n · ln 2, within 2 units in the last place. */
export function expFunction(module: ModuleBuilder): (x: V128) => V128 {
  const exp = module.function(["v128"], "v128", (body, given) => {
    const [low, high] = RANGE;
    const x = body.local("v128", f32x4.max(f32x4.min(given, vector(high)), vector(low)));
    const n = body.local("v128", f32x4.nearest(f32x4.mul(x, vector(Math.LOG2E))));
    const withoutHigh = f32x4.sub(x, f32x4.mul(n, vector(LN2_HIGH)));
    const r = body.local("v128", f32x4.sub(withoutHigh, f32x4.mul(n, vector(LN2_LOW))));
    const [first = 0, ...rest] = COEFFICIENTS;
    const polynomial = rest.reduce<V128>((p, c) => f32x4.add(f32x4.mul(p, r), vector(c)), vector(first));
    const tail = f32x4.mul(polynomial, f32x4.mul(r, r));
    const power = i32x4.shiftLeft(i32x4.add(f32x4.toInt(n), intVector(127)), 23);
    body.return(f32x4.mul(f32x4.add(vector(1), f32x4.add(r, tail)), power));
  });
  return (x) => call(exp, x);
}

/**
 * x^−beta, for x > 0. Multiples of 1/4 are roots and products; `quarters` is 4 · beta, or negative for other powers, which the host computes
 * in f64. Parameters: x, quarters, beta (in all lanes).
 */
export function powerFunction(module: ModuleBuilder, power: Callable<"f64">): Callable<"v128"> {
  return module.function(["v128", "i32", "v128"], "v128", (body, x, quarters, beta) => {
    const result = body.local("v128", vector(1));
    body.if(i32.lt(quarters, 0), () => {
      for (const lane of [0, 1, 2, 3]) {
        const exponent = f64.sub(double(0), f64.fromF32(f32x4.lane(beta, lane)));
        const value = f64.toF32(call(power, f64.fromF32(f32x4.lane(x, lane)), exponent));
        body.set(result, f32x4.withLane(result, lane, value));
      }
      body.return(result);
    });
    const root = body.local("v128", f32x4.sqrt(x));
    body.if(i32.and(quarters, 1), () => body.set(result, f32x4.sqrt(root)));
    body.if(i32.and(quarters, 2), () => body.set(result, f32x4.mul(result, root)));
    const whole = body.i32(i32.shiftRight(quarters, 2));
    body.while(
      () => whole,
      () => {
        body.set(result, f32x4.mul(result, x));
        body.increase(whole, -1);
      },
    );
    body.return(f32x4.div(vector(1), result));
  });
}
