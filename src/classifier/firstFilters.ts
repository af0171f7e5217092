import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { encodePng } from "../image/decode.ts";
import { drawFilters } from "../report/filterGrid.ts";

/** The filters of a network's first layer as a PNG file. */
export interface FirstFilters {
  readonly png: Uint8Array;
  readonly count: number;
  readonly size: string;
}

/**
 * Draws the first layer's filters of a run's newest checkpoint; undefined if there is none yet, or its first layer has no
 * filters that look at one or three channels. Only they are read of the file.
 *
 * Throws CheckpointError if it cannot be read.
 */
export async function readFirstFilters(directory: string): Promise<FirstFilters | undefined> {
  const { last } = checkpointFiles(directory);
  if (!(await fileExists(last))) return undefined;
  return withReader(last, async (reader) => {
    const [first] = reader.tensors;
    const [count, channels, height, width] = first?.shape ?? [];
    if (!first || !count || !height || !width || (channels !== 1 && channels !== 3)) return undefined;
    const image = drawFilters(await reader.read(first.name), [count, channels, height, width]);
    return { png: await encodePng(image), count, size: `${height}×${width}` };
  });
}
