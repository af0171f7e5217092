/**
 * What a compute engine is. Types only: the engines stand beside this file, and nothing here knows them. Longer than other files, so that all that an
 * engine must have stands in one.
 *
 * A network reaches an engine as a chain of operations. The engine compiles the chain for one batch size, mode and
 * precision into a program that owns its memory; a step of a program allocates nothing. Outside an engine every tensor
 * is plain f32 in NCHW (activations) or OIHW (weights); inside, its layout is the engine's own business.
 */
import type { Order } from "../hoistMaxPool.ts";
import type { Shape } from "../shape.ts";

/** A square pooling window; `endPadding` is the padding at the bottom and on the right, by default `padding`. */
export interface PoolWindow {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  readonly endPadding?: number | undefined;
}

/** Options of each kind of operation. A kind of layer is an operation of the same name and options. */
export interface OpOptions {
  readonly conv2d: {
    readonly outChannels: number;
    readonly kernelSize: number;
    readonly stride: number;
    readonly padding: number;
    readonly groups: number;
  };
  readonly relu: object;
  readonly tanh: object;
  readonly sigmoid: object;
  readonly localResponseNorm: {
    readonly size: number;
    readonly alpha: number;
    readonly beta: number;
    readonly k: number;
  };
  readonly maxPool2d: PoolWindow;
  readonly averagePool2d: PoolWindow & { readonly countIncludePad: boolean };
  readonly adaptiveAveragePool2d: { readonly outputSize: number };
  readonly flatten: object;
  readonly linear: { readonly outFeatures: number };
  readonly dropout: { readonly probability: number; readonly activeAtEvaluation: boolean };
}

export type OpKind = keyof OpOptions;

/** One operation of the chain, with shapes of one image (no batch). */
export interface Op<K extends OpKind = OpKind> {
  readonly kind: K;
  readonly name: string;
  readonly options: OpOptions[K];
  /** Rewrites of the chain follow from it. */
  readonly order: Order;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** `weight` and `bias` of conv2d (OIHW, [O]) and linear ([O, I], [O]); empty for other kinds. */
  readonly parameters: readonly ParameterShape[];
}

/** Any operation, discriminated by `kind`. */
export type AnyOp = { [K in OpKind]: Op<K> }[OpKind];

export interface ParameterShape {
  /** Unique in the network, such as `conv1.weight`. */
  readonly name: string;
  readonly shape: Shape;
}

/**
 * Number format of the compute: activations and their gradients, and the weights as they are multiplied. Sums, master weights, gradients
 * of weights, loss and optimizer state are f32 in both.
 */
export type Precision = "f32" | "bf16";

/** What to compile: a chain of operations for one batch size and precision. */
export interface CompileRequest {
  readonly ops: readonly AnyOp[];
  /** Shape of one image, [C, H, W]. */
  readonly inputShape: Shape;
  readonly batchSize: number;
  readonly precision: Precision;
  /**
   * Keep to direct convolution, which on whole numbers is exact as long as f32 sums are. Otherwise an engine may take an algorithm that
   * rounds more and is faster, such as Winograd's, by a rule that depends on nothing but the request, the library and the processor.
   * Default false.
   */
  readonly exact?: boolean;
  /** Also compute the gradient of the input images. Default false. */
  readonly inputGradient?: boolean;
  /**
   * Names of operations that training leaves as they are: no gradient of their parameters is computed, and the way down ends at the lowest
   * operation that learns. Default none.
   */
  readonly frozen?: readonly string[];
}

/** A tensor in an engine's own memory and layout; `shape` is that of its plain form. */
export interface Tensor {
  readonly shape: Shape;
}

/** A learned tensor of a program, by its name in the network. */
export interface Parameter {
  readonly name: string;
  readonly value: Tensor;
}

/** A parameter with the gradient of the loss by it, of the same shape and layout. */
export interface TrainableParameter extends Parameter {
  readonly gradient: Tensor;
}

/**
 * Which random numbers dropout takes: row r of the batch draws from the counter `first + r` of the stream
 * (seed, `dropout:<layer>`), so a mask is a function of (seed, layer, image or step) and not of the batch it is in.
 */
export interface DropoutDraws {
  readonly seed: number;
  readonly first: number;
}

/** A number of an update, taken as it is at each run: whoever made it may change it in between. */
export interface Scalar {
  value: number;
}

/** x ← x ∘ operand, element by element. */
export type BinaryOperation = readonly [operation: "add" | "subtract" | "multiply", operand: Tensor | Scalar];

/** x ← x², √x or 1 / x. */
export type UnaryOperation = readonly [operation: "square" | "squareRoot" | "reciprocal"];

/** target ← from, taken through the operations in order. The target may be among the tensors that it is made of. */
export interface Assignment {
  readonly target: Tensor;
  readonly from: Tensor;
  readonly operations: readonly [BinaryOperation, ...(BinaryOperation | UnaryOperation)[]];
}

/** Assignments ready to be done, as often as is wanted. */
export interface Update {
  run(): void;
}

