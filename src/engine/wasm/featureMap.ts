/** Maps in the engine's layout: channels last, padded to whole vectors, with zeros around where a convolution reads beyond the map. */

import type { Kernels } from "./kernelModule.ts";
import { LANES } from "./kernels/kernel.ts";
import type { Place, Plan } from "./plan.ts";

/** Zeros around a map, in pixels. */
export interface Borders {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export const noBorders: Borders = { top: 0, left: 0, bottom: 0, right: 0 };

/** Extents of a map: channels, height, width; for a vector 1×1 pixels. */
export interface Extents {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** A map of every image of the batch. */
export interface FeatureMap extends Extents {
  /** The first pixel of the first image, inside the borders. */
  readonly place: Place;
  readonly borders: Borders;
  /** Values of a pixel: the channels, then zeros. */
  readonly lanes: number;
  /** Bytes from one pixel, row and image to the next. */
  readonly pixelBytes: number;
  readonly rowBytes: number;
  readonly imageBytes: number;
}

/** Channels rounded up to whole panels. */
export const padded = (channels: number): number => Math.ceil(channels / LANES) * LANES;

/** Extents of a shape without the batch. A vector is one pixel. */
export function extentsOf(shape: readonly number[]): Extents {
  const [channels = 1, height = 1, width = 1] = shape;
  return { channels, height, width };
}

/** A new map; a step that sets its borders to 0 where it has any. */
export function newMap(
  plan: Plan,
  kernels: Kernels,
  batchSize: number,
  extents: Extents,
  borders: Borders = noBorders,
  lanes = padded(extents.channels),
): FeatureMap {
  const { channels, height, width } = extents;
  const { top, left, bottom, right } = borders;
  const pixelBytes = 4 * lanes;
  const rowBytes = (left + width + right) * pixelBytes;
  const imageBytes = (top + height + bottom) * rowBytes;
  const buffer = plan.buffer(batchSize * imageBytes);
  const place = { buffer, offset: top * rowBytes + left * pixelBytes };
  if (top + left + bottom + right > 0) {
    plan.add("borders", kernels.borders, {
      y: { buffer, offset: 0 },
      yImage: imageBytes,
      yRow: rowBytes,
      allRows: top + height + bottom,
      top,
      rows: height,
      left: left * pixelBytes,
      inside: width * pixelBytes,
      right: right * pixelBytes,
    });
  }
  return { channels, height, width, place, borders, lanes, pixelBytes, rowBytes, imageBytes };
}

/** Arguments of a kernel for one operand of a given letter, such as `xImage`. */
type Operand<L extends string> = Readonly<Record<L | `${L}Image` | `${L}Row` | `${L}Pixel`, number | Place>>;

/** A map as the arguments of a kernel that are named with a letter. */
export function operand<const L extends string>(letter: L, map: FeatureMap): Operand<L> {
  return {
    [letter]: map.place,
    [`${letter}Image`]: map.imageBytes,
    [`${letter}Row`]: map.rowBytes,
    [`${letter}Pixel`]: map.pixelBytes,
  } as unknown as Operand<L>;
}
