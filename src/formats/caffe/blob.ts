/** Blobs of a Caffe file: tensors of single precision. */
import { type Shape, sizeOf } from "../../shape.ts";
import { asFloats } from "../values.ts";
import type { BlobMessage } from "./messages.ts";

/** A tensor of a Caffe file. */
export interface Blob {
  /** Its extents as stated; four in the old form. */
  readonly shape: Shape;
  /** Bytes of its values, which may be more or fewer than its shape states. */
  readonly byteLength: number;
  /** True if it has values in double precision, which are not read. */
  readonly hasDoubles: boolean;
  /** Values in single precision; joined on first use, and a view of the file if possible. */
  values(): Float32Array;
}

/** A blob as stored. */
export function blobOf({ shape, num, channels, height, width, data, doubleData }: BlobMessage): Blob {
  let joined: Float32Array | undefined;
  return {
    shape: shape?.dim ?? [num ?? 1, channels ?? 1, height ?? 1, width ?? 1],
    byteLength: data.reduce((sum, { byteLength }) => sum + byteLength, 0),
    hasDoubles: doubleData.length > 0,
    values() {
      joined ??= asFloats(data.length === 1 ? (data[0] as Uint8Array) : Buffer.concat(data));
      return joined;
    },
  };
}

/** True if a blob has a value in single precision for each element of its shape. */
export function isFilled({ shape, byteLength }: Blob): boolean {
  return byteLength === Float32Array.BYTES_PER_ELEMENT * sizeOf(shape);
}
