/**
 * Interface of compute engines. Types only: each engine is a folder next to this file, and nothing here imports one. Over 300 lines, so that
 * the whole contract is in one file.
 *
 * An engine receives a network as a chain of operations, and compiles it for one batch size, mode and precision into a program that owns its
 * memory. A step of a program allocates nothing. Outside an engine every tensor is plain f32 in NCHW (activations) or OIHW (weights); inside, the
 * engine chooses the layout.
 *
 * An engine may compute on the calling thread, in worker threads, or on a device. So a program's work runs in the order of the calls, not of their
 * promises, and every value read back is a promise.
 */
import type { Order } from "../hoistMaxPool.ts";
import type { Int8Effect, Int8Scheme } from "../int8.ts";
import type { Shape } from "../shape.ts";
import type { BatchRows, Communicator } from "./communicator.ts";

/** A square pooling window, in pixels of the input. */
export interface PoolWindow {
  /** Height and width of the window. */
  readonly kernelSize: number;
  /** Distance between two windows. */
  readonly stride: number;
  /** Padding at the top and on the left. */
  readonly padding: number;
  /** Padding at the bottom and on the right. Default: `padding`. */
  readonly endPadding?: number | undefined;
}

/** Options of each kind of operation. A kind of layer is an operation of the same name and options. */
export interface OpOptions {
  /** Square kernels; sizes in pixels of the input. */
  readonly conv2d: {
    readonly outChannels: number;
    readonly kernelSize: number;
    readonly stride: number;
    /** Zeros on each side. */
    readonly padding: number;
    /** Divides input and output channels; each output reads the inputs of its own group. */
    readonly groups: number;
  };
  /** A kernel for each output. Square kernels; sizes in pixels of the input. */
  readonly localConv2d: {
    readonly outChannels: number;
    readonly kernelSize: number;
    readonly stride: number;
    /** Zeros on each side. */
    readonly padding: number;
  };
  readonly relu: object;
  readonly tanh: object;
  readonly sigmoid: object;
  /** x / (k + alpha / size · Σ x²)^beta. */
  readonly localResponseNorm: {
    /** Number of channels in the sum, odd. */
    readonly size: number;
    readonly alpha: number;
    readonly beta: number;
    readonly k: number;
    /** Neighbours in the same channel, `size`×`size`. Default: `size` channels at the same position. */
    readonly region?: "withinChannel" | undefined;
  };
  /**
   * (x − mean) / √(variance + eps) · weight + bias for each channel. In training, mean and variance are those of the batch, and the running statistics
   * become (1 − momentum) · running + momentum · batch. At evaluation, and where the operation is frozen, they are the running statistics.
   */
  readonly batchNorm2d: {
    readonly eps: number;
    readonly momentum: number;
    /** Has `weight` and `bias`; otherwise they are 1 and 0. */
    readonly affine: boolean;
  };
  readonly maxPool2d: PoolWindow;
  /** `countIncludePad` counts the padding as zeros. */
  readonly averagePool2d: PoolWindow & { readonly countIncludePad: boolean };
  /** `outputSize` is the height and width of the output. */
  readonly adaptiveAveragePool2d: { readonly outputSize: number };
  readonly flatten: object;
  readonly linear: { readonly outFeatures: number };
  /** `probability` of setting a value to 0, from 0 to below 1. */
  readonly dropout: { readonly probability: number; readonly activeAtEvaluation: boolean };
}

/** Kinds of operations, and of the layers that they compute. */
export type OpKind = keyof OpOptions;

/** An operation of the chain, with shapes for one image (no batch). */
export interface Op<K extends OpKind = OpKind> {
  readonly kind: K;
  readonly name: string;
  readonly options: OpOptions[K];
  /** Determines the rewrites that are allowed. */
  readonly order: Order;
  /** Inference in int8 follows from it. */
  readonly inInt8: Int8Effect;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /**
   * `weight` and `bias` of conv2d (OIHW, [O]), localConv2d (the same, with O outputs of a map), linear ([O, I], [O]) and batchNorm2d ([C], [C]), whose
   * `running_mean` and `running_var` [C] follow; empty for other kinds.
   */
  readonly parameters: readonly ParameterShape[];
}

