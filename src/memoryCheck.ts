/** Check that a chain of operations fits into this machine's memory, before anything is allocated. */
import { totalmem } from "node:os";
import { constrainedMemory } from "node:process";
import { bytesPerNumber, formatBytes, MAX_TENSOR_BYTES } from "./bytes.ts";
import { ShapeError } from "./errors.ts";
import { learned } from "./learned.ts";
import { formatShape, type Shape, sizeOf } from "./shape.ts";

/** A chain to compile, see `CompileRequest`. */
interface Chain {
  readonly ops: readonly {
    readonly name: string;
    readonly inputShape: Shape;
    readonly outputShape: Shape;
    readonly parameters: readonly { readonly shape: Shape; readonly isStatistic?: true }[];
  }[];
  readonly inputShape: Shape;
  readonly batchSize: number;
}

/** Bytes of memory that this process can have: the machine's, or its container's limit. */
export function memoryLimit(): number {
  const limit = constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/**
 * Throws ShapeError, naming the layer with the largest activations and the bytes, for a chain that needs more memory than `limit`. The bytes are a lower bound:
 * inference needs the parameters and one layer's input and output; training also needs the gradients and every input that a backward pass reads again.
 */
export function requireMemory(
  { ops, inputShape, batchSize }: Chain,
  purpose: "inference" | "training",
  limit = memoryLimit(),
): void {
  const bytes = (shape: Shape) => bytesPerNumber * sizeOf(shape);
  const images = `${batchSize} images of ${formatShape(inputShape)}`;
  const input = batchSize * bytes(inputShape);
  if (input > MAX_TENSOR_BYTES) {
    throw new ShapeError(
      `input: a batch of ${images} would need ${formatBytes(input)} ` +
        `(expected at most ${formatBytes(MAX_TENSOR_BYTES)}); use a smaller batch size`,
    );
  }
  const stored = ops.filter(({ parameters }) => parameters.length > 0);
  const all = stored.flatMap((op) => op.parameters);
  const bytesOf = (tensors: typeof all) => tensors.reduce((sum, { shape }) => sum + bytes(shape), 0);
  const parameters = bytesOf(all);
  const sizes = ops.map(({ name, inputShape: from, outputShape: to }) => ({
    name,
    bytes: batchSize * (bytes(from) + bytes(to)),
  }));
  const largest = sizes.reduce((most, next) => (next.bytes > most.bytes ? next : most), {
    name: "input",
    bytes: input,
  });
  const kept = stored.reduce((sum, op) => sum + batchSize * bytes(op.inputShape), 0);
  const training = parameters + bytesOf([...learned(all)]) + Math.max(kept, largest.bytes);
  const needed = purpose === "training" ? training : parameters + largest.bytes;
  if (needed <= limit) return;
  throw new ShapeError(
    `${largest.name}: ${purpose} with a batch of ${images} would need at least ${formatBytes(needed)}, ` +
      `${formatBytes(largest.bytes)} of it in this layer (expected at most ${formatBytes(limit)}, this machine's memory); ` +
      "use a smaller batch size or input",
  );
}
