/** The ONNX project's models of one operator, read and computed. */

import type { Engine } from "../src/engine/engine.ts";
import { AlexNetError, UnsupportedError } from "../src/errors.ts";
import { readMessage } from "../src/formats/containers/protobuf.ts";
import type { ImportedModel } from "../src/formats/importedModel.ts";
import { tensorTable } from "../src/formats/onnx/messages.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { type OnnxTensor, tensorOf } from "../src/formats/onnx/tensors.ts";
import { operations } from "../src/network/network.ts";
import { noDraws } from "./chains.ts";
import { readGolden } from "./golden.ts";

export interface OnnxCase {
  readonly name: string;
  readonly model: Uint8Array;
  /** Undefined where the golden leaves them out. */
  readonly input: OnnxTensor | undefined;
  readonly output: OnnxTensor | undefined;
}

interface Golden {
  readonly cases: Readonly<
    Record<string, { readonly model: string; readonly input?: string; readonly output?: string }>
  >;
}

export async function onnxCases(): Promise<readonly OnnxCase[]> {
  const { cases } = await readGolden<Golden>("onnx-nodes");
  const tensor = (base64: string | undefined, name: string) =>
    base64 === undefined
      ? undefined
      : tensorOf(readMessage(tensorTable, Buffer.from(base64, "base64"), name), new Map(), name);
  return Object.entries(cases).map(([name, { model, input, output }]) => ({
    name,
    model: Buffer.from(model, "base64"),
    input: tensor(input, name),
    output: tensor(output, name),
  }));
}

/** True if the recorded output is the logarithm of the probabilities that the network here has. */
export function endsInLogarithm({ name }: OnnxCase): boolean {
  return /logsoftmax/i.test(name);
}

/** The network of a case, or why there is none. Throws what is not an UnsupportedError. */
export function readCase({ model, name }: OnnxCase): ImportedModel | UnsupportedError {
  try {
    return readOnnx(model, name);
  } catch (error) {
    if (error instanceof UnsupportedError) return error;
    throw error instanceof AlexNetError ? new Error(`test: ${name}: ${error.message}`, { cause: error }) : error;
  }
}

/** The output of an imported model, with the softmax or sigmoid that ends it. */
export async function computeImported(
  engine: Engine,
  { network, tensors, metadata }: ImportedModel,
  images: Float32Array,
  count: number,
): Promise<Float32Array> {
  const program = await engine.compile({
    ops: operations(network),
    inputShape: network.input,
    batchSize: count,
    precision: "f32",
    exact: true,
  });
  try {
    for (const { name, value } of program.parameters)
      await program.write(value, tensors.get(name) ?? new Float32Array());
    const output = (await program.forward(images, count, noDraws)).slice();
    if (metadata.head === "sigmoid") return output.map((x) => 1 / (1 + Math.exp(-x)));
    return metadata.endsInSoftmax ? softmax(output, count) : output;
  } finally {
    program.close();
    engine.close();
  }
}

function softmax(logits: Float32Array, rows: number): Float32Array {
  const classes = logits.length / rows;
  const result = new Float32Array(logits.length);
  for (let row = 0; row < rows; row++) {
    const part = Float64Array.from(logits.subarray(row * classes, (row + 1) * classes));
    const largest = part.reduce((a, b) => Math.max(a, b));
    const exponentials = part.map((x) => Math.exp(x - largest));
    const sum = exponentials.reduce((a, b) => a + b, 0);
    result.set(
      exponentials.map((e) => e / sum),
      row * classes,
    );
  }
  return result;
}
