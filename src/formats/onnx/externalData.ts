/** Tensors that lie in files beside an ONNX model: in its own folder, and nowhere else. */
import { lstat, open, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { CheckpointError, codeOf, UnsupportedError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { dataLocations, dataTypes, type TensorMessage } from "./messages.ts";

interface Place {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Reads what tensors have outside the model. The places of all tensors of a file may not be larger together than the file, so that no file is
 * read many times over.
 *
 * Throws CheckpointError if a place is not in the folder of the model, by name or through links, or not in its file.
 */
export async function readExternal(
  modelPath: string,
  tensors: readonly TensorMessage[],
): Promise<ReadonlyMap<TensorMessage, Uint8Array>> {
  const outside = tensors.filter(({ dataLocation }) => dataLocation === dataLocations.EXTERNAL);
  const result = new Map<TensorMessage, Uint8Array>();
  const left = new Map<string, number>();
  for (const tensor of outside) {
    const what = `${modelPath}: tensor "${tensor.name ?? ""}"`;
    const place = placeOf(tensor, what);
    const path = await insideFolder(dirname(modelPath), place.location, what);
    const size = (await lstat(path)).size;
    const rest = (left.get(path) ?? size) - place.length;
    if (place.offset + place.length > size || rest < 0) {
      throw new CheckpointError(
        `${what}: expected ${place.length} bytes from ${place.offset} on in ${place.location}, which has ${size} for all tensors`,
      );
    }
    left.set(path, rest);
    result.set(tensor, await readPart(path, place, what));
  }
  return result;
}

function placeOf({ externalData, dims, dataType }: TensorMessage, what: string): Place {
  const entries = new Map(externalData.map(({ key = "", value = "" }) => [key, value]));
  const location = entries.get("location") ?? "";
  const number = (key: string, missing: number) => {
    const text = entries.get(key);
    if (text === undefined) return missing;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value)) throw new CheckpointError(`${what}: external data: ${key} "${text}" is no number`);
    return value;
  };
  if (dataType !== dataTypes.FLOAT) throw new UnsupportedError(`${what}: external data of a type other than FLOAT`);
  const expected = sizeOf(dims) * Float32Array.BYTES_PER_ELEMENT;
  const length = number("length", expected);
  if (length !== expected || !dims.every((extent) => extent >= 0)) {
    throw new CheckpointError(
      `${what}: external data: expected ${expected} bytes for [${dims.join(", ")}], got ${length}`,
    );
  }
  return { location, offset: number("offset", 0), length };
}

/** The real path of a plain file in the folder. */
async function insideFolder(folder: string, location: string, what: string): Promise<string> {
  const refused = (why: string) => new CheckpointError(`${what}: external data in "${location}" is not read: ${why}`);
  const parts = location.split(/[\\/]/);
  if (location === "" || location.includes("\0") || isAbsolute(location) || /^([\\/]|[a-zA-Z]:)/.test(location)) {
    throw refused("expected a path within the model's folder");
  }
  if (parts.includes("..")) throw refused("it leads out of the model's folder");
  try {
    const root = await realpath(folder);
    const path = await realpath(join(root, location));
    const fromRoot = relative(root, path);
    if (fromRoot.split(sep)[0] === ".." || isAbsolute(fromRoot))
      throw refused("a link leads out of the model's folder");
    if (!(await lstat(path)).isFile()) throw refused("it is no plain file");
    return path;
  } catch (error) {
    if (codeOf(error) === "") throw error;
    throw new CheckpointError(`${what}: external data in "${location}" cannot be read (${codeOf(error)})`, {
      cause: error,
    });
  }
}

async function readPart(path: string, { offset, length }: Place, what: string): Promise<Uint8Array> {
  const handle = await open(path, "r");
  try {
    const content = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await handle.read(content, done, Math.min(length - done, 1 << 30), offset + done);
      if (bytesRead === 0) throw new CheckpointError(`${what}: ${path} ends early`);
      done += bytesRead;
    }
    return content;
  } finally {
    await handle.close();
  }
}
