/** Makes rows of this length orthogonal and of norm 1: Gram and Schmidt's method, each row twice, which keeps it exact; a row that depends on those before it becomes 0. */
export function orthonormalize(rows: Float64Array, length: number): void {
  for (let at = 0; at < rows.length; at += length) {
    const row = rows.subarray(at, at + length);
    const before = norm(row);
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < at; other += length) {
        let product = 0;
        for (let k = 0; k < length; k++) product += (row[k] as number) * (rows[other + k] as number);
        for (let k = 0; k < length; k++) row[k] = (row[k] as number) - product * (rows[other + k] as number);
      }
    }
    const after = norm(row);
    const scale = after > 1e-12 * before ? 1 / after : 0;
    for (let k = 0; k < length; k++) row[k] = scale * (row[k] as number);
  }
}

/** Σ x². */
export function sumOfSquares(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

function norm(values: Float64Array): number {
  return Math.sqrt(sumOfSquares(values));
}
