/** The list of file formats. */
import { ConfigError } from "../errors.ts";
import { caffeFormat } from "./caffe/caffeFormat.ts";
import type { ModelFormat } from "./format.ts";
import { onnxFormat } from "./onnx/onnxFormat.ts";
import { pytorchFormat } from "./pytorch/pytorchFormat.ts";
import { safetensorsFormat } from "./safetensorsFormat.ts";

/** Every format: the one list. What reads and writes them is loaded when it is needed. */
export const formats: readonly ModelFormat[] = [safetensorsFormat, pytorchFormat, onnxFormat, caffeFormat];

/** A format that has what is wanted of it. */
export type FormatWith<K extends "read" | "write"> = ModelFormat & Required<Pick<ModelFormat, K>>;

/** The formats that can be written, or read. */
export function formatsThat<K extends "read" | "write">(action: K): readonly FormatWith<K>[] {
  return formats.filter((format): format is FormatWith<K> => format[action] !== undefined);
}

/** The format of that name, or of the file's ending where none is given. Throws ConfigError listing those that there are. */
export function findFormat<K extends "read" | "write">(action: K, file: string, name?: string): FormatWith<K> {
  const able = formatsThat(action);
  const found = able.find((format) =>
    name === undefined ? format.endings.some((ending) => file.toLowerCase().endsWith(ending)) : format.name === name,
  );
  if (found) return found;
  const known = able.map((format) => `${format.name} (${format.endings.join(", ")})`).join(", ");
  throw new ConfigError(
    name === undefined
      ? `${file}: its ending names no format; the formats are ${known}: rename it, or give --format`
      : `format "${name}": there is none of this name; the formats are ${known}`,
  );
}
