/**
 * 8-bit quantization: q = round(x / scale) + zeroPoint, rounding ties to even and clamping to the range; x ≈ scale · (q − zeroPoint).
 *
 * Source: ONNX, operators QuantizeLinear and DequantizeLinear.
 */

/** Quantization of activations to integers from 0 to 255, with one scale per layer. */
export interface Rounding {
  readonly scale: number;
  /** Quantized value of 0, which is exact. */
  readonly zeroPoint: number;
}

/** Quantization of a learned tensor to signed integers, with one scale per output channel (first axis). */
export interface RoundedParameter {
  readonly type: "INT8" | "INT32";
  readonly scales: Float32Array;
}

/**
 * An operation's effect on 8-bit activations. `kept`: passes 8-bit values through unchanged. `clamped`: sets values below 0 to 0, as rounding to a range
 * from 0 does, so values are rounded after it and not before it. `computed`: computes new values, which are rounded again. `none`: has no 8-bit form.
 */
export type Int8Effect = "kept" | "clamped" | "computed" | "none";

/** The quantization of a network to int8: everything needed to compute it. */
export interface Int8Scheme {
  /** Roundings of activations by the layer that outputs them; `IMAGES` is the network's input. */
  readonly activations: ReadonlyMap<string, Rounding>;
  /** Scales of learned tensors by their full names. */
  readonly parameters: ReadonlyMap<string, RoundedParameter>;
}

/** Name of the input images among layers' outputs; layer names are never empty. */
export const IMAGES = "";

/** Minimum and maximum of values. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Lower bound of scales: the product of two is still a normal f32. */
const SMALLEST_SCALE = 2 ** -60;
/**
 * Limit of quantized weights. x86 processors without VNNI add two 8-bit products in 16 bits, and 2 · 255 · 64 is the largest sum that fits.
 * With 7-bit weights every processor gives the same result. Source: ONNX Runtime, "Quantize ONNX models", on `reduce_range`.
 */
const LARGEST_WEIGHT = 64;
/** Limit of quantized biases: leaves room in an int32 for a sum of 9,216 8-bit products. */
const LARGEST_BIAS = 2 ** 30;
/** Adding and subtracting this rounds to an integer, ties to even: an f64 of this magnitude has no fractional bits. */
const WHOLE = 1.5 * 2 ** 52;

/** Quantization whose range covers the given range and 0. */
export function roundingFor({ min, max }: Range): Rounding {
  const [low, high] = [Math.min(min, 0), Math.max(max, 0)];
  const scale = Math.fround(Math.max((high - low) / 255, SMALLEST_SCALE));
  return { scale, zeroPoint: Math.min(Math.max(Math.round(-low / scale), 0), 255) };
}

/** Quantizes and dequantizes values into `into`, which may be `values` itself. */
export function roundActivations(
  values: Float32Array,
  { scale, zeroPoint }: Rounding,
  into: Float32Array,
): Float32Array {
  for (let i = 0; i < values.length; i++) {
    const whole = Math.fround((values[i] as number) / scale) + WHOLE - WHOLE;
    into[i] = scale * (Math.min(Math.max(whole + zeroPoint, 0), 255) - zeroPoint);
  }
  return into;
}

/** Largest magnitude of each output channel (first axis); NaN or infinite if one of its values is. */
export function largestOfRows(values: Float32Array, rows: number): Float32Array {
  const length = values.length / rows;
  return Float32Array.from({ length: rows }, (_, row) => {
    let largest = 0;
    for (let i = row * length; i < (row + 1) * length; i++) {
      largest = Math.max(largest, Math.abs(values[i] as number));
    }
    return largest;
  });
}

/**
 * Scales of a layer's weight, from the largest magnitudes of its rows, and of its bias, whose integers are added to products of weight and
 * input. If weights are so small that the bias would overflow, their scale is increased.
 */
export function parameterScales(
  largest: Float32Array,
  bias: Float32Array,
  inputScale: number,
): readonly [weight: RoundedParameter, bias: RoundedParameter] {
  const scales = largest.map((magnitude, row) => {
    const forBias = Math.abs(bias[row] as number) / (inputScale * LARGEST_BIAS);
    return Math.max(magnitude / LARGEST_WEIGHT, forBias, SMALLEST_SCALE);
  });
  return [
    { type: "INT8", scales },
    { type: "INT32", scales: scales.map((scale) => scale * inputScale) },
  ];
}

/** Quantizes a learned tensor. */
export function roundParameter(values: Float32Array, { type, scales }: RoundedParameter): Int8Array | Int32Array {
  const length = values.length / scales.length;
  if (type === "INT8") {
    const rounded = new Int8Array(values.length);
    for (const [row, scale] of scales.entries()) roundWeights(values, rounded, row * length, length, scale);
    return rounded;
  }
  const limit = 2 ** 31 - 1;
  return Int32Array.from(values, (value, i) => {
    const whole = value / (scales[Math.floor(i / length)] as number) + WHOLE - WHOLE;
    return Math.min(Math.max(whole, -limit), limit);
  });
}

/** Rounds values in a loop over a single array type, which is twice as fast as over two types for millions of weights. */
function roundWeights(values: Float32Array, rounded: Int8Array, start: number, length: number, scale: number): void {
  for (let i = start; i < start + length; i++) {
    const whole = (values[i] as number) / scale + WHOLE - WHOLE;
    rounded[i] = whole > LARGEST_WEIGHT ? LARGEST_WEIGHT : whole < -LARGEST_WEIGHT ? -LARGEST_WEIGHT : whole;
  }
}

/** Quantizes and dequantizes a learned tensor in place. */
export function dequantizeParameter(values: Float32Array, parameter: RoundedParameter): void {
  const length = values.length / parameter.scales.length;
  const rounded = roundParameter(values, parameter);
  for (let i = 0; i < values.length; i++) {
    values[i] = (rounded[i] as number) * (parameter.scales[Math.floor(i / length)] as number);
  }
}
