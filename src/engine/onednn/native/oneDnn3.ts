/**
 * oneDNN's C API, versions 3.x. Descriptors are handles; one call describes an operation and creates its primitive descriptor.
 *
 * One function is longer than most: it contains everything specific to this API. Names follow `dnnl.h`. Values and
 * signatures are those of the headers of 3.0, 3.3, 3.7.2 and 3.12.1, which agree.
 */
import {
  asHandle,
  attributesWith,
  attributesWithOperations,
  commonSession,
  openScope,
  ownPrimitiveDesc,
} from "./commonSession.ts";
import {
  algorithm,
  backwardPropagation,
  batchNormFlags,
  binary,
  both,
  dims,
  FORMAT_ANY,
  FORWARD_TRAINING,
  formats,
  type Library,
  LRN_TYPES,
  loadLibrary,
  lrnAlgorithms,
  lrnArgs,
  POINTER as P,
  plainStrides,
  pooling,
  propagation,
  REDUCTION_SUM,
  types,
  weighted,
} from "./library.ts";
import type {
  Activation,
  ConvolutionWindow,
  Desc,
  MemoryFormat,
  OneDnn,
  PrimitiveDesc,
  Session,
  UnaryOperation,
  WeightedOp,
  Window2d,
} from "./oneDnn.ts";

const SOFTMAX_LOG = 196609;
const eltwise: Record<Activation["name"], { plain: number; useDst: number }> = {
  relu: { plain: 32, useDst: 256 },
  tanh: { plain: 33, useDst: 257 },
  sigmoid: { plain: 41, useDst: 260 },
};
const normFlags = { globalStatistics: 1, scale: 2, shift: 4 } as const;
const MULTIPLE_POST_OP = 32768;
/** Kind, α and β; the reciprocal is α x^β. */
const unary: Record<UnaryOperation["operation"], readonly [kind: number, alpha: number, beta: number]> = {
  square: [35, 0, 0],
  squareRoot: [37, 0, 0],
  reciprocal: [48, 1, -1],
  round: [50, 0, 0],
};
const NO_ATTRIBUTES = 0n;
/** Mask of the result's scales. */
const UNDEFINED_FORMAT = 0;

/** Dilation in the library's convention: the distance between a window's pixels, minus one. */
const DENSE = both(0);

/** Loads the library at `path`, which must be of version 3.x. */
export function loadOneDnn3(path: string, version: string): OneDnn {
  return loadLibrary(path, version, createSession);
}

function windowArgs(window: ConvolutionWindow): readonly unknown[] {
  return window ? [both(window.stride), DENSE, both(window.padding), both(window.padding)] : [];
}

function poolArgs({ stride, kernelSize, padding, endPadding = padding }: Window2d): readonly unknown[] {
  return [both(stride), both(kernelSize), DENSE, both(padding), both(endPadding)];
}

