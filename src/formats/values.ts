/** Tensor values as stored in files. */

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
