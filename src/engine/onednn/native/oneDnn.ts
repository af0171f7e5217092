/**
 * The engine's interface to oneDNN, independent of the loaded version. Types only.
 *
 * One file per API version implements it, with that version's C signatures: `oneDnn2.ts`, `oneDnn3.ts`. Shared code is in `library.ts` and
 * `commonSession.ts`.
 */

declare const kind: unique symbol;

/** A memory descriptor: extents, number format and layout of a tensor. */
export interface Desc {
  readonly [kind]: "desc";
}

/** A primitive descriptor: an operation with its implementation and layouts chosen, not yet compiled. */
export interface PrimitiveDesc {
  readonly [kind]: "primitiveDesc";
}

/** A compiled operation. */
export interface Primitive {
  readonly [kind]: "primitive";
}

/** A descriptor bound to an address. */
export interface Memory {
  readonly [kind]: "memory";
}

/** The arguments of a primitive, prepared once. */
export interface PreparedArgs {
  readonly [kind]: "args";
}

/** The place of a memory among a primitive's arguments. */
export type Role =
  | "src"
  | "dst"
  | "weights"
  | "bias"
  | "workspace"
  | "scratchpad"
  | "diffSrc"
  | "diffDst"
  | "diffWeights"
  | "diffBias"
  | "mean"
  | "variance"
  | "scale"
  | "shift"
  | "diffScale"
  | "diffShift"
  /** Scales of `int8Forward`. */
  | "outputScales"
  /** The operand of the i-th operation of `elementwise`. */
  | `operand${number}`
  /** The i-th term of `sum`. */
  | `term${number}`;

/** Layouts that a primitive can request. */
export type QueryRole = Extract<
  Role,
  "src" | "dst" | "weights" | "workspace" | "scratchpad" | "diffSrc" | "diffDst" | "diffWeights"
>;

/** Floating-point format of the numbers in a tensor. */
export type NumberFormat = "f32" | "bf16";

/** Format of the numbers in memory, including unsigned and signed 8-bit integers. */
export type MemoryFormat = NumberFormat | "u8" | "s8";

/** An element-wise function; `alpha` is the slope of `relu` below 0, at least 0; other functions ignore it. */
export interface Activation {
  readonly name: "relu" | "tanh" | "sigmoid";
  readonly alpha: number;
}

/** x ← x ∘ operand; the operand is like x, or one number. */
export interface BinaryOperation {
  readonly operation: "add" | "subtract" | "multiply" | "divide";
  readonly operand: Desc;
}

/** x ← f(x). `round` rounds to the nearest integer, halves to the even one. */
export interface UnaryOperation {
  readonly operation: "square" | "squareRoot" | "reciprocal" | "round";
}

export interface Window2d {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  /** Padding at the bottom and on the right, if it differs. */
  readonly endPadding?: number | undefined;
}

/** `average` counts only pixels inside the map. */
export type PoolAlgorithm = "max" | "average" | "averageWithPadding";

export interface LrnOptions {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
  readonly region?: "withinChannel" | undefined;
}

/** Options of batch normalization. */
export interface BatchNorm {
  readonly eps: number;
  /** Computes mean and variance from the batch; otherwise they are given. */
  readonly usesBatch: boolean;
  /** Has scale and shift. */
  readonly scales: boolean;
}

/** Operations on the result of a matrix product, in this order. */
export interface MatmulOptions {
  /** Added to the product: shaped like dst, or with extent 1 in all axes but the last. */
  readonly bias?: Desc;
  /** Adds the product to the contents of dst. Default false. */
  readonly accumulate?: boolean;
  readonly activation?: Activation | undefined;
}

/** Descriptors of a convolution or inner product: `weights` and the rest may be `any` for the library to choose. */
export interface WeightedOp {
  readonly src: Desc;
  readonly weights: Desc;
  readonly bias: Desc;
  readonly dst: Desc;
}

/** A convolution's geometry and algorithm; absent for an inner product. */
export type ConvolutionWindow =
  | (Pick<Window2d, "stride" | "padding"> & { readonly algorithm: "direct" | "winograd" })
  | undefined;

/**
 * Creates and runs primitives on one CPU stream, and owns them until `close`. Every call checks the library's status and throws NativeError naming the
 * call. Requests for a primitive descriptor throw UnimplementedError if the library lacks the operation in these formats, layouts or algorithm.
 */
export interface Session {
  /** Layout left to the library. */
  any(dims: readonly number[], format: MemoryFormat): Desc;
  /** Row-major layout. */
  plain(dims: readonly number[], format: MemoryFormat): Desc;
  /** Element [i, j, …] lies i · strides[0] + j · strides[1] + … elements after the first. */
  strided(dims: readonly number[], strides: readonly number[], format: MemoryFormat): Desc;
  /** A part of a tensor within the whole. Offsets must be multiples of the layout's blocks. */
  slice(whole: Desc, dims: readonly number[], offsets: readonly number[]): Desc;
  bytes(desc: Desc): number;
  same(a: Desc, b: Desc): boolean;