/** Any operation, discriminated by `kind`. */
export type AnyOp = { [K in OpKind]: Op<K> }[OpKind];

/** Name and shape of a tensor that training changes. */
export interface ParameterShape {
  /** Unique in the network, such as `conv1.weight`. */
  readonly name: string;
  readonly shape: Shape;
  /** True for a running statistic: forward passes of training update it, and it has no gradient. */
  readonly isStatistic?: true;
}

/**
 * Number format of activations, their gradients, and weights as multiplied. Accumulation, master weights, weight gradients, loss and optimizer
 * state are always f32.
 */
export type Precision = "f32" | "bf16";

/** Number formats of inference: int8 multiplies 8-bit integers, by the scheme of `InferenceRequest.quantization`. */
export type InferencePrecision = Precision | "int8";

/**
 * Binary cross-entropy of independent classes: the mean over images and classes of −w · t · log σ(z) − (1 − t) · log (1 − σ(z)), with logits z and
 * targets t from 0 to 1.
 *
 * Source: torch.nn.BCEWithLogitsLoss with `pos_weight`.
 */
export interface BinaryCrossEntropy {
  /** w: the weight of a positive target of each class, [classes]. */
  readonly positiveWeights: readonly number[];
}

/** A chain of operations to compile, for one batch size and precision. */
export interface CompileRequest {
  /** In order: each operation's input is the output of the previous one. */
  readonly ops: readonly AnyOp[];
  /** Shape of one image, [C, H, W]. */
  readonly inputShape: Shape;
  /** Maximum number of images per call. */
  readonly batchSize: number;
  readonly precision: Precision;
  /**
   * Use direct convolution only, which is exact for integers as long as f32 sums are. Otherwise an engine may choose a faster algorithm with other
   * rounding, such as the discrete Fourier transform, by a rule that depends only on the request, the library and the processor. Default: false.
   */
  readonly exact?: boolean;
  /** Also compute the gradient of the input images. Default: false. */
  readonly inputGradient?: boolean;
  /**
   * Names of operations that training leaves unchanged: their parameters have no gradient, their running statistics are used and kept, and the backward
   * pass stops at the first operation that is trained. Default: none.
   */
  readonly frozen?: readonly string[];
  /** Loss of `forwardBackward`. Default: softmax with cross-entropy. */
  readonly loss?: BinaryCrossEntropy | undefined;
  /**
   * Processes that train together, each of which computes an equal part of every batch. Scores and loss are those of the whole batch, and gradients
   * are summed, so that all processes continue with the same numbers. Default: this process alone.
   */
  readonly communicator?: Communicator;
}

/** A chain to compile for inference. */
export interface InferenceRequest extends Omit<CompileRequest, "precision" | "loss" | "communicator"> {
  readonly precision: InferencePrecision;
  /** Rounding of weights and activations, which are those of the exported 8-bit file. Required for int8, unused otherwise. */
  readonly quantization?: Int8Scheme;
}

/** A tensor in an engine's own memory and layout; `shape` is that of its plain form. */
export interface Tensor {
  readonly shape: Shape;
}

/** A parameter of a program, named as in the network. */
export interface Parameter {
  readonly name: string;
  readonly value: Tensor;
}

/** A parameter with the gradient of the loss with respect to it, in the same shape and layout. */
export interface TrainableParameter extends Parameter {
  readonly gradient: Tensor;
}

/**
 * Random numbers of dropout: row r of the batch uses the counter `first + r` of the stream (seed, `dropout:<layer>`). A mask is thus a function of
 * (seed, layer, image or step), not of the batch.
 */
export interface DropoutDraws {
  readonly seed: number;
  readonly first: number;
}

/** A number used by an update, read at each run; its owner may change it between runs. */
export interface Scalar {
  value: number;
}

/** x ← x ∘ operand, element by element. */
export type BinaryOperation = readonly [operation: "add" | "subtract" | "multiply", operand: Tensor | Scalar];

/** x ← x², √x or 1 / x. */
export type UnaryOperation = readonly [operation: "square" | "squareRoot" | "reciprocal"];

/** target ← the operations applied to `from`, in order. The target may be an operand. */
export interface Assignment {
  readonly target: Tensor;
  readonly from: Tensor;
  readonly operations: readonly [BinaryOperation, ...(BinaryOperation | UnaryOperation)[]];
}

