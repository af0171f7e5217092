import assert from "node:assert/strict";
import { test } from "node:test";
import {
  dequantizeParameter,
  largestOfRows,
  parameterScales,
  roundActivations,
  roundingFor,
  roundParameter,
} from "./int8.ts";
import { fillUniform, randomStream } from "./random.ts";

function uniform(purpose: string, length: number, low: number, high: number): Float32Array {
  const values = new Float32Array(length);
  fillUniform(randomStream(1, purpose), 0, values, low, high);
  return values;
}

const ranges = [
  { min: 0, max: 6 },
  { min: -2.1, max: 2.6 },
  { min: -3, max: 0 },
  { min: 0.5, max: 1e4 },
  { min: -7, max: -6 },
  { min: 0, max: 1e-30 },
  { min: -1e38, max: 1e38 },
];

for (const range of ranges) {
  test(`rounded activations are within half a step inside ${range.min} … ${range.max}, and multiples are exact`, () => {
    const rounding = roundingFor(range);
    const { scale, zeroPoint } = rounding;
    const values = uniform(`${range.min}`, 10_000, range.min, range.max);
    const rounded = roundActivations(values, rounding, new Float32Array(values.length));
    for (const [i, value] of values.entries()) {
      // Two roundings of f32 beside the half step; the zero point moves the ends of the range by as much as another half.
      const inside = value >= scale * -zeroPoint && value <= scale * (255 - zeroPoint);
      const allowed = (inside ? 0.5 : 1) * scale + 2 ** -23 * Math.abs(value);
      assert.ok(Math.abs((rounded[i] as number) - value) <= allowed, `${value}: ${rounded[i]}, scale ${scale}`);
    }
    const multiples = Float32Array.from({ length: 256 }, (_, q) => scale * (q - zeroPoint));
    assert.deepEqual(roundActivations(multiples, rounding, new Float32Array(256)), multiples);
    assert.equal(roundActivations(Float32Array.of(0), rounding, new Float32Array(1))[0], 0);
  });
}

test("values in the middle go to the even number, and those outside the range to its ends", () => {
  const values = Float32Array.of(0.5, 1.5, 2.5, -0.5, -1.5, 300, -300);
  const rounding = { scale: 1, zeroPoint: 100 };
  assert.deepEqual([...roundActivations(values, rounding, values)], [0, 2, 2, 0, -2, 155, -100]);
});

test("a layer that gives nothing but 0 has a scale above 0", () => {
  const rounding = roundingFor({ min: 0, max: 0 });
  assert.ok(rounding.scale > 0);
  assert.deepEqual([...roundActivations(Float32Array.of(0, 0), rounding, new Float32Array(2))], [0, 0]);
});

test("weights are within half a step of their row, of 7 bits, and what is left is as it was rounded", () => {
  const values = uniform("weights", 60, -1, 1).map((value, i) => value * 10 ** Math.floor(i / 20));
  const [weight] = parameterScales(largestOfRows(values, 3), new Float32Array(3), 0.1);
  const whole = roundParameter(values, weight);
  assert.ok(whole instanceof Int8Array);
  const left = values.slice();
  dequantizeParameter(left, weight);
  for (const [i, value] of values.entries()) {
    const scale = weight.scales[Math.floor(i / 20)] as number;
    // Half a step, and roundings of f32.
    assert.ok(Math.abs((left[i] as number) - value) <= 0.5 * scale + 1e-7 * Math.abs(value));
    assert.equal(left[i], Math.fround((whole[i] as number) * scale));
  }
  for (const row of [0, 1, 2]) {
    assert.equal(Math.max(...whole.subarray(20 * row, 20 * row + 20).map(Math.abs)), 64, `row ${row}`);
  }
});

test("a bias has the scale of the products that it is added to, and fits however small the weights are", () => {
  const weights = Float32Array.of(1, -0.5, 1e-12, 0, 0, 0);
  const biases = Float32Array.of(0.7, -3, 0);
  const inputScale = Math.fround(0.02);
  const [weight, bias] = parameterScales(largestOfRows(weights, 3), biases, inputScale);
  const whole = roundParameter(biases, bias);
  assert.ok(whole instanceof Int32Array);
  for (const row of [0, 1, 2]) {
    const [scale, biasScale] = [weight.scales[row] as number, bias.scales[row] as number];
    assert.ok(scale > 0 && biasScale > 0);
    assert.equal(biasScale, Math.fround(scale * inputScale));
    assert.ok(Math.abs(whole[row] as number) <= 2 ** 30 + 64);
    // Half a step; 24 bits of the bias, of 30 that it may have.
    const error = Math.abs((whole[row] as number) * biasScale - (biases[row] as number));
    assert.ok(error <= 0.5 * biasScale + 2 ** -23 * Math.abs(biases[row] as number), `row ${row}: ${error}`);
  }
});

test("the largest magnitude of a row with a NaN or infinite value is NaN or infinite", () => {
  assert.deepEqual([...largestOfRows(Float32Array.of(1, -2, NaN, 1, -Infinity, 0), 3)], [2, NaN, Infinity]);
});