/** What a step computes: a layer's output, a gradient by its input or its parameters, or new parameters. */
export type Direction = "forward" | "backwardData" | "backwardWeights" | "update";

/** One piece of native work of a program, and the time that its runs took. */
export interface KernelProfile {
  /** Name of the operation or parameter that it is for; `input`, `loss`. */
  readonly layer: string;
  readonly direction: Direction;
  /** What kind of work, such as `convolution` or `reorder`. */
  readonly work: string;
  /** The library's own name of the implementation, such as `jit:avx512_core`. */
  readonly implementation: string;
  readonly runs: number;
  /** Of all runs together. */
  readonly seconds: number;
}

/** A network compiled for inference. Calls must not overlap; results are valid until the next call, or until `close`. */
export interface Program {
  readonly batchSize: number;
  readonly precision: Precision;
  /**
   * [batchSize, …inputShape]: memory of the program's own for images. Calls with this very array compute on what was written there; other
   * arrays are copied to it.
   */
  readonly input: Float32Array;
  /** Shape of one image's output, `[classes]` for a classifier. */
  readonly outputShape: Shape;
  readonly parameters: readonly Parameter[];
  /** Bytes of memory that the program holds for parameters, their gradients, and activations with scratch space. */
  readonly memory: { readonly parameters: number; readonly gradients: number; readonly activations: number };
  /**
   * The network's output for `count` images (NCHW, `count` ≤ batch size), as at evaluation: dropout is off, except where
   * a layer says `activeAtEvaluation`. Returns [count, …outputShape].
   */
  forward(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array>;
  /**
   * Memory for `length` plain values on their way in or out, used again for each tensor: touching new memory takes longer than the way. Valid
   * until it is asked for again, the next pass forward, or `close`.
   */
  scratch(length: number): Float32Array;
  /** Throws ShapeError if the number of values differs from the tensor's. */
  write(tensor: Tensor, values: Float32Array): Promise<void>;
  /** The native work since it was compiled or the account was last taken, in the order of its first run; empty if the engine keeps none. */
  takeProfile(): readonly KernelProfile[];
  /** Frees all memory. Using the program afterwards throws; closing it again does nothing. */
  close(): void;
}

/** A network compiled for training. */
export interface TrainingProgram extends Program {
  /** Those that are trained. */
  readonly parameters: readonly TrainableParameter[];
  /** Those of frozen operations. */
  readonly frozen: readonly Parameter[];
  /** Gradient of the loss by the input images, if it was asked for at compile. */
  readonly inputGradient: Tensor | undefined;
  /**
   * The plain values of a tensor, written to `into` if given. A program for inference has no such thing: it may keep weights in a form that can
   * only be multiplied.
   */
  read(tensor: Tensor, into?: Float32Array): Promise<Float32Array>;
  /** As `forward`, but with dropout active: the first half of a step. */
  forwardTraining(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array>;
  /** From the gradient of the output of the `forwardTraining` just before ([count, …outputShape]) to every gradient; once for each. */
  backward(outputGradient: Float32Array): Promise<void>;
  /**
   * A whole step but the update: forward with dropout, softmax with cross-entropy, backward. The loss is −(1 / count) Σ target · log p over all
   * images and classes, and the gradients are its. A row of `targets` [count, classes] is a distribution over the classes, times the image's weight;
   * a target of 0 counts nothing, whatever p is. Throws ShapeError if there are fewer than `count` rows.
   */
  forwardBackward(
    images: Float32Array,
    targets: Float32Array,
    count: number,
    draws: DropoutDraws,
  ): Promise<{ readonly loss: number; readonly logits: Float32Array }>;
  /** A new tensor of zeros in the layout of another, such as a velocity for a weight. */
  newTensor(like: Tensor): Tensor;
  /**
   * Assignments, each of what those before it have made: an optimizer's arithmetic on one parameter. All tensors have one shape and layout, so
   * that an engine may do all of them on one part of the tensors after the other; the scalars may differ at each run, which allocates nothing.
   * Throws ShapeError if shapes or layouts differ. It belongs to the program.
   */
  compileUpdate(assignments: readonly Assignment[]): Update;
  /** Σ x² over all elements of a tensor; what is not finite gives what is not finite. */
  sumOfSquares(tensor: Tensor): number;
  /** The first trained parameter whose values, or gradient, are not all finite. */
  firstNonFinite(of: "values" | "gradients"): string | undefined;
}

/** Something that compiles networks and runs them. `compile` throws ShapeError or NativeError where the engine cannot have the chain. */
export interface Engine {
  /** The name used by `--engine`. */
  readonly name: string;
  /** One line for people: library, version, instruction set, threads. */
  readonly description: string;
  readonly threads: number;
  /** Whether the processor multiplies bf16 numbers natively, so that it is faster than f32. */
  readonly nativeBf16: boolean;
  /** Version of the library that computes, or of this package. */
  readonly version: string;
  compile(request: CompileRequest): Promise<Program>;
  compileTraining(request: CompileRequest): Promise<TrainingProgram>;
  close(): void;
}