/** Compiled assignments, for repeated runs. */
export interface Update {
  /** Applies the update to every parameter. */
  run(): void;
}

/** Part of a step: a layer's output, the gradient of its input or parameters, or new parameters. */
export type Direction = "forward" | "backwardData" | "backwardWeights" | "update";

/** A kernel of a program, and the time of its runs. */
export interface KernelProfile {
  /** Name of its operation or parameter; also `input` and `loss`. */
  readonly layer: string;
  readonly direction: Direction;
  /** Kind of work, such as `convolution` or `reorder`. */
  readonly work: string;
  /** The library's name of the implementation, such as `jit:avx512_core`. */
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
 * Calls may be made before the promises of earlier ones resolve; their work runs in the order of the calls. Arrays passed to a call are read before
 * it returns, except the program's own input buffers, see `nextInput`.
 */
export interface Program {
  readonly batchSize: number;
  readonly precision: InferencePrecision;
  /**
   * `[batchSize, …inputShape]`: an input buffer of the program, for callers that await each call before they write the next images. Calls with this
   * very array compute in place; other arrays are copied into it.
   */
  readonly input: Float32Array;
  /**
   * Rows of a batch whose images this process passes in, if several processes compute it: `input` then holds `rows.count` images. `count`, draws,
   * targets and results are those of the whole batch. Absent for a single process.
   */
  readonly rows?: BatchRows;
  /** Shape of one image's output, `[classes]` for a classifier. */
  readonly outputShape: Shape;
  readonly parameters: readonly Parameter[];
  /** Algorithm of each convolution, such as `direct`, by the name of its operation; absent if the engine has only one. */
  readonly algorithms?: Readonly<Record<string, string>>;
  /** Bytes that the program allocates for parameters, their gradients, and activations with scratch memory. */
  readonly memory: { readonly parameters: number; readonly gradients: number; readonly activations: number };
  /**
   * Returns an input buffer that no call still reads, for preparing the next images while earlier ones compute. Resolves once there is one:
   * immediately if calls block or a device has copied its input, otherwise after the call before the last. Until the buffer is passed to a call,
   * returns the same one.
   */
  nextInput(): Promise<Float32Array>;
  /**
   * The network's output for `count` images (NCHW, `count` ≤ batch size), as at evaluation: dropout is off except in layers with
   * `activeAtEvaluation`. Returns [count, …outputShape] in memory that the caller owns. Throws ShapeError for a `count` that is not from 1 to the batch
   * size, or too few values.
   */
  forward(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array>;
  /**
   * A reusable staging buffer of `length` values for reading or writing tensors; page-faulting fresh memory would cost more than the copy. Valid
   * until the next call of `scratch` or `forward`, or until `close`.
   */
  scratch(length: number): Float32Array;
  /** Writes a tensor's plain values, row by row in the order of its shape. Throws ShapeError if their number differs from the tensor's. */
  write(tensor: Tensor, values: Float32Array): Promise<void>;
  /**
   * The memory of a tensor that is stored as `write` takes it, for reading a file straight into it instead of a copy and `write`; undefined for other
   * tensors, absent if the engine has none. Do not read it: the engine may change its contents.
   */
  memoryOf?(tensor: Tensor): Float32Array | undefined;
  /** Profile of kernels since compilation or the last call, in the order of their first run; empty if the engine records none. */
  takeProfile(): readonly KernelProfile[];
  /** Frees all memory, after calls in flight. Later use of the program throws ClosedError; closing it again does nothing. */
  close(): void;
}

/** Results of a training step. */
export interface StepReading {
  /** Mean over the step's images. */
  readonly loss: number;
  /** [count, classes]. Valid until `readback.everySteps` later steps have started, another pass, or `close`. */
  readonly logits: Float32Array;
}

/** A network compiled for training. */
export interface TrainingProgram extends Program {
  /** Trained parameters. */
  readonly parameters: readonly TrainableParameter[];
  /** Tensors without a gradient: parameters of frozen operations, and running statistics. */
  readonly frozen: readonly Parameter[];
  /** Gradient of the loss with respect to the input images, if requested at compilation. */
  readonly inputGradient: Tensor | undefined;
  /**
   * Maximum number of steps after which training reads results, besides before every checkpoint: 1 if reading is free, as in shared memory; up to 20
   * if it makes a device wait.
   */
  readonly readback: { readonly everySteps: number };
  /**
   * Reads a tensor's plain values, row by row in the order of its shape, into `into` if given. Only for training: an inference program may store weights
   * in a form that can only be multiplied. Throws ShapeError if `into` has another length.
   */
  read(tensor: Tensor, into?: Float32Array): Promise<Float32Array>;
  /**
   * Like `forward`, with dropout active and the statistics of the batch: the first half of a step. Updates running statistics. The result is valid until
   * another pass. Throws ShapeError as `forward`, and for statistics of a single value per channel.
   */
  forwardTraining(images: Float32Array, count: number, draws: DropoutDraws): Promise<Float32Array>;
  /**
   * Computes all gradients from the output gradient of the preceding `forwardTraining` ([count, …outputShape]); once per forward pass. Throws ShapeError
   * for another number of values.
   */
  backward(outputGradient: Float32Array): Promise<void>;
  /**
   * A complete step except the update: forward with dropout, loss, backward. By default, the loss is softmax with cross-entropy,
   * −(1 / count) Σ target · log p over all images and classes. A row of `targets` [count, classes] is then a distribution over the classes, times the
   * image's weight; a target of 0 contributes nothing, whatever p is. For another loss, see `CompileRequest.loss`. The promise resolves once the results have arrived; updates need not wait for it. Throws ShapeError as `forward`, for fewer
   * than `count` rows, and if the output is not [classes].
   */
  forwardBackward(
    images: Float32Array,
    targets: Float32Array,
    count: number,
    draws: DropoutDraws,
  ): Promise<StepReading>;
  /** Creates a tensor of zeros in the layout of another, such as a velocity for a weight. */
  newTensor(like: Tensor): Tensor;
  /**
   * Compiles assignments, each of which uses the results of those before it: an optimizer's arithmetic on one parameter. All tensors have the same
   * shape and layout, so an engine may run all assignments on one part of the tensors after the other. A run allocates nothing. The program owns the
   * update. Throws ShapeError if shapes or layouts differ.
   */
  compileUpdate(assignments: readonly Assignment[]): Update;
  /** Σ x² over all elements of all tensors; NaN or infinite if a value is. */
  sumOfSquares(tensors: readonly Tensor[]): Promise<number>;
  /** Name of the first trained parameter with a non-finite value or gradient; undefined if there is none. */
  firstNonFinite(of: "values" | "gradients"): Promise<string | undefined>;
}

/** A number format supported by an engine. */
export interface PrecisionSupport<P extends InferencePrecision = Precision> {
  readonly name: P;
  /** The hardware has instructions for it. Otherwise it is emulated, slower than f32, or compiling it throws UnimplementedError. */
  readonly native: boolean;
}

/** Compiles networks and runs them. Its owner closes it. */
export interface Engine {
  /** Name for `--engine`. */
  readonly name: string;
  /** One line for people: library, version, instruction set, threads. */
  readonly description: string;
  /** Version of the compute library, or of this package. */
  readonly version: string;
  /** Number of compute threads on this machine; 0 if a device computes. */
  readonly threads: number;
  /** Formats of training and inference. */
  readonly precisions: readonly PrecisionSupport[];
  /** The fastest of `precisions` on this processor. */
  readonly fastestPrecision: Precision;
  /** Formats of inference: those of training, and others. */
  readonly inferencePrecisions: readonly PrecisionSupport<InferencePrecision>[];
  /** `compileTraining` is supported; otherwise it throws UnimplementedError. */
  readonly trains: boolean;
  /**
   * Compiles a chain for inference. Throws ShapeError or NativeError if the engine cannot run it, UnimplementedError if it lacks the precision, ClosedError
   * after `close`.
   */
  compile(request: InferenceRequest): Promise<Program>;
  /** Compiles a chain for training. Throws as `compile`; UnimplementedError also if the engine does not train. */
  compileTraining(request: CompileRequest): Promise<TrainingProgram>;
  /** Closes its programs, then frees all memory. Compiling afterwards throws ClosedError; closing it again does nothing. */
  close(): void;
}
