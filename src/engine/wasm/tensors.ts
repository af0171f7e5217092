/** Tensors that outlive a step, and the arithmetic on them: assignments of optimizers, sums of squares, checks. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { formatShape, sizeOf } from "../../shape.ts";
import type { Assignment, BinaryOperation, KernelProfile, Scalar, Tensor, UnaryOperation, Update } from "../engine.ts";
import type { Crew } from "./crew.ts";
import type { Kernels } from "./kernelModule.ts";
import type { Kernel } from "./kernels/kernel.ts";
import { CHUNK_BYTES, updateInstructions } from "./kernels/tensors.ts";
import type { Heap } from "./memory.ts";
import { type Arguments, type WrittenSteps, writeStep } from "./plan.ts";
import { type Layout, pack, unpack } from "./weights.ts";

/** A tensor in the engine's layout. */
export interface EngineTensor extends Tensor {
  readonly name: string;
  /** The parameter of which this is the value, gradient or velocity. */
  readonly parameter: string;
  readonly layout: Layout;
  readonly address: number;
}

/** Bytes of a tensor in the engine's layout. */
export const bytesOf = ({ layout }: EngineTensor): number => 4 * layout.length;

/** Means of computing of a program's tensors. */
interface TensorsOptions {
  readonly heap: Heap;
  readonly kernels: Kernels;
  readonly crew: Crew;
  readonly implementation: string;
}

/** The sums of squares of a tensor. */
interface Squares {
  readonly sums: Float64Array;
  run(): void;
}

/** The tensors of one program. */
export class Tensors {
  readonly #options: TensorsOptions;
  readonly #tensors = new Set<Tensor>();
  readonly #squares = new Map<Tensor, Squares>();
  readonly #steps: WrittenSteps[] = [];
  #isOpen = true;

  constructor(options: TensorsOptions, tensors: readonly EngineTensor[]) {
    this.#options = options;
    for (const tensor of tensors) this.#tensors.add(tensor);
  }

