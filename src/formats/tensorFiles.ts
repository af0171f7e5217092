/** Files of named tensors, read into memory and written from it: PyTorch's state dicts and safetensors. */
import { writeThrough } from "../checkpoint/durable.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { type TensorSource, writeSafetensors } from "../checkpoint/safetensorsWriter.ts";
import { ShapeError } from "../errors.ts";
import type { Network } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { bytesInMemory, openBytes } from "./containers/byteSource.ts";
import type { WeightsChoice } from "./format.ts";
import { readPytorch } from "./pytorch/readPytorch.ts";
import { writePytorch } from "./pytorch/writePytorch.ts";
import { checkedWeights } from "./tensorNaming.ts";

/** A tensor with its values as f32, in row-major order. */
export interface NamedTensor {
  readonly shape: Shape;
  /** Number of values: the product of the shape. */
  readonly values: Float32Array;
}

/** Tensors by their names in a file. */
export type Tensors = ReadonlyMap<string, NamedTensor>;

/** Options of `readPyTorchFile`. */
export interface PyTorchReadOptions {
  /** For a checkpoint with both: the weights of training, or their moving average. Default: the one under the usual name. */
  readonly weights?: WeightsChoice;
}

/**
 * Reads the state dict of a `.pth`, `.pt` or `.bin` file of `torch.save`, by path or from its bytes. Runs no Python code.
 *
 * Throws DataError if the file is missing or unreadable, or contains something else.
 */
export async function readPyTorchFile(file: string | Uint8Array, options: PyTorchReadOptions = {}): Promise<Tensors> {
  const source = typeof file === "string" ? await openBytes(file) : bytesInMemory("file", file);
  try {
    return await inMemory(await readPytorch(source, options.weights));
  } finally {
    await source.close();
  }
}

/**
 * Writes a state dict that `torch.load(FILE, weights_only=True)` reads.
 *
 * Throws ShapeError for a tensor whose number of values differs from its shape, CheckpointError if the file cannot be written; an existing file then stays.
 */
export async function writePyTorchFile(path: string, tensors: Tensors): Promise<void> {
  await writeThrough(path, (temporary) => writePytorch(temporary, sourceOf(tensors)));
}

/**
 * Reads tensors and metadata of a safetensors file.
 *
 * Throws CheckpointError if it is missing or unreadable, or its contents differ from the checksum in its metadata.
 */
export async function readSafetensorsFile(
  path: string,
): Promise<{ readonly tensors: Tensors; readonly metadata: Readonly<Record<string, string>> }> {
  return withReader(path, async (reader) => {
    await reader.verify();
    return { tensors: await inMemory(reader), metadata: reader.header.metadata };
  });
}

/** Writes a safetensors file with tensors in f32. Throws as `writePyTorchFile`. */
export async function writeSafetensorsFile(
  path: string,
  tensors: Tensors,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeThrough(path, (temporary) => writeSafetensors(temporary, { ...metadata }, sourceOf(tensors)));
}

/**
 * Returns the tensors of a file as the weights of a network, by parameter name such as `conv1.weight`. The file may name them as torchvision does, by the
 * layers' names, or by their places in one `nn.Sequential`, after any common prefix.
 *
 * Throws CheckpointError, beginning with `origin`, listing every tensor that is missing, extra or of another shape, or naming one that is not finite;
 * ShapeError for one whose number of values differs from its shape.
 */
export async function weightsOf(
  network: Network,
  tensors: Tensors,
  origin = "weights",
): Promise<ReadonlyMap<string, Float32Array>> {
  const source = checkedWeights(origin, sourceOf(tensors), network);
  const shapes = new Map(source.tensors.map(({ name, shape }) => [name, shape]));
  const weights = new Map<string, Float32Array>();
  for (const [name, stored] of tensorNames(network)) {
    const values = new Float32Array(sizeOf(shapes.get(stored) ?? []));
    weights.set(name, await source.read(stored, values));
  }
  return weights;
}

async function inMemory(source: TensorSource): Promise<Tensors> {
  const values = new Map<string, NamedTensor>();
  for (const { name, shape } of source.tensors) {
    values.set(name, { shape, values: await source.read(name, new Float32Array(sizeOf(shape))) });
  }
  return values;
}

function sourceOf(tensors: Tensors): TensorSource {
  return {
    tensors: [...tensors].map(([name, { shape }]) => ({ name, shape })),
    async read(name, into) {
      const { shape, values } = tensors.get(name) as NamedTensor;
      if (values.length === sizeOf(shape)) {
        into.set(values);
        return into;
      }
      throw new ShapeError(`${name}: expected ${sizeOf(shape)} values, [${shape.join(", ")}], got ${values.length}`);
    },
  };
}
