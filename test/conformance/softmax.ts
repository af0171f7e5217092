/** Mean loss of a batch and its gradient by the logits, from the definition. Shapes: logits [N, classes], labels [N]. */
export function softmax(logits: Float32Array, labels: readonly number[], classes: number) {
  const gradient = new Float64Array(logits.length);
  let total = 0;
  labels.forEach((label, r) => {
    const z = Float64Array.from(logits.subarray(r * classes, (r + 1) * classes));
    const sum = z.reduce((s, x) => s + Math.exp(x), 0);
    total += Math.log(sum) - (z[label] as number);
    z.forEach((x, c) => {
      gradient[r * classes + c] = (Math.exp(x) / sum - (c === label ? 1 : 0)) / labels.length;
    });
  });
  return { loss: total / labels.length, gradient };
}