function createSession(library: Library): Session {
  const { call, engine, attr, queryDesc } = library;
  const scope = openScope(library);

  const memoryDesc = (make: (slot: BigUint64Array) => void): Desc => scope.own("dnnl_memory_desc_destroy", make);
  /** `args` come between the engine and the attributes; for a backward operation, the last one is the forward primitive descriptor. */
  function primitiveDesc(name: string, argTypes: string, args: readonly unknown[], attributes = attr): PrimitiveDesc {
    return ownPrimitiveDesc(scope, (slot) =>
      call(`dnnl_${name}_primitive_desc_create`, `${P}, ${P}, ${argTypes}, ${P}`, slot, engine, ...args, attributes),
    );
  }
  const strided = (extents: readonly number[], strides: BigInt64Array, format: MemoryFormat) =>
    memoryDesc((slot) => {
      const args = [extents.length, dims(extents), formats[format], strides];
      call("dnnl_memory_desc_create_with_strides", `${P}, int, ${P}, int, ${P}`, slot, ...args);
    });
  function appendActivation(postOps: bigint, { name, alpha }: Activation): void {
    call("dnnl_post_ops_append_eltwise", `${P}, int, float, float`, postOps, eltwise[name].plain, alpha, 0);
  }
  /** Multiplication by `factors`, then the activation. */
  function activationAttributes(activation: Activation | undefined, factors?: Desc): bigint {
    return attributesWith(library, scope, (postOps) => {
      if (factors) call("dnnl_post_ops_append_binary", `${P}, int, ${P}`, postOps, binary.multiply, factors);
      if (!activation) return;
      appendActivation(postOps, activation);
    });
  }
  function forwardOf(op: WeightedOp, window: ConvolutionWindow, training: boolean, attributes: bigint): PrimitiveDesc {
    const descs = [op.src, op.weights, op.bias, op.dst];
    const args = [propagation(training), ...algorithm(window), ...descs, ...windowArgs(window)];
    const signature = window ? types(["int", 2], [P, 8]) : types(["int", 1], [P, 4]);
    return primitiveDesc(`${weighted(window)}_forward`, signature, args, attributes);
  }

  return {
    ...commonSession(library, scope, MULTIPLE_POST_OP),
    any: (extents, format) =>
      memoryDesc((slot) => {
        const args = [extents.length, dims(extents), formats[format], FORMAT_ANY];
        call("dnnl_memory_desc_create_with_tag", `${P}, int, ${P}, int, int`, slot, ...args);
      }),
    plain: (extents, format) => strided(extents, plainStrides(extents), format),
    strided: (extents, strides, format) => strided(extents, dims(strides), format),
    slice: (whole, extents, offsets) =>
      memoryDesc((slot) =>
        call("dnnl_memory_desc_create_submemory", types([P, 4]), slot, whole, dims(extents), dims(offsets)),
      ),
    /** Owned by the primitive descriptor, which lives as long as the session. */
    query: (pd, role) => queryDesc(asHandle(pd), role) as Desc | undefined,

    weightedForward: (op, window, training, activation) =>
      forwardOf(op, window, training, activation ? activationAttributes(activation) : attr),
    /** The library's own scales multiply before the bias is added: one rounding more than 2.x and the exported file. */
    int8Forward(op, window, activation, scales) {
      const operand = memoryDesc((slot) => {
        const extents = [1, scales.length, ...(window ? [1, 1] : [])];
        const args = [extents.length, dims(extents), formats.f32, plainStrides(extents)];
        call("dnnl_memory_desc_create_with_strides", `${P}, int, ${P}, int, ${P}`, slot, ...args);
      });
      return forwardOf(op, window, false, activationAttributes(activation, operand));
    },
    weightedBackwardData(op, window, forward) {
      const args = [...algorithm(window), op.src, op.weights, op.dst, ...windowArgs(window), forward];
      const signature = window ? types(["int", 1], [P, 8]) : types([P, 4]);
      return primitiveDesc(`${weighted(window)}_backward_data`, signature, args);
    },
    weightedBackwardWeights(op, window, forward) {
      const args = [...algorithm(window), op.src, op.weights, op.bias, op.dst, ...windowArgs(window), forward];
      const signature = window ? types(["int", 1], [P, 9]) : types([P, 5]);
      return primitiveDesc(`${weighted(window)}_backward_weights`, signature, args);
    },
    activationForward(activation, data, training) {
      const kind = training ? eltwise[activation.name].useDst : eltwise[activation.name].plain;
      return primitiveDesc("eltwise_forward", `int, int, ${P}, ${P}, float, float`, [
        propagation(training),
        kind,
        data,
        data,
        activation.alpha,
        0,
      ]);
    },
    activationBackward(activation, gradient, output) {
      const { useDst } = eltwise[activation.name];
      const hintArgs = [FORWARD_TRAINING, useDst, output, output, activation.alpha, 0];
      const hint = primitiveDesc("eltwise_forward", `int, int, ${P}, ${P}, float, float`, hintArgs);
      const args = [useDst, gradient, gradient, output, activation.alpha, 0, hint];
      return primitiveDesc("eltwise_backward", `int, ${types([P, 3])}, float, float, ${P}`, args);
    },
    lrnForward(data, options, training) {
      const args = [
        propagation(training),
        lrnAlgorithms[options.region ?? "acrossChannels"],
        data,
        data,
        ...lrnArgs(options),
      ];
      return primitiveDesc("lrn_forward", `int, int, ${P}, ${P}, ${LRN_TYPES}`, args);
    },
    lrnBackward(gradient, data, options, forward) {
      const args = [
        lrnAlgorithms[options.region ?? "acrossChannels"],
        gradient,
        gradient,
        data,
        ...lrnArgs(options),
        forward,
      ];
      return primitiveDesc("lrn_backward", `int, ${types([P, 3])}, ${LRN_TYPES}, ${P}`, args);
    },
    batchNormForward(data, options, training) {
      const args = [propagation(training), data, data, options.eps, batchNormFlags(options, normFlags)];
      return primitiveDesc("batch_normalization_forward", `int, ${P}, ${P}, float, uint`, args);
    },
    batchNormBackward(data, options, forward) {
      const flags = batchNormFlags(options, normFlags);
      const args = [backwardPropagation(options.scales), data, data, data, options.eps, flags, forward];
      return primitiveDesc("batch_normalization_backward", `int, ${types([P, 3])}, float, uint, ${P}`, args);
    },
    poolForward(kind, src, dst, window, training) {
      const args = [propagation(training), pooling[kind], src, dst, ...poolArgs(window)];
      return primitiveDesc("pooling_forward", types(["int", 2], [P, 7]), args);
    },
    poolBackward(kind, diffSrc, diffDst, window, forward) {
      const args = [pooling[kind], diffSrc, diffDst, ...poolArgs(window), forward];
      return primitiveDesc("pooling_backward", types(["int", 1], [P, 8]), args);
    },
    elementwise(src, dst, [first, ...then]) {
      const attributes = attributesWithOperations(library, scope, then, (postOps, operation) => {
        const [kind, alpha, beta] = unary[operation];
        call("dnnl_post_ops_append_eltwise", `${P}, int, float, float`, postOps, kind, alpha, beta);
      });
      return primitiveDesc(
        "binary",
        types(["int", 1], [P, 3]),
        [binary[first.operation], src, first.operand, dst],
        attributes,
      );
    },
    matmul(src, weights, dst, { bias, accumulate = false, activation } = {}) {
      const attributes = attributesWith(library, scope, (postOps) => {
        if (accumulate) call("dnnl_post_ops_append_sum", `${P}, float, int, int`, postOps, 1, 0, UNDEFINED_FORMAT);
        if (activation) appendActivation(postOps, activation);
      });
      return primitiveDesc("matmul", types([P, 4]), [src, weights, bias ?? null, dst], attributes);
    },
    logSoftmaxForward(data) {
      const args = [FORWARD_TRAINING, SOFTMAX_LOG, data, data, 1];
      return primitiveDesc("softmax_forward", `int, int, ${P}, ${P}, int`, args);
    },
    logSoftmaxBackward(gradient, data, forward) {
      const args = [SOFTMAX_LOG, gradient, gradient, data, 1, forward];
      return primitiveDesc("softmax_backward", `int, ${types([P, 3])}, int, ${P}`, args);
    },
    sum(dst, scales, terms) {
      const handles = BigUint64Array.from(terms, asHandle);
      const args = [dst, terms.length, Float32Array.from(scales), handles];
      return primitiveDesc("sum", `${P}, int, ${P}, ${P}`, args, NO_ATTRIBUTES);
    },
    reduceSum: (src, dst) =>
      primitiveDesc("reduction", `int, ${P}, ${P}, float, float`, [REDUCTION_SUM, src, dst, 0, 0]),
  };
}
