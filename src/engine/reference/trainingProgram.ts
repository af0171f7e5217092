/** A network compiled for training by the reference engine. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { requireWeights } from "../binaryCrossEntropy.ts";
import { alone, type BatchRows, type Communicator, ownCount, rowsOf } from "../communicator.ts";
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
import { Chain, GradientChain } from "./chain.ts";
import { bytesOf, drawOf, ReferenceProgram } from "./program.ts";
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
  readonly #rows: BatchRows;
  #gradients: GradientChain | undefined;
  #step: Step | undefined;

  constructor(request: CompileRequest) {
    const { batchSize, inputShape, inputGradient = false, frozen = [], loss, communicator = alone } = request;
    requireOneProcess(request);
    const rows = rowsOf(communicator, batchSize);
    const chain = new Chain(request.ops, inputShape, rows.count, frozen);
    this.#communicator = communicator;
    this.#rows = rows;
    if (communicator.size > 1) this.rows = rows;
    const gradients = new GradientChain(chain, inputGradient ? "input" : "parameters", frozen);
    const tensors = new Tensors();
    const program = new ReferenceProgram(request, chain, tensors);
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
    const trained = new Map(gradients.parameters.flat().map(({ name, values }) => [name, values]));
    this.parameters = program.parameters.flatMap((parameter) => {
      const values = trained.get(parameter.name);
      return values ? [{ ...parameter, gradient: tensors.add(parameter.value.shape, values) }] : [];
    });
    this.frozen = program.parameters.filter(({ name }) => !trained.has(name));
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
    return this.#forwardTraining(images, count, draws);
  }

  async backward(outputGradient: Float32Array): Promise<void> {
    const gradients = this.#openGradients();
    if (!this.#step) throw new Error("backward: expected a forwardTraining just before it");
    const { count } = this.#step;
    const size = sizeOf(this.outputShape);
    if (outputGradient.length !== count * size) {
      throw new ShapeError(`backward: expected ${count * size} values of gradient, got ${outputGradient.length}`);
    }
    this.#backward(gradients, this.#step, (r) => outputGradient.subarray(r * size, (r + 1) * size));
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
    const logits = this.#forwardTraining(images, count, draws);
    const gradient = new Float64Array(classes);
    const losses = new Float64Array(this.#rows.count);
    this.#backward(this.#openGradients(), { count, draws }, (r) => {
      const row = targets.subarray(r * classes, (r + 1) * classes);
      const own = r - this.#rows.first;
      losses[own] = this.#loss(this.#outputOf(own), row, 1 / count, gradient);
      return gradient;
    });
    const all = new Float64Array(this.batchSize);
    this.#communicator.gather(losses, all);
    this.#communicator.wait();
    return { loss: all.reduce((sum, loss) => sum + loss, 0) / count, logits };
  }

  #forwardTraining(images: Float32Array, count: number, draws: DropoutDraws): Float32Array {
    const output = this.#program.run(images, count, (r) => drawOf(draws, r, true));
    this.#step = { count, draws };
    return output;
  }

  #outputOf(row: number): Float64Array {
    return this.#program.chain().activations[row]?.at(-1) as Float64Array;
  }

  #openGradients(): GradientChain {
    if (!this.#gradients) throw new ClosedError("program");
    return this.#gradients;
  }

  /** `outputGradient` takes the row in the batch. */
  #backward(gradients: GradientChain, { count, draws }: Step, outputGradient: (r: number) => ArrayLike<number>): void {
    this.#step = undefined;
    gradients.clear();
    this.#inputGradient.fill(0);
    const { first } = this.#rows;
    const rows = Array.from({ length: ownCount(this.#rows, count) }, (_, own) => own);
    gradients.backwardAll(
      rows,
      (own) => drawOf(draws, first + own, true),
      (own) => outputGradient(first + own),
    );
    if (this.inputGradient) {
      for (const own of rows) {
        const gradient = gradients.inputGradient(own);
        this.#inputGradient.set(gradient, own * gradient.length);
      }
    }
    for (const { values } of gradients.parameters.flat()) this.#communicator.sum(values);
    this.#communicator.wait();
  }

  newTensor(like: Tensor): Tensor {
    return this.#tensors.add(like.shape, new Float64Array(this.#tensors.values(like).length));
  }

  compileUpdate(assignments: readonly Assignment[]): Update {
    return compileUpdate(assignments, this.#tensors);
  }

  async sumOfSquares(tensors: readonly Tensor[]): Promise<number> {
    const squaresOf = (tensor: Tensor) => this.#tensors.values(tensor).reduce((sum, x) => sum + x * x, 0);
    return tensors.reduce((sum, tensor) => sum + squaresOf(tensor), 0);
  }

  async firstNonFinite(of: "values" | "gradients"): Promise<string | undefined> {
    const isFinite32 = (x: number) => Number.isFinite(Math.fround(x));
    const tensorOf = ({ value, gradient }: TrainableParameter) => (of === "values" ? value : gradient);
    return this.parameters.find((parameter) => !this.#tensors.values(tensorOf(parameter)).every(isFinite32))?.name;
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
