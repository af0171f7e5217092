/** A network compiled for inference by the reference engine. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { alone, type BatchRows, ownCount, rowsOf } from "../communicator.ts";
import type { CompileRequest, DropoutDraws, KernelProfile, Parameter, Program, Tensor } from "../engine.ts";
import { Chain } from "./chain.ts";
import type { Draw } from "./operation.ts";
import { Tensors } from "./tensors.ts";

/** A network compiled for inference: images pass in order through memory for `rows` of them. */
export class ReferenceProgram implements Program {
  readonly batchSize;
  readonly precision;
  readonly input: Float32Array;
  readonly outputShape;
  readonly parameters: readonly Parameter[];
  readonly memory;
  readonly #request: CompileRequest;
  readonly #rows: BatchRows;
  readonly #tensors: Tensors;
  #chain: Chain | undefined;

  constructor(request: CompileRequest, chain = new Chain(request.ops, request.inputShape, 1), tensors = new Tensors()) {
    this.#request = request;
    this.#chain = chain;
    this.#tensors = tensors;
    this.batchSize = request.batchSize;
    this.precision = request.precision;
    this.#rows = rowsOf(request.communicator ?? alone, request.batchSize);
    this.input = new Float32Array(this.#rows.count * sizeOf(request.inputShape));
    this.outputShape = request.ops.at(-1)?.outputShape ?? request.inputShape;
    const parameters = chain.parameters.flat();
    this.parameters = parameters.map(({ name, shape, values }) => ({ name, value: tensors.add(shape, values) }));
    this.memory = {
      parameters: bytesOf(parameters.map((parameter) => parameter.values)),
      gradients: 0,
      activations: bytesOf(chain.activations.flat()),
    };
  }

  async forward(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array> {
    return this.run(images, count, (r) => drawOf(draws, r, false));
  }

  /** Output of each image of the batch. `draw` takes the row in the batch. */
  run(images: Float32Array, count: number, draw: (r: number) => Draw): Float32Array {
    const chain = this.chain();
    const { inputShape, communicator = alone } = this.#request;
    const [inputSize, outputSize] = [sizeOf(inputShape), sizeOf(this.outputShape)];
    const rows = ownCount(this.#rows, count);
    if (!Number.isInteger(count) || count < 1 || count > this.batchSize || images.length < rows * inputSize) {
      throw new ShapeError(
        `batch: expected 1 to ${this.batchSize} images of ${inputSize} values, got ${count} in ${images.length} values`,
      );
    }
    const own = new Float32Array(this.#rows.count * outputSize);
    const memory = chain.activations;
    // All images together if there is memory for them, so that they can share statistics.
    for (let first = 0; first < rows; first += memory.length) {
      const part = memory.slice(0, rows - first);
      part.forEach((activations, i) => {
        activations[0]?.set(images.subarray((first + i) * inputSize, (first + i + 1) * inputSize));
      });
      chain.forwardFrom(0, [...part.keys()], (i) => draw(this.#rows.first + first + i));
      part.forEach((activations, i) => {
        own.set(activations.at(-1) as Float64Array, (first + i) * outputSize);
      });
    }
    const all = new Float32Array(this.batchSize * outputSize);
    communicator.gather(own, all);
    communicator.wait();
    return all.subarray(0, count * outputSize);
  }

  /** A single buffer: calls block, so no earlier call still reads it. */
  async nextInput(): Promise<Float32Array> {
    this.chain();
    return this.input;
  }

  scratch(length: number): Float32Array {
    this.chain();
    return new Float32Array(length);
  }

  async write(tensor: Tensor, values: Float32Array): Promise<void> {
    this.#tensors.write(tensor, values);
  }

  takeProfile(): readonly KernelProfile[] {
    return [];
  }

  close(): void {
    this.#chain = undefined;
    this.#tensors.close();
  }

  /** Throws if the program is closed. */
  chain(): Chain {
    if (!this.#chain) throw new ClosedError("program");
    return this.#chain;
  }
}

/** Random numbers of row r. */
export function drawOf({ seed, first }: DropoutDraws, r: number, training: boolean): Draw {
  return { training, seed, counter: first + r };
}

export function bytesOf(arrays: readonly Float64Array[]): number {
  return arrays.reduce((bytes, array) => bytes + array.byteLength, 0);
}
