/** Types of tensor values in files of other programs, and their conversion to f32. */

/** Array of a tensor's stored values; 16-bit floats are stored as their bits. */
export type StoredValues =
  | Float64Array
  | Float32Array
  | Uint32Array
  | Uint16Array
  | Uint8Array
  | Int32Array
  | Int16Array
  | Int8Array
  | BigInt64Array
  | BigUint64Array;

/** Type of stored values. */
export interface Dtype {
  /** Name in safetensors. */
  readonly name: string;
  readonly byteLength: number;
  /** The values in `bytes`: a view if they are aligned, else a copy. */
  view(bytes: Uint8Array): StoredValues;
  /** Converts the values to f32: exact for F16, BF16 and integers up to 2^24, else to the nearest value. */
  toFloat32(bytes: Uint8Array, into: Float32Array): void;
}

interface ArrayType<T extends StoredValues> {
  new (buffer: ArrayBuffer, offset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

type Widen<T> = (values: T, into: Float32Array) => void;

/** `widen` converts the stored values; by default each is a number. */
function dtype<T extends StoredValues>(name: string, type: ArrayType<T>, widen: Widen<T> = widenNumbers): Dtype {
  const byteLength = type.BYTES_PER_ELEMENT;
  const view = (bytes: Uint8Array): T => {
    // The slice of a Buffer would be a view.
    const { buffer, byteOffset } = bytes.byteOffset % byteLength === 0 ? bytes : new Uint8Array(bytes);
    return new type(buffer as ArrayBuffer, byteOffset, bytes.length / byteLength);
  };
  return { name, byteLength, view, toFloat32: (bytes, into) => widen(view(bytes), into) };
}

function widenNumbers(values: StoredValues, into: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i] = Number(values[i]);
}

/** The bits of values, so that NaNs keep their payload. */
function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

function widenBrainFloats(values: Uint16Array, into: Float32Array): void {
  const bits = bitsOf(into);
  for (let i = 0; i < bits.length; i++) bits[i] = (values[i] as number) << 16;
}

function widenHalfFloats(values: Uint16Array, into: Float32Array): void {
  const bits = bitsOf(into);
  for (let i = 0; i < bits.length; i++) bits[i] = halfBits(values[i] as number);
}

/** Bits of the f32 equal to an IEEE 754 binary16, given as bits: sign, 5 bits of exponent from −15, 10 of fraction. */
function halfBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal halves are multiples of 2^-24, which are normal in f32.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

/** Type that this project reads and writes. */
export const f32: Dtype = dtype("F32", Float32Array, (values, into) => bitsOf(into).set(bitsOf(values)));

/** All readable types, by name in safetensors. */
export const dtypes: ReadonlyMap<string, Dtype> = new Map(
  [
    f32,
    dtype("F64", Float64Array),
    dtype("F16", Uint16Array, widenHalfFloats),
    dtype("BF16", Uint16Array, widenBrainFloats),
    dtype("I64", BigInt64Array),
    dtype("I32", Int32Array),
    dtype("I16", Int16Array),
    dtype("I8", Int8Array),
    dtype("U64", BigUint64Array),
    dtype("U32", Uint32Array),
    dtype("U16", Uint16Array),
    dtype("U8", Uint8Array),
    dtype("BOOL", Uint8Array),
  ].map((type) => [type.name, type]),
);