  /** Convolution with a window, inner product without. `activation` is applied to the result. */
  weightedForward(
    op: WeightedOp,
    window: ConvolutionWindow,
    training: boolean,
    activation: Activation | undefined,
  ): PrimitiveDesc;
  /**
   * Like `weightedForward`, on u8 inputs and s8 weights: dst = activation(scale · (Σ src · weights + bias)), one scale per output channel, with sums in
   * s32. A u8 output is rounded, halves to the even integer, and clamped to 0 … 255. The scales are also the argument `outputScales`, [1, O] or
   * [1, O, 1, 1].
   */
  int8Forward(
    op: WeightedOp,
    window: ConvolutionWindow,
    activation: Activation | undefined,
    scales: Float32Array,
  ): PrimitiveDesc;
  /** `op.src` is the gradient to compute. */
  weightedBackwardData(op: WeightedOp, window: ConvolutionWindow, forward: PrimitiveDesc): PrimitiveDesc;
  /** `op.weights` and `op.bias` are the gradients to compute. */
  weightedBackwardWeights(op: WeightedOp, window: ConvolutionWindow, forward: PrimitiveDesc): PrimitiveDesc;
  activationForward(activation: Activation, data: Desc, training: boolean): PrimitiveDesc;
  /** Computed from the forward output, not its input. */
  activationBackward(activation: Activation, gradient: Desc, output: Desc): PrimitiveDesc;
  lrnForward(data: Desc, options: LrnOptions, training: boolean): PrimitiveDesc;
  lrnBackward(gradient: Desc, data: Desc, options: LrnOptions, forward: PrimitiveDesc): PrimitiveDesc;
  /** dst = (src − mean) / √(variance + eps) · scale + shift for each channel; mean, variance, scale and shift are f32. */
  batchNormForward(data: Desc, options: BatchNorm, training: boolean): PrimitiveDesc;
  /** Computes `diffSrc`; with scales also `diffScale` and `diffShift`. Reads `scale`, and before 3.x also `shift`. */
  batchNormBackward(data: Desc, options: BatchNorm, forward: PrimitiveDesc): PrimitiveDesc;
  poolForward(algorithm: PoolAlgorithm, src: Desc, dst: Desc, window: Window2d, training: boolean): PrimitiveDesc;
  poolBackward(
    algorithm: PoolAlgorithm,
    diffSrc: Desc,
    diffDst: Desc,
    window: Window2d,
    forward: PrimitiveDesc,
  ): PrimitiveDesc;
  /**
   * dst = the operations applied to src in order, element by element, in f32. src and dst have one layout; their formats may differ. A result stored as
   * an integer is rounded and clamped. dst may be the memory of src or of an operand of its format: each element is read before it is written.
   */
  elementwise(
    src: Desc,
    dst: Desc,
    operations: readonly [BinaryOperation, ...(BinaryOperation | UnaryOperation)[]],
  ): PrimitiveDesc;
  /**
   * dst [M, N] = src [M, K] · weights [K, N]; additional leading axes are batch axes. An operand with extent 1 in a batch axis
   * is broadcast.
   */
  matmul(src: Desc, weights: Desc, dst: Desc, options?: MatmulOptions): PrimitiveDesc;
  /** Over the last axis of [N, classes]. */
  logSoftmaxForward(data: Desc): PrimitiveDesc;
  logSoftmaxBackward(gradient: Desc, data: Desc, forward: PrimitiveDesc): PrimitiveDesc;
  /** dst = Σ scale · term. dst may be the first term's memory. Needs no scratchpad. */
  sum(dst: Desc, scales: readonly number[], terms: readonly Desc[]): PrimitiveDesc;
  /** Sums over the axes in which dst has extent 1. */
  reduceSum(src: Desc, dst: Desc): PrimitiveDesc;
  /** Copies src to dst, changing the layout. */
  reorder(src: Desc, dst: Desc): PrimitiveDesc;

  /** The layout that a primitive descriptor uses for a role; undefined for an unused role. */
  query(primitiveDesc: PrimitiveDesc, role: QueryRole): Desc | undefined;
  /** Number of tensors that a primitive descriptor reads. */
  inputCount(primitiveDesc: PrimitiveDesc): number;
  /** The implementation's own name, such as `jit:avx512_core`. */
  implementation(primitiveDesc: PrimitiveDesc): string;
  primitive(primitiveDesc: PrimitiveDesc): Primitive;
  memory(desc: Desc, address: bigint): Memory;
  args(memories: readonly (readonly [Role, Memory])[]): PreparedArgs;
  execute(primitive: Primitive, args: PreparedArgs): void;
  close(): void;
}

/** A loaded oneDNN. */
export interface OneDnn {
  /** Version, such as `2.6.3`. */
  readonly version: string;
  /** The widest instruction set that the library uses on this processor, such as `AVX-512 BF16`. */
  readonly instructionSet: string;
  /** True if the library computes in bf16 with that instruction set, natively or not. */
  readonly hasBf16: boolean;
  /** True if that instruction set multiplies bf16 numbers natively. */
  readonly nativeBf16: boolean;
  /** True if it multiplies 8-bit integers natively: VNNI, or AMX. */
  readonly nativeInt8: boolean;
  readonly path: string;
  session(): Session;
  /** Frees memory shared by all sessions, which must be closed before. */
  close(): void;
}
