/** A network compiled for training by the reference engine. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { requireWeights } from "../binaryCrossEntropy.ts";
import { alone, type BatchRows, type Communicator, firstRows } from "../communicator.ts";
import { dividedParameters, lowestIndex, totalSquares } from "../dividedTensors.ts";
import type {
  Assignment,
  CompileRequest,
  DropoutDraws,
  KernelProfile,
  Parameter,
  StepReading,
  Tensor,
  TrainableParameter,
  TrainingProgram,
  Update,
} from "../engine.ts";
import { requireOneProcess } from "../runningStatistics.ts";
import { binaryCrossEntropy } from "./binaryCrossEntropy.ts";
import { bytesOf, drawOf, ReferenceProgram } from "./program.ts";
import { GradientSegments, segmentsOf } from "./segments.ts";
import { softmaxCrossEntropy } from "./softmaxCrossEntropy.ts";
import { Tensors } from "./tensors.ts";
import { compileUpdate } from "./update.ts";

/** State of a `forwardTraining` for the next `backward`. */
interface Step {
  readonly count: number;
  readonly draws: DropoutDraws;
}

/** A network compiled for training: the activations of all images are kept for the backward pass. */
export class ReferenceTrainingProgram implements TrainingProgram {
  readonly batchSize;
  readonly precision;
  readonly input: Float32Array;
  readonly rows?: BatchRows;
  readonly outputShape;
  readonly parameters: readonly TrainableParameter[];
  readonly frozen: readonly Parameter[];
  readonly memory;
  readonly inputGradient: Tensor | undefined;
  readonly readback = { everySteps: 1 };
  readonly #program: ReferenceProgram;
  readonly #tensors: Tensors;
  readonly #inputGradient: Float64Array;
  readonly #loss: typeof softmaxCrossEntropy;
  readonly #communicator: Communicator;
  /** Running statistics that forward passes update. */
  readonly #statistics: readonly Parameter[];
  /** Values, gradients and their like of parameters that are divided among processes. */
  readonly #divided = new Set<Tensor>();
  #gradients: GradientSegments | undefined;
  #step: Step | undefined;

