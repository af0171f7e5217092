/** Models with 8-bit weights as JSON, for pages that contain their network. */
import { decodeBase64, encodeBase64 } from "../base64.ts";
import { decodeModel, encodeModel } from "../checkpoint/metadata.ts";
import { CheckpointError } from "../errors.ts";
import { type Network, parametersOf } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { checkWeights, type NetworkModel } from "./networkModel.ts";

/** A model with 8-bit weights. Plain JSON. */
export interface PackedModel {
  /** Metadata as in a weights file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes in base64: vectors and scales in f32, then the 8-bit weights. */
  readonly weights: string;
}

const LEVELS = 127;

/** A tensor in the packed form: a scale for each output of a weight, none for a vector, which stays in f32. */
interface Part {
  readonly name: string;
  readonly values: number;
  /** Number of scales; 0 for a vector. */
  readonly rows: number;
}

/** Packs a model: w ≈ scale · q with q from −127 to 127, and a scale of each output, its largest |w| / 127. */
export function packModel(model: NetworkModel): PackedModel {
  const { network, weights } = model;
  checkWeights(network.name, network, weights);
  const parts = partsOf(network);
  const floats: number[] = [];
  const levels = new Int8Array(parts.reduce((sum, { rows, values }) => sum + (rows > 0 ? values : 0), 0));
  let end = 0;
  for (const { name, rows, values } of parts) {
    const own = weights.get(name) as Float32Array;
    if (rows === 0) {
      for (const value of own) floats.push(value);
      continue;
    }
    const length = values / rows;
    for (let row = 0; row < rows; row++) {
      const line = own.subarray(row * length, (row + 1) * length);
      const scale = Math.fround(line.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / LEVELS || 1);
      floats.push(scale);
      for (const value of line) levels[end++] = Math.round(value / scale);
    }
  }
  const bytes = new Uint8Array(4 * floats.length + levels.length);
  bytes.set(new Uint8Array(Float32Array.from(floats).buffer));
  bytes.set(new Uint8Array(levels.buffer), 4 * floats.length);
  return { metadata: encodeModel(model, 0), weights: encodeBase64(bytes) };
}

/** Unpacks a model. Throws CheckpointError, beginning with `name`, if it is corrupt. */
export function unpackModel({ metadata, weights: text }: PackedModel, name: string): NetworkModel {
  const model = decodeModel({ path: name, header: { metadata, tensors: new Map(), checksum: undefined } });
  const parts = partsOf(model.network);
  const floatCount = parts.reduce((sum, { rows, values }) => sum + (rows > 0 ? rows : values), 0);
  const levelCount = parts.reduce((sum, { rows, values }) => sum + (rows > 0 ? values : 0), 0);
  const bytes = decodeBase64(text);
  if (bytes.length !== 4 * floatCount + levelCount) {
    throw new CheckpointError(`${name}: expected ${4 * floatCount + levelCount} bytes of weights, got ${bytes.length}`);
  }
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, floatCount);
  const levels = new Int8Array(bytes.buffer, bytes.byteOffset + 4 * floatCount, levelCount);
  const weights = new Map<string, Float32Array>();
  let [float, level] = [0, 0];
  for (const { name: parameter, rows, values } of parts) {
    const own = new Float32Array(values);
    weights.set(parameter, own);
    if (rows === 0) {
      own.set(floats.subarray(float, float + values));
      float += values;
      continue;
    }
    const length = values / rows;
    for (let i = 0; i < values; i++) {
      own[i] = (floats[float + Math.floor(i / length)] as number) * (levels[level + i] as number);
    }
    float += rows;
    level += values;
  }
  checkWeights(name, model.network, weights);
  return { ...model, weights };
}

function partsOf(network: Network): readonly Part[] {
  return parametersOf(network).map(({ name, shape }) => {
    return { name, values: sizeOf(shape), rows: shape.length > 1 ? (shape[0] as number) : 0 };
  });
}
