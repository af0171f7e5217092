/**
 * The interface of compute engines. Types only: each engine is a folder beside this file, and nothing here imports one. Over 300 lines, so that
 * the whole contract stands in one file.
 *
 * A network reaches an engine as a chain of operations. The engine compiles the chain for one batch size, mode and
 * precision into a program that owns its memory; a step of a program allocates nothing. Outside an engine every tensor
 * is plain f32 in NCHW (activations) or OIHW (weights); inside, its layout is the engine's own business.
 *
 * An engine may compute on the calling thread, in worker threads, or on a device. So a program's work runs in the order of the calls, not of their
 * promises, and every number that is read back is a promise.
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

/** A chain of operations to compile, for one batch size and precision. */
export interface CompileRequest {
  readonly ops: readonly AnyOp[];
  /** Shape of one image, [C, H, W]. */
  readonly inputShape: Shape;
  readonly batchSize: number;
  readonly precision: Precision;
  /**
   * Keep to direct convolution, which on whole numbers is exact as long as f32 sums are. Otherwise an engine may take an algorithm that
   * rounds otherwise and is faster, such as the discrete Fourier transform, by a rule that depends on nothing but the request, the library and the
   * processor.
   * Default false.
   */
  readonly exact?: boolean;
  /** Also compute the gradient of the input images. Default false. */
  readonly inputGradient?: boolean;
  /**
   * Names of operations that training leaves unchanged: their parameters get no gradient, and backward stops at the lowest operation that
   * learns. Default none.
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

/** A parameter with the gradient of the loss with respect to it, of the same shape and layout. */
export interface TrainableParameter extends Parameter {
  readonly gradient: Tensor;
}

/**
 * The random numbers of dropout: row r of the batch draws from the counter `first + r` of the stream
 * (seed, `dropout:<layer>`), so a mask is a function of (seed, layer, image or step) and not of the batch it is in.
 */
export interface DropoutDraws {
  readonly seed: number;
  readonly first: number;
}

/** A number of an update, read at each run: its owner may change it in between. */
export interface Scalar {
  value: number;
}

/** x ← x ∘ operand, element by element. */
export type BinaryOperation = readonly [operation: "add" | "subtract" | "multiply", operand: Tensor | Scalar];

/** x ← x², √x or 1 / x. */
export type UnaryOperation = readonly [operation: "square" | "squareRoot" | "reciprocal"];

/** target ← the operations applied to `from` in order. The target may be one of the operands. */
export interface Assignment {
  readonly target: Tensor;
  readonly from: Tensor;
  readonly operations: readonly [BinaryOperation, ...(BinaryOperation | UnaryOperation)[]];
}

/** Compiled assignments, to be run any number of times. */
export interface Update {
  run(): void;
}

/** Part of a step: a layer's output, the gradient of its input or of its parameters, or new parameters. */
export type Direction = "forward" | "backwardData" | "backwardWeights" | "update";

/** One kernel of a program, and the time of its runs. */
export interface KernelProfile {
  /** Name of its operation or parameter; `input`, `loss`. */
  readonly layer: string;
  readonly direction: Direction;
  /** Kind of work, such as `convolution` or `reorder`. */
  readonly work: string;
  /** The library's own name of the implementation, such as `jit:avx512_core`. */
  readonly implementation: string;
  readonly runs: number;
  /** Total of all runs. */
  readonly seconds: number;
  /** Floating-point operations of all runs, where they are others than those of the direct algorithm. */
  readonly flops?: number;
}

/**
 * A network compiled for inference.
 *
 * Calls may be made before the promises of earlier ones resolve; their work runs in the order of the calls. Arrays passed to a call are read before it
 * returns, except the program's own input buffers, see `nextInput`.
 */
export interface Program {
  readonly batchSize: number;
  readonly precision: Precision;
  /**
   * [batchSize, …inputShape]: an input buffer of the program, for callers that await each call before they write the next images. Calls with this
   * very array compute in place; other arrays are copied into it.
   */
  readonly input: Float32Array;
  /** Shape of one image's output, `[classes]` for a classifier. */
  readonly outputShape: Shape;
  readonly parameters: readonly Parameter[];
  /** Algorithm of each convolution, such as `direct`, by the name of its operation; absent if the engine has only one. */
  readonly algorithms?: Readonly<Record<string, string>>;
  /** Bytes of memory that the program holds for parameters, their gradients, and activations with scratch space. */
  readonly memory: { readonly parameters: number; readonly gradients: number; readonly activations: number };
  /**
   * An input buffer that no call still reads, to prepare the next images in while earlier ones compute. It resolves once there is one: at once where
   * calls block, or where a device has copied its input; otherwise when the call before the last is done. Until a call is given the buffer, it
   * resolves to the same one.
   */
  nextInput(): Promise<Float32Array>;
  /**
   * The network's output for `count` images (NCHW, `count` ≤ batch size), as at evaluation: dropout is off, except where
   * a layer says `activeAtEvaluation`. Returns [count, …outputShape], memory of the caller's own.
   */
  forward(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array>;
  /**
   * A reusable staging buffer of `length` values for reading or writing tensors; page-faulting fresh memory would cost more than the copy. Valid until
   * the next call of `scratch` or `forward`, or until `close`.
   */
  scratch(length: number): Float32Array;
  /** Throws ShapeError if the number of values differs from the tensor's. */
  write(tensor: Tensor, values: Float32Array): Promise<void>;
  /** The native work since compilation or the last call, in the order of its first run; empty if the engine keeps no profile. */
  takeProfile(): readonly KernelProfile[];
  /** Frees all memory, after calls in flight. Using the program afterwards throws ClosedError; closing it again does nothing. */
  close(): void;
}

/** Numbers of a training step, read back. */
export interface StepReading {
  /** Mean over the step's images. */
  readonly loss: number;
  /** [count, classes]. Valid until `readback.everySteps` later steps have begun, or until another pass, or `close`. */
  readonly logits: Float32Array;
}

/** A network compiled for training. */
export interface TrainingProgram extends Program {
  /** The trained ones. */
  readonly parameters: readonly TrainableParameter[];
  /** Those of frozen operations. */
  readonly frozen: readonly Parameter[];
  /** Gradient of the loss with respect to the input images, if requested at compile. */
  readonly inputGradient: Tensor | undefined;
  /**
   * Training reads numbers after this many steps at the latest, and before every checkpoint: 1 if reading is free, as in shared memory; up to 20 if
   * it would make a device wait.
   */
  readonly readback: { readonly everySteps: number };
  /**
   * The plain values of a tensor, written to `into` if given. Only for training: a program for inference may keep weights in a
   * form that can only be multiplied.
   */
  read(tensor: Tensor, into?: Float32Array): Promise<Float32Array>;
  /** As `forward`, but with dropout active: the first half of a step. The result is valid until another pass. */
  forwardTraining(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array>;
  /** From the gradient of the output of the `forwardTraining` just before ([count, …outputShape]) to every gradient; once for each. */
  backward(outputGradient: Float32Array): Promise<void>;
  /**
   * A whole step but the update: forward with dropout, softmax with cross-entropy, backward. The loss is −(1 / count) Σ target · log p over all
   * images and classes, and the gradients are its. A row of `targets` [count, classes] is a distribution over the classes, times the image's weight;
   * a target of 0 counts nothing, whatever p is. The promise resolves once the numbers have arrived; updates need not wait for it. Throws ShapeError
   * if there are fewer than `count` rows.
   */
  forwardBackward(
    images: Float32Array,
    targets: Float32Array,
    count: number,
    draws: DropoutDraws,
  ): Promise<StepReading>;
  /** A new tensor of zeros in the layout of another, such as a velocity for a weight. */
  newTensor(like: Tensor): Tensor;
  /**
   * Compiles assignments, each of which sees the results of those before it: an optimizer's arithmetic on one parameter. All tensors have one shape
   * and layout, so that an engine may run all assignments on one part of the tensors after the other. A run allocates nothing. The program owns the
   * update. Throws ShapeError if shapes or layouts differ.
   */
  compileUpdate(assignments: readonly Assignment[]): Update;
  /** Σ x² over all elements of all tensors; a value that is not finite gives a sum that is not. */
  sumOfSquares(tensors: readonly Tensor[]): Promise<number>;
  /** Name of the first trained parameter whose values, or gradient, are not all finite. */
  firstNonFinite(of: "values" | "gradients"): Promise<string | undefined>;
}

/** A number format that an engine compiles. */
export interface PrecisionSupport {
  readonly name: Precision;
  /** The hardware has instructions for it. Otherwise it is emulated, slower than f32, or compiling it throws UnimplementedError. */
  readonly native: boolean;
}

/** Compiles networks and runs them. `compile` throws ShapeError or NativeError if the engine cannot run the chain. */
export interface Engine {
  /** The name used by `--engine`. */
  readonly name: string;
  /** One line for people: library, version, instruction set, threads. */
  readonly description: string;
  /** Version of the library that computes, or of this package. */
  readonly version: string;
  /** Threads of this machine that compute; 0 if a device does. */
  readonly threads: number;
  /** The fastest first. */
  readonly precisions: readonly PrecisionSupport[];
  /** `compileTraining` is supported; otherwise it throws UnimplementedError. */
  readonly trains: boolean;
  compile(request: CompileRequest): Promise<Program>;
  compileTraining(request: CompileRequest): Promise<TrainingProgram>;
  /** Closes its programs, then frees all memory. Compiling afterwards throws ClosedError; closing it again does nothing. */
  close(): void;
}
