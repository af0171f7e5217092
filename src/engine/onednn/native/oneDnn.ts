/**
 * oneDNN as the engine sees it: the same few functions whichever version is loaded. Types only.
 *
 * One file for each API version implements this, with the C signatures that it alone has: `oneDnn2.ts`, `oneDnn3.ts`. What both share is in
 * `library.ts` and `commonSession.ts`.
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
  /** Scales of `int8Forward`. */
  | "outputScales"
  /** The operand of the i-th operation of `elementwise`. */
  | `operand${number}`
  /** The i-th term of `sum`. */
  | `term${number}`;

/** The layouts that an implementation can be asked for. */
export type QueryRole = Exclude<Role, "bias" | "diffBias" | "outputScales" | `operand${number}` | `term${number}`>;

/** Floating-point format of the numbers in a tensor. */
export type NumberFormat = "f32" | "bf16";

/** Format of the numbers in memory: 8-bit integers too, unsigned and signed. */
export type MemoryFormat = NumberFormat | "u8" | "s8";

/** An element-wise function; `alpha` is the slope of `relu` below 0, at least 0, and means nothing to the others. */
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
  /** At the bottom and on the right, if it differs. */
  readonly endPadding?: number | undefined;
}

/** `average` counts pixels inside the map only. */
export type PoolAlgorithm = "max" | "average" | "averageWithPadding";

export interface LrnOptions {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
  readonly region?: "withinChannel" | undefined;
}

/** What a matrix product adds to its result and applies to it, in this order. */
export interface MatmulOptions {
  /** Added: like dst, or with extent 1 in all axes but the last. */
  readonly bias?: Desc;
  /** Adds the product to what dst holds. Default false. */
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
 * Makes and runs primitives on one CPU stream, and owns all it made until `close`. Every call checks the library's status and
 * throws NativeError naming the call. Where a primitive descriptor is asked for, it is an UnimplementedError if the library does not
 * have the operation in these formats, layouts or algorithm.
 */
export interface Session {
  /** Layout left to the library. */
  any(dims: readonly number[], format: MemoryFormat): Desc;
  /** Row-major layout. */
  plain(dims: readonly number[], format: MemoryFormat): Desc;
  /** Element [i, j, …] lies i · strides[0] + j · strides[1] + … elements after the first. */
  strided(dims: readonly number[], strides: readonly number[], format: MemoryFormat): Desc;
  /** A part of a tensor as it lies in the whole. Offsets must be at multiples of the layout's blocks. */
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
   * As `weightedForward`, on u8 inputs and s8 weights: dst = activation(scale · (Σ src · weights + bias)), one scale per output channel, with sums in
   * s32. A u8 output is rounded, halves to the even integer, and clamped to 0 … 255. The scales are also the argument `outputScales`, [1, O] or
   * [1, O, 1, 1].
   */
  int8Forward(
    op: WeightedOp,
    window: ConvolutionWindow,
    activation: Activation | undefined,
    scales: Float32Array,
  ): PrimitiveDesc;
  /** `op.src` is the gradient to make. */
  weightedBackwardData(op: WeightedOp, window: ConvolutionWindow, forward: PrimitiveDesc): PrimitiveDesc;
  /** `op.weights` and `op.bias` are the gradients to make. */
  weightedBackwardWeights(op: WeightedOp, window: ConvolutionWindow, forward: PrimitiveDesc): PrimitiveDesc;
  activationForward(activation: Activation, data: Desc, training: boolean): PrimitiveDesc;
  /** From the forward output, not its input. */
  activationBackward(activation: Activation, gradient: Desc, output: Desc): PrimitiveDesc;
  lrnForward(data: Desc, options: LrnOptions, training: boolean): PrimitiveDesc;
  lrnBackward(gradient: Desc, data: Desc, options: LrnOptions, forward: PrimitiveDesc): PrimitiveDesc;
  poolForward(algorithm: PoolAlgorithm, src: Desc, dst: Desc, window: Window2d, training: boolean): PrimitiveDesc;
  poolBackward(
    algorithm: PoolAlgorithm,
    diffSrc: Desc,
    diffDst: Desc,
    window: Window2d,
    forward: PrimitiveDesc,
  ): PrimitiveDesc;
  /**
   * dst = src, taken through the operations in order, element by element, in f32. src and dst have one layout; their formats may differ: a result that is stored as an
   * integer is rounded and clamped. dst may be the memory of src or of an operand of its format: each element is read before it is written.
   */
  elementwise(
    src: Desc,
    dst: Desc,
    operations: readonly [BinaryOperation, ...(BinaryOperation | UnaryOperation)[]],
  ): PrimitiveDesc;
  /**
   * dst [M, N] = src [M, K] · weights [K, N]; with axes before those, one product for each of their positions. In these, an operand of extent 1
   * serves all positions.
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

  /** The layout that a primitive descriptor uses for a role; undefined if it does not use the role. */
  query(primitiveDesc: PrimitiveDesc, role: QueryRole): Desc | undefined;
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
  /** `2.6.3`. */
  readonly version: string;
  /** The widest instruction set that the library will use here, such as `AVX-512 BF16`. */
  readonly instructionSet: string;
  /** True if that instruction set multiplies bf16 numbers natively. */
  readonly nativeBf16: boolean;
  /** True if it multiplies 8-bit integers natively: VNNI, or AMX. */
  readonly nativeInt8: boolean;
  readonly path: string;
  session(): Session;
  /** Frees what all sessions share; they must be closed before. */
  close(): void;
}
