/** Writes what a layer makes of images: rows of numbers, and the files that they are of beside them. */
import { extname } from "node:path";
import { type DurableOutput, openDurableOutput } from "../checkpoint/durableOutput.ts";
import { type RowHeader, rowFormats } from "../checkpoint/rowFormats.ts";
import { bytesOf } from "../checkpoint/safetensorsWriter.ts";
import { ConfigError } from "../errors.ts";
import { type Shape, sizeOf } from "../shape.ts";

/** Files that are there when they are whole. */
export interface FeatureWriter {
  /** Shape: values [files, …shape]. */
  add(files: readonly string[], values: Float32Array): Promise<void>;
  finish(): Promise<void>;
  /** Leaves what was there before, unless they were finished. */
  close(): Promise<void>;
}

/** The format of a file of features, by the ending of its name. Throws ConfigError if there is none of that ending. */
export function rowFormatOf(output: string): RowHeader {
  const header = rowFormats.get(extname(output));
  if (header) return header;
  throw new ConfigError(`${output}: expected a name that ends in ${[...rowFormats.keys()].join(" or ")}`);
}

/** The file beside it with the names of the files, as JSON: one for each row. */
export function filesOf(output: string): string {
  return `${output.slice(0, -extname(output).length)}.files.json`;
}

/** Throws ConfigError for the ending of the name; CheckpointError, as all members do, if it cannot be written. */
export async function createFeatureWriter(output: string, layer: string, shape: Shape): Promise<FeatureWriter> {
  const header = rowFormatOf(output);
  const opened: DurableOutput[] = [];
  const open = async (path: string) => {
    const file = await openDurableOutput(path);
    opened.push(file);
    return file;
  };
  const close = async () => {
    for (const file of opened) await file.close();
  };
  try {
    const data = await open(output);
    const names = await open(filesOf(output));
    await data.append(header({ name: layer, shape, rows: 0 }));
    return writer(data, names, close, (rows) => header({ name: layer, shape, rows }), sizeOf(shape));
  } catch (error) {
    await close();
    throw error;
  }
}

function writer(
  data: DurableOutput,
  names: DurableOutput,
  close: () => Promise<void>,
  headerOf: (rows: number) => Uint8Array,
  length: number,
): FeatureWriter {
  let rows = 0;
  return {
    async add(files, values) {
      await data.append(bytesOf(values.subarray(0, files.length * length)));
      await names.append(files.map((file, i) => `${rows + i === 0 ? "[\n" : ",\n"}${JSON.stringify(file)}`).join(""));
      rows += files.length;
    },
    async finish() {
      await data.overwriteStart(headerOf(rows));
      await names.append(rows === 0 ? "[]\n" : "\n]\n");
      await names.commit();
      await data.commit();
    },
    close,
  };
}
