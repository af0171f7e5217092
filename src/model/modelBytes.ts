/** Models in memory as the bytes of a weights file, on any JavaScript engine. */
import { decodeModel, encodeModel } from "../checkpoint/metadata.ts";
import {
  checksumPosition,
  corruptFile,
  encodeHeader,
  lengthBytes,
  maxHeaderBytes,
  parseHeader,
  type SafetensorsHeader,
  type StoredTensor,
  withoutChecksum,
} from "../checkpoint/safetensorsHeader.ts";
import { CheckpointError } from "../errors.ts";
import { type Network, parametersOf } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { checkWeights, type NetworkModel } from "./networkModel.ts";

/**
 * Reads the bytes of a weights file of this program, such as `alexnet export` writes to `.safetensors`. `name` begins messages.
 *
 * Throws CheckpointError if the bytes are corrupt, of another program, or have a weight that is NaN or infinite.
 */
export async function readModelBytes(bytes: Uint8Array, name: string): Promise<NetworkModel> {
  const { header, headerBytes } = headerOf(bytes, name);
  await checkChecksum(bytes, header, headerBytes, name);
  const model = decodeModel({ path: name, header });
  const stored = storedTensors(model.network);
  const weights = new Map<string, Float32Array>();
  for (const { name: own, stored: key } of stored) {
    const tensor = header.tensors.get(key) ?? header.tensors.get(own);
    if (tensor) weights.set(own, valuesOf(bytes, tensor));
  }
  const unexpected = [...header.tensors.keys()].find(
    (key) => !stored.some(({ name: own, stored: other }) => other === key || own === key),
  );
  if (unexpected !== undefined) throw new CheckpointError(`${name}: ${unexpected}: not expected`);
  checkWeights(name, model.network, weights);
  return { ...model, weights };
}

/** The bytes of a weights file with its checksum, as `writeModel` and `alexnet export` write them. Throws CheckpointError for weights that do not fit. */
export async function writeModelBytes(model: NetworkModel): Promise<Uint8Array> {
  const { network, weights } = model;
  checkWeights(network.name, network, weights);
  const stored = storedTensors(network);
  const header = encodeHeader(
    encodeModel(model, 0),
    stored.map(({ stored: name, shape }) => ({ name, shape })),
  );
  const length = stored.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), header.length);
  const bytes = new Uint8Array(length);
  bytes.set(header);
  let end = header.length;
  for (const { name } of stored) {
    const { buffer, byteOffset, byteLength } = weights.get(name) as Float32Array;
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), end);
    end += byteLength;
  }
  bytes.set(new TextEncoder().encode(await sha256(bytes)), checksumPosition);
  return bytes;
}

/** Each parameter with its name in a weights file. */
export function storedTensors(
  network: Network,
): readonly { readonly name: string; readonly stored: string; readonly shape: Shape }[] {
  const names = tensorNames(network);
  return parametersOf(network).map(({ name, shape }) => ({ name, stored: names.get(name) ?? name, shape }));
}

function headerOf(bytes: Uint8Array, name: string) {
  if (bytes.length < lengthBytes)
    throw corruptFile(name, `expected at least ${lengthBytes} bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > Math.min(maxHeaderBytes, bytes.length - lengthBytes)) {
    throw corruptFile(name, `its header would have ${length} bytes, and the file has ${bytes.length}`);
  }
  const headerBytes = lengthBytes + length;
  const header = parseHeader(name, bytes.subarray(lengthBytes, headerBytes), bytes.length - headerBytes);
  return { header, headerBytes };
}

/** Throws CheckpointError if the file has a checksum of other bytes. Pages without a secure origin have no SHA-256, and skip the check. */
async function checkChecksum(
  bytes: Uint8Array,
  { checksum }: SafetensorsHeader,
  headerBytes: number,
  name: string,
): Promise<void> {
  if (checksum === undefined || !hasSha256()) return;
  const zeroed = new Uint8Array(bytes);
  zeroed.set(withoutChecksum(bytes.subarray(0, headerBytes)));
  const got = await sha256(zeroed);
  if (got !== checksum) throw corruptFile(name, "its checksum does not match its contents");
}

function hasSha256(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  if (!hasSha256()) {
    throw new CheckpointError("weights file: this page cannot compute SHA-256; open it by https or from localhost");
  }
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function valuesOf(bytes: Uint8Array, { dtype, shape, position, byteLength }: StoredTensor): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  dtype.toFloat32(bytes.subarray(position, position + byteLength), values);
  return values;
}
