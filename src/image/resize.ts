import { ShapeError } from "../errors.ts";
import { enlargeAcross, enlargeDown, replaceLevels, resizeAcross, resizeDown } from "./passes.ts";
import { areBlends, linearTaps } from "./taps.ts";

/** Extent of a picture in pixels. */
export interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/** Resizes a picture (height × width × channels) to numbers (planes × height × width), from `offset` on in `target`. */
export type Resizer = (source: Uint8Array, target: Float32Array, offset: number) => void;

/**
 * Makes a bilinear resizer, equal to the bit to Pillow's `Image.resize((width, height), BILINEAR)` on 8-bit pictures:
 * half-pixel centres, a support that widens when shrinking (so nothing aliases), first rows, then columns, each rounded to
 * 8 bits. Each table makes a plane: of the picture's channel of the same number, or of its only one, with each of the 256 levels
 * replaced by its number in the table. Weights are computed once.
 *
 * Throws ShapeError (from the resizer) if the source does not have the size that was declared or the target has no room.
 */
export function createResizer(
  from: PixelSize & { readonly channels: number },
  to: PixelSize,
  tables: readonly Float32Array[],
): Resizer {
  const { width, height, channels } = from;
  const [sourceLength, planeLength] = [width * height * channels, to.width * to.height];
  const isSameSize = width === to.width && height === to.height;
  const [across, down] = [linearTaps(width, to.width), linearTaps(height, to.height)];
  const passAcross = areBlends(across) ? enlargeAcross : resizeAcross;
  const passDown = areBlends(down) ? enlargeDown : resizeDown;
  const repeats = tables.map(
    (table, p) => p >= channels && table.every((value, level) => value === tables[p - 1]?.[level]),
  );
  const between = new Uint8Array(to.width * height);
  return (source, target, offset) => {
    if (source.length !== sourceLength) {
      throw new ShapeError(`resize: source: expected ${sourceLength} bytes, got ${source.length}`);
    }
    const end = offset + tables.length * planeLength;
    if (offset < 0 || end > target.length) {
      throw new ShapeError(`resize: target: expected room from ${offset} to ${end}, got ${target.length} numbers`);
    }
    tables.forEach((table, p) => {
      const start = offset + p * planeLength;
      if (repeats[p]) {
        target.copyWithin(start, start - planeLength, start);
      } else if (isSameSize) {
        replaceLevels(source, p % channels, channels, table, target, start, planeLength);
      } else {
        if (p < channels) passAcross(source, p, channels, across, between, height);
        passDown(between, to.width, down, table, target, start);
      }
    });
  };
}
