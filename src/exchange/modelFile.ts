/** Files and folders of other programs, opened by format or by contents. */
import { ConfigError } from "../errors.ts";
import type { ModelFile, ReadFacts } from "../formats/format.ts";
import { findFormat } from "../formats/formats.ts";

/** A file with the name of its format. */
export interface OpenedFile {
  readonly format: string;
  readonly file: ModelFile;
}

/**
 * Opens a file by its format (default: its extension), or a folder of Hugging Face by its weights.
 *
 * Throws ConfigError for an unknown format, or for a choice of weights in a format that has none, and the errors of the format.
 */
export async function openModelFile(path: string, format: string | undefined, facts: ReadFacts): Promise<OpenedFile> {
  const { huggingFaceWeights, openHuggingFace } = await import("../formats/huggingFace.ts");
  const weights = format === undefined ? await huggingFaceWeights(path) : undefined;
  const found = findFormat("read", weights ?? path, format);
  if (facts.weights !== undefined && !found.choosesWeights) {
    throw new ConfigError(`--weights: ${path} has one set of weights (format ${found.name}); remove the flag`);
  }
  const file = weights === undefined ? await found.read(path, facts) : await openHuggingFace(path, weights, facts);
  return { format: found.name, file };
}
