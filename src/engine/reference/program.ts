/** A network compiled for inference by the reference engine. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { alone, type BatchRows, firstRows, ownCount } from "../communicator.ts";
import type { CompileRequest, DropoutDraws, KernelProfile, Parameter, Program, Tensor } from "../engine.ts";
import type { Draw } from "./operation.ts";
import { forwardSegments, type RowDraw, type Segment, segmentsOf } from "./segments.ts";
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
  #segments: readonly Segment[] | undefined;

  constructor(request: CompileRequest, segments = segmentsOf(request, false), tensors = new Tensors()) {
    this.#request = request;
    this.#segments = segments;
    this.#tensors = tensors;
    this.batchSize = request.batchSize;
    this.precision = request.precision;
    this.#rows = firstRows(request.communicator ?? alone, request.gathers ?? [], request.batchSize);
    this.input = new Float32Array(this.#rows.count * sizeOf(request.inputShape));
    this.outputShape = outputShapeOf(request);
    const parameters = segments.flatMap(({ chain }) => chain.parameters.flat());
    this.parameters = parameters.map(({ name, shape, values }) => ({ name, value: tensors.add(shape, values) }));
    this.memory = {
      parameters: bytesOf(parameters.map((parameter) => parameter.values)),
      gradients: 0,
      activations: bytesOf(segments.flatMap(({ chain }) => chain.activations.flat())),
    };
  }

  async forward(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array> {
    return Float32Array.from(this.run(images, count, (r) => drawOf(draws, r, false)));
  }

  /** Output of each image of the batch, [count, …outputShape]; this process's image r is computed in row r, or in the only row. */
  run(images: Float32Array, count: number, draw: RowDraw): Float64Array {
    const segments = this.segments();
    const { inputShape, communicator = alone } = this.#request;
    const [inputSize, outputSize] = [sizeOf(inputShape), sizeOf(this.outputShape)];
    const rows = ownCount(this.#rows, count);
    if (!Number.isInteger(count) || count < 1 || count > this.batchSize || images.length < rows * inputSize) {
      throw new ShapeError(
        `batch: expected 1 to ${this.batchSize} images of ${inputSize} values, got ${count} in ${images.length} values`,
      );
    }
    return forwardSegments(segments, communicator, images, count, draw).subarray(0, count * outputSize);
  }

  /** A single buffer: calls block, so no earlier call still reads it. */
  async nextInput(): Promise<Float32Array> {
    this.segments();
    return this.input;
  }

  scratch(length: number): Float32Array {
    this.segments();
    return new Float32Array(length);
  }

  async write(tensor: Tensor, values: Float32Array): Promise<void> {
    this.#tensors.write(tensor, values);
  }

  takeProfile(): readonly KernelProfile[] {
    return [];
  }

  close(): void {
    this.#segments = undefined;
    this.#tensors.close();
  }

  /** Throws if the program is closed. */
  segments(): readonly Segment[] {
    if (!this.#segments) throw new ClosedError("program");
    return this.#segments;
  }
}

/** Shape of the whole output for one image. */
function outputShapeOf({ ops, inputShape, gathers = [], communicator = alone }: CompileRequest): Shape {
  const [features = 1, ...map] = ops.at(-1)?.outputShape ?? inputShape;
  const isDivided = gathers.some(({ before, axis }) => before === undefined && axis === "features");
  return [isDivided ? features * communicator.size : features, ...map];
}

/** Random numbers of row r. */
export function drawOf({ seed, first }: DropoutDraws, r: number, training: boolean): Draw {
  return { training, seed, counter: first + r };
}

export function bytesOf(arrays: readonly Float64Array[]): number {
  return arrays.reduce((bytes, array) => bytes + array.byteLength, 0);
}