  /** Throws ClosedError after `close`. */
  requireOpen(): void {
    if (!this.#isOpen) throw new ClosedError("program");
  }

  /** False after the first call. */
  close(): boolean {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    return wasOpen;
  }

  /** Throws ShapeError if the tensor is not one of this program's, ClosedError if the program is closed. */
  own(tensor: Tensor): EngineTensor {
    this.requireOpen();
    if (this.#tensors.has(tensor)) return tensor as EngineTensor;
    throw new ShapeError(`tensor [${tensor.shape.join(", ")}]: made by another program`);
  }

  newTensor(like: Tensor): EngineTensor {
    const { name, ...rest } = this.own(like);
    const tensor = {
      ...rest,
      name: `tensor like ${name}`,
      address: this.#options.heap.allocate(bytesOf(this.own(like))),
    };
    this.#tensors.add(tensor);
    return tensor;
  }

  read(given: Tensor, into: Float32Array = new Float32Array(sizeOf(given.shape))): Float32Array {
    const tensor = this.own(given);
    requireLength(tensor, into);
    unpack(tensor.layout, this.#values(tensor), into);
    return into;
  }

  write(given: Tensor, values: Float32Array): void {
    const tensor = this.own(given);
    requireLength(tensor, values);
    pack(tensor.layout, values, this.#values(tensor));
  }

  #values({ address, layout }: EngineTensor): Float32Array {
    return this.#options.heap.floats(address, layout.length);
  }

  /** Throws ShapeError if the tensors differ in shape or layout. */
  compileUpdate(assignments: readonly Assignment[]): Update {
    const { heap, kernels } = this.#options;
    const tensors = assignments.flatMap(tensorsOf).map((tensor) => this.own(tensor));
    const [first] = tensors;
    if (!first) return { run() {} };
    for (const tensor of tensors) requireLike(first, tensor);
    const scalars = [...new Set(assignments.flatMap(scalarsOf))];
    const scalarAddress = heap.allocate(4 * scalars.length);
    const addressOf = (operand: Tensor | Scalar) =>
      isTensor(operand) ? this.own(operand).address : scalarAddress + 4 * scalars.indexOf(operand);
    const program = assignments.flatMap((assignment) => instructionsOf(assignment, addressOf));
    const start = heap.allocate(4 * program.length);
    heap.integers(start, program.length).set(program);
    const values = heap.floats(scalarAddress, scalars.length);
    const args = { bytes: bytesOf(first), program: start, programEnd: start + 4 * program.length };
    const run = this.#step(kernels.update, args, first.parameter, "elementwise");
    return {
      run: () => {
        this.requireOpen();
        for (let i = 0; i < scalars.length; i++) values[i] = (scalars[i] as Scalar).value;
        run();
      },
    };
  }

  /** Σ x², including padding, which is 0. The sums do not depend on the number of threads. */
  sumOfSquares(given: Tensor): number {
    const tensor = this.own(given);
    const squares = this.#squares.get(tensor) ?? this.#newSquares(tensor);
    this.#squares.set(tensor, squares);
    squares.run();
    return squares.sums.reduce((total, sum) => total + sum, 0);
  }

  #newSquares(tensor: EngineTensor): Squares {
    const { heap, kernels } = this.#options;
    const count = Math.ceil(bytesOf(tensor) / CHUNK_BYTES);
    const address = heap.allocate(8 * count);
    const args = { x: tensor.address, bytes: bytesOf(tensor), sums: address };
    return { sums: heap.doubles(address, count), run: this.#step(kernels.squares, args, tensor.parameter, "norm") };
  }

  /** A step of its own, in the direction of updates. */
  #step<K extends Kernel>(kernel: K, args: Arguments<K>, layer: string, work: string): () => void {
    const { heap, crew, implementation } = this.#options;
    const step = writeStep(heap, implementation, { kernel, args, layer, direction: "update", work });
    this.#steps.push(step);
    return () => crew.run({ address: step.address, count: 1 });
  }

  takeProfile(): readonly KernelProfile[] {
    return this.#steps.flatMap((step) => step.takeProfile());
  }
}

const isTensor = (operand: Tensor | Scalar): operand is Tensor => "shape" in operand;

function operandsOf({ operations }: Assignment): readonly (Tensor | Scalar)[] {
  return operations.flatMap(([, operand]) => operand ?? []);
}

function tensorsOf(assignment: Assignment): readonly Tensor[] {
  return [assignment.target, assignment.from, ...operandsOf(assignment).filter(isTensor)];
}

function scalarsOf(assignment: Assignment): readonly Scalar[] {
  return operandsOf(assignment).filter((operand): operand is Scalar => !isTensor(operand));
}

const binary = {
  add: ["addTensor", "addScalar"],
  subtract: ["subtractTensor", "subtractScalar"],
  multiply: ["multiplyTensor", "multiplyScalar"],
} as const satisfies Readonly<Record<BinaryOperation[0], readonly (keyof typeof updateInstructions)[]>>;

function instructionsOf(
  { target, from, operations }: Assignment,
  addressOf: (operand: Tensor | Scalar) => number,
): readonly number[] {
  const instruction = (operation: BinaryOperation | UnaryOperation): readonly number[] => {
    if (operation.length === 1) return [updateInstructions[operation[0]], 0];
    const [name, operand] = operation;
    const [ofTensor, ofScalar] = binary[name];
    return [updateInstructions[isTensor(operand) ? ofTensor : ofScalar], addressOf(operand)];
  };
  const { load, store } = updateInstructions;
  return [load, addressOf(from), ...operations.flatMap(instruction), store, addressOf(target)];
}

function requireLike(first: EngineTensor, { name, layout }: EngineTensor): void {
  if (layout.key === first.layout.key) return;
  throw new ShapeError(`${first.name}: cannot be combined with ${name}: another shape or layout`);
}

function requireLength({ name, shape }: EngineTensor, values: Float32Array): void {
  if (values.length === sizeOf(shape)) return;
  throw new ShapeError(`${name}: expected ${sizeOf(shape)} values (${formatShape(shape)}), got ${values.length}`);
}
