/** What a layer makes of the pictures of a map, and what the network says of them. */
import { ConfigError, DataError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import type { LayerOutputs } from "../model/layerOutputs.ts";
import type { PlacedLayer } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import type { MapPicture, MapSource } from "./mapImages.ts";

/** A picture with its class and the one predicted. */
export interface SeenPicture extends Omit<MapPicture, "image"> {
  readonly predicted: number;
}

/** Pictures with a row of features for each. */
export interface MapFeatures {
  readonly pictures: readonly SeenPicture[];
  readonly length: number;
  /** [pictures, length]. */
  readonly values: Float32Array;
}

/** 2 GB. */
const MOST_NUMBERS = 2 ** 29;

/**
 * Runs the network over the pictures; `onPicture` is given each of them as it was decoded. The layers that were opened are the one looked at, and the last.
 *
 * Throws ConfigError if their features do not fit in 2 GB, DataError if one is not finite; the signal's reason if that is aborted.
 */
export async function computeFeatures(
  opened: LayerOutputs,
  source: MapSource,
  onPicture: (image: Image) => void,
  { onProgress, signal }: { onProgress?: (images: number, of: number) => void; signal?: AbortSignal },
): Promise<MapFeatures> {
  const [{ layer, outputShape }] = opened.layers as readonly [PlacedLayer];
  const length = sizeOf(outputShape);
  if (source.length * length > MOST_NUMBERS) {
    throw new ConfigError(
      `layer "${layer.name}": expected at most ${MOST_NUMBERS} features together, got ${source.length} pictures with ${length} each; ` +
        "give fewer with --limit, or a layer further on",
    );
  }
  const values = new Float32Array(source.length * length);
  const pictures: SeenPicture[] = [];
  for await (const batch of source.batches()) {
    if (batch.length > 0) {
      const outputs = await opened.forward(opened.input, batch.length, { seed: 0, first: pictures.length });
      const features = (outputs[0] as Float32Array).subarray(0, batch.length * length);
      if (!features.every(Number.isFinite)) {
        throw new DataError(
          `layer "${layer.name}": expected finite features, got NaN or infinity; these weights have diverged`,
        );
      }
      values.set(features, pictures.length * length);
      const scores = outputs.at(-1) as Float32Array;
      const classes = scores.length / batch.length;
      for (const [row, { image, ...picture }] of batch.entries()) {
        onPicture(image());
        pictures.push({ ...picture, predicted: indexOfLargest(scores.subarray(row * classes, (row + 1) * classes)) });
      }
    }
    onProgress?.(pictures.length, source.length);
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return { pictures, length, values: values.subarray(0, pictures.length * length) };
}

function indexOfLargest(scores: Float32Array): number {
  return scores.reduce((best, score, c) => (score > (scores[best] as number) ? c : best), 0);
}