  constructor(request: CompileRequest) {
    const {
      batchSize,
      inputShape,
      inputGradient = false,
      frozen = [],
      loss,
      communicator = alone,
      gathers = [],
    } = request;
    requireOneProcess(request);
    const rows = firstRows(communicator, gathers, batchSize);
    const segments = segmentsOf(request, true);
    this.#communicator = communicator;
    if (rows.count < batchSize) this.rows = rows;
    const gradients = new GradientSegments(segments, request);
    const tensors = new Tensors();
    const program = new ReferenceProgram(request, segments, tensors);
    this.#program = program;
    this.#gradients = gradients;
    this.#tensors = tensors;
    this.batchSize = program.batchSize;
    this.precision = program.precision;
    this.input = program.input;
    this.outputShape = program.outputShape;
    if (loss) requireWeights(loss, program.outputShape);
    this.#loss = loss
      ? (logits, targets, scale, gradient) => binaryCrossEntropy(logits, targets, loss.positiveWeights, scale, gradient)
      : softmaxCrossEntropy;
    const trained = new Map(gradients.parameters.map(({ name, values }) => [name, values]));
    this.parameters = program.parameters.flatMap((parameter) => {
      const values = trained.get(parameter.name);
      return values ? [{ ...parameter, gradient: tensors.add(parameter.value.shape, values) }] : [];
    });
    const divided = dividedParameters(request.ops);
    for (const { name, value, gradient } of this.parameters) {
      if (divided.has(name)) this.#divided.add(value).add(gradient);
    }
    this.frozen = program.parameters.filter(({ name }) => !trained.has(name));
    const updated = request.ops.flatMap((op) =>
      frozen.includes(op.name) ? [] : op.parameters.flatMap(({ name, isStatistic }) => (isStatistic ? [name] : [])),
    );
    this.#statistics = program.parameters.filter(({ name }) => updated.includes(name));
    this.#inputGradient = new Float64Array(inputGradient ? rows.count * sizeOf(inputShape) : 0);
    if (inputGradient) this.inputGradient = tensors.add([rows.count, ...inputShape], this.#inputGradient);
    const activations = program.memory.activations + gradients.activationBytes + this.#inputGradient.byteLength;
    this.memory = { ...program.memory, gradients: bytesOf([...trained.values()]), activations };
  }

  nextInput(): Promise<Float32Array> {
    return this.#program.nextInput();
  }

  async forward(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array> {
    this.#step = undefined;
    return this.#program.forward(images, count, draws);
  }

  async forwardTraining(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array> {
    return Float32Array.from(this.#forwardTraining(images, count, draws));
  }

  async backward(outputGradient: Float32Array): Promise<void> {
    const gradients = this.#openGradients();
    if (!this.#step) throw new Error("backward: expected a forwardTraining just before it");
    const { count } = this.#step;
    const size = sizeOf(this.outputShape);
    if (outputGradient.length !== count * size) {
      throw new ShapeError(`backward: expected ${count * size} values of gradient, got ${outputGradient.length}`);
    }
    const whole = new Float64Array(this.batchSize * size);
    whole.set(outputGradient);
    this.#backward(gradients, this.#step, whole);
  }

  async forwardBackward(
    images: Float32Array,
    targets: Float32Array,
    count: number,
    draws: DropoutDraws,
  ): Promise<StepReading> {
    const [classes] = this.outputShape;
    if (this.outputShape.length !== 1 || classes === undefined) {
      throw new ShapeError(`loss: expected an output [classes], got [${this.outputShape.join(", ")}]`);
    }
    if (targets.length < count * classes) {
      throw new ShapeError(`targets: expected ${count} rows of ${classes} classes, got ${targets.length} values`);
    }
    const outputs = this.#forwardTraining(images, count, draws);
    const gradient = new Float64Array(this.batchSize * classes);
    let sum = 0;
    for (let r = 0; r < count; r++) {
      const [from, to] = [r * classes, (r + 1) * classes];
      const [row, own] = [targets.subarray(from, to), gradient.subarray(from, to)];
      sum += this.#loss(outputs.subarray(from, to), row, 1 / count, own);
    }
    this.#backward(this.#openGradients(), { count, draws }, gradient);
    return { loss: sum / count, logits: Float32Array.from(outputs) };
  }

  #forwardTraining(images: Float32Array, count: number, draws: DropoutDraws): Float64Array {
    const outputs = this.#program.run(images, count, (r) => drawOf(draws, r, true));
    this.#step = { count, draws };
    return outputs;
  }

  #openGradients(): GradientSegments {
    if (!this.#gradients) throw new ClosedError("program");
    return this.#gradients;
  }

  /** Shape of `outputGradient`: [batchSize, …outputShape]. */
  #backward(gradients: GradientSegments, { count, draws }: Step, outputGradient: Float64Array): void {
    this.#step = undefined;
    const gradient = gradients.backward(outputGradient, count, (r) => drawOf(draws, r, true));
    if (this.inputGradient) this.#inputGradient.set(gradient);
  }

  newTensor(like: Tensor): Tensor {
    const tensor = this.#tensors.add(like.shape, new Float64Array(this.#tensors.values(like).length));
    if (this.#divided.has(like)) this.#divided.add(tensor);
    return tensor;
  }

  compileUpdate(assignments: readonly Assignment[]): Update {
    return compileUpdate(assignments, this.#tensors);
  }

  async sumOfSquares(tensors: readonly Tensor[]): Promise<number> {
    const squaresOf = (tensor: Tensor) => this.#tensors.values(tensor).reduce((sum, x) => sum + x * x, 0);
    return totalSquares(this.#communicator, tensors, (tensor) => this.#divided.has(tensor), squaresOf);
  }

  async firstNonFinite(of: "values" | "gradients"): Promise<string | undefined> {
    const isFinite32 = (x: number) => Number.isFinite(Math.fround(x));
    const checked =
      of === "values"
        ? [...this.parameters, ...this.#statistics].map(({ name, value }) => ({ name, tensor: value }))
        : this.parameters.map(({ name, gradient }) => ({ name, tensor: gradient }));
    const index = checked.findIndex(({ tensor }) => !this.#tensors.values(tensor).every(isFinite32));
    return checked[lowestIndex(this.#communicator, index, this.#divided.size > 0)]?.name;
  }

  scratch(length: number): Float32Array {
    return this.#program.scratch(length);
  }

  async read(tensor: Tensor, into?: Float32Array): Promise<Float32Array> {
    return this.#tensors.read(tensor, into);
  }

  write(tensor: Tensor, values: Float32Array): Promise<void> {
    return this.#program.write(tensor, values);
  }

  takeProfile(): readonly KernelProfile[] {
    return this.#program.takeProfile();
  }

  close(): void {
    this.#gradients = undefined;
    this.#program.close();
  }
}
