/** Rows of an image between the two passes of resizing. */
import type { Image } from "../image.ts";

/** Rows of an image, from a column on. */
export interface SourceRows {
  readonly image: Image;
  readonly left: number;
  readonly top: number;
  readonly rows: number;
}

/** Rows that have their final width, pixel by pixel, and the number of the first of them in the window. */
export interface Strip {
  readonly data: Uint8ClampedArray;
  readonly firstRow: number;
  readonly rows: number;
  /** Values of a row. */
  readonly length: number;
  readonly channels: number;
}
