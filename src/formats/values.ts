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

/** Places of the elements of a strided view, in row-major order of its `shape`. */
export function* stridedPlaces(shape: Shape, strides: readonly number[], offset = 0): Generator<number> {
  const index = shape.map(() => 0);
  let place = offset;
  for (let left = sizeOf(shape); left > 0; left--) {
    yield place;
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

/** Strides of a row-major array. */
export function stridesOf(shape: Shape): readonly number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}
