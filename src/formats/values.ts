/** Tensor values as stored in files. */
import { type Shape, sizeOf } from "../shape.ts";

/** Reads four-byte values; returns a view if they are aligned. */
export function asFloats(content: Uint8Array): Float32Array {
  const aligned = content.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? content : new Uint8Array(content);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / Float32Array.BYTES_PER_ELEMENT);
}

/** [rows, columns] → [columns, rows]. */
export function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = matrix[r * columns + c] as number;
  }
  return result;
}

/** The columns of a matrix in another order: column i moves to column order[i]. */
export function reorderedColumns(matrix: Float32Array, order: Int32Array): Float32Array {
  const columns = order.length;
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < matrix.length; row += columns) {
    for (let i = 0; i < columns; i++) result[row + (order[i] as number)] = matrix[row + i] as number;
  }
  return result;
}

/** A view of some elements of an array: element [i, j, …] is at offset + i · strides[0] + j · strides[1] + …. */
export interface StridedView {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Copies a view of `from` to `to`, in row-major order of its shape; `to` has room for exactly these elements. */
export function copyStrided<T>(
  from: ArrayLike<T>,
  to: { [place: number]: T },
  { shape, strides, offset }: StridedView,
) {
  const index = shape.map(() => 0);
  const count = sizeOf(shape);
  let place = offset;
  for (let i = 0; i < count; i++) {
    to[i] = from[place] as T;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      place += strides[axis] as number;
      index[axis] = next;
      if (next < (shape[axis] as number)) break;
      index[axis] = 0;
      place -= next * (strides[axis] as number);
    }
  }
}

/** True if the elements of a view follow each other in row-major order; strides of axes of extent 1 do not matter. */
export function isContiguous({ shape, strides }: Omit<StridedView, "offset">): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] as number;
    if (extent !== 1 && strides[axis] !== expected) return false;
    expected *= extent;
  }
  return true;
}
