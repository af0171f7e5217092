/**
 * oneDNN's C API, versions 2.6 and later of 2.x. Descriptors are structs that the caller owns; an operation is first described
 * (`dnnl_X_desc_init`), then turned into a primitive descriptor.
 *
 * One function is longer than most: it contains everything specific to this API. Names follow `dnnl.h`, values and
 * sizes were printed by a C program compiled with the 2.6.3 headers.
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
  copyOf,
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

const MEMORY_DESC_BYTES = 696;
/** The largest operation descriptor is that of convolution, 5,976 bytes. */
const OP_DESC_BYTES = 8192;
const eltwise: Record<Activation["name"], { plain: number; useDst: number }> = {
  relu: { plain: 31, useDst: 256 },
  tanh: { plain: 47, useDst: 257 },
  sigmoid: { plain: 175, useDst: 260 },
};
const normFlags = { globalStatistics: 1, scale: 8, shift: 16 } as const;
const MULTIPLE_POST_OP = 16384;
/** The mask of scales along the channels of an output. */
const OUTPUT_CHANNELS = 1 << 1;
/** Kind, α and β; the reciprocal is α x^β. */
const unary: Record<UnaryOperation["operation"], readonly [kind: number, alpha: number, beta: number]> = {
  square: [79, 0, 0],
  squareRoot: [111, 0, 0],
  reciprocal: [32, 1, -1],
  round: [64, 0, 0],
};

/** Loads the library at `path`, which must be of version 2.6 or later of 2.x. */
export function loadOneDnn2(path: string, version: string): OneDnn {
  return loadLibrary(path, version, createSession);
}

function windowArgs(window: ConvolutionWindow): readonly unknown[] {
  return window ? [both(window.stride), both(window.padding), both(window.padding)] : [];
}

function poolArgs({ stride, kernelSize, padding, endPadding = padding }: Window2d): readonly unknown[] {
  return [both(stride), both(kernelSize), both(padding), both(endPadding)];
}

/** Underlying values of branded handles; brands exist for the type checker only. */
const asBytes = (desc: Desc) => desc as unknown as Uint8Array;
const asDesc = (bytes: Uint8Array) => bytes as unknown as Desc;

function createSession(library: Library): Session {
  const { call, engine, attr, queryDesc } = library;
  const scope = openScope(library);
  const opDesc = new Uint8Array(OP_DESC_BYTES);

  function memoryDesc(init: (bytes: Uint8Array) => void): Desc {
    const bytes = new Uint8Array(MEMORY_DESC_BYTES);
    init(bytes);
    return asDesc(bytes);
  }
  function primitiveDesc(
    name: string,
    argTypes: string,
    args: readonly unknown[],
    hint: PrimitiveDesc | null = null,
    attributes = attr,
  ): PrimitiveDesc {
    call(`dnnl_${name}_desc_init`, `${P}, ${argTypes}`, opDesc, ...args);
    return ownPrimitiveDesc(scope, (slot) =>
      call("dnnl_primitive_desc_create", types([P, 5]), slot, opDesc, attributes, engine, hint),
    );
  }
  const strided = (extents: readonly number[], strides: BigInt64Array, format: MemoryFormat) =>
    memoryDesc((bytes) => {
      const args = [extents.length, dims(extents), formats[format], strides];
      call("dnnl_memory_desc_init_by_strides", `${P}, int, ${P}, int, ${P}`, bytes, ...args);
    });
  function appendActivation(postOps: bigint, { name, alpha }: Activation): void {
    call("dnnl_post_ops_append_eltwise", `${P}, float, int, float, float`, postOps, 1, eltwise[name].plain, alpha, 0);
  }
  function activationAttributes(activation: Activation | undefined): bigint {
    return attributesWith(library, scope, (postOps) => {
      if (!activation) return;
      appendActivation(postOps, activation);
    });
  }
  function forwardOf(op: WeightedOp, window: ConvolutionWindow, training: boolean, attributes: bigint): PrimitiveDesc {
    const descs = [op.src, op.weights, op.bias, op.dst];
    const args = [propagation(training), ...algorithm(window), ...descs, ...windowArgs(window)];
    const signature = window ? types(["int", 2], [P, 7]) : types(["int", 1], [P, 4]);
    return primitiveDesc(`${weighted(window)}_forward`, signature, args, null, attributes);
  }

  return {
    ...commonSession(library, scope, MULTIPLE_POST_OP),
    any: (extents, format) =>
      memoryDesc((bytes) => {
        const args = [extents.length, dims(extents), formats[format], FORMAT_ANY];
        call("dnnl_memory_desc_init_by_tag", `${P}, int, ${P}, int, int`, bytes, ...args);
      }),
    plain: (extents, format) => strided(extents, plainStrides(extents), format),
    strided: (extents, strides, format) => strided(extents, dims(strides), format),
    slice: (whole, extents, offsets) =>
      memoryDesc((bytes) =>
        call("dnnl_memory_desc_init_submemory", types([P, 4]), bytes, whole, dims(extents), dims(offsets)),
      ),
    query(pd, role) {
      const found = queryDesc(asHandle(pd), role);
      return found === undefined ? undefined : asDesc(copyOf(found, MEMORY_DESC_BYTES));
    },

    weightedForward: (op, window, training, activation) =>
      forwardOf(op, window, training, activation ? activationAttributes(activation) : attr),
    int8Forward(op, window, activation, scales) {
      const attributes = activationAttributes(activation);
      const args = [attributes, scales.length, OUTPUT_CHANNELS, scales];
      call("dnnl_primitive_attr_set_output_scales", `${P}, int64, int, ${P}`, ...args);
      return forwardOf(op, window, false, attributes);
    },
    weightedBackwardData(op, window, forward) {
      const args = [...algorithm(window), op.src, op.weights, op.dst, ...windowArgs(window)];
      const signature = window ? types(["int", 1], [P, 6]) : types([P, 3]);
      return primitiveDesc(`${weighted(window)}_backward_data`, signature, args, forward);
    },
    weightedBackwardWeights(op, window, forward) {
      const args = [...algorithm(window), op.src, op.weights, op.bias, op.dst, ...windowArgs(window)];
      const signature = window ? types(["int", 1], [P, 7]) : types([P, 4]);
      return primitiveDesc(`${weighted(window)}_backward_weights`, signature, args, forward);
    },
    activationForward(activation, data, training) {
      const kind = training ? eltwise[activation.name].useDst : eltwise[activation.name].plain;
      return primitiveDesc("eltwise_forward", `int, int, ${P}, float, float`, [
        propagation(training),
        kind,
        data,
        activation.alpha,
        0,
      ]);
    },
    activationBackward(activation, gradient, output) {
      const { useDst } = eltwise[activation.name];
      const hintArgs = [FORWARD_TRAINING, useDst, output, activation.alpha, 0];
      const hint = primitiveDesc("eltwise_forward", `int, int, ${P}, float, float`, hintArgs);
      const args = [useDst, gradient, output, activation.alpha, 0];
      return primitiveDesc("eltwise_backward", `int, ${P}, ${P}, float, float`, args, hint);
    },
    lrnForward(data, options, training) {
      const args = [
        propagation(training),
        lrnAlgorithms[options.region ?? "acrossChannels"],
        data,
        ...lrnArgs(options),
      ];
      return primitiveDesc("lrn_forward", `int, int, ${P}, ${LRN_TYPES}`, args);
    },
    lrnBackward(gradient, data, options, forward) {
      const args = [lrnAlgorithms[options.region ?? "acrossChannels"], gradient, data, ...lrnArgs(options)];
      return primitiveDesc("lrn_backward", `int, ${P}, ${P}, ${LRN_TYPES}`, args, forward);
    },
    batchNormForward(data, options, training) {
      const args = [propagation(training), data, options.eps, batchNormFlags(options, normFlags)];
      return primitiveDesc("batch_normalization_forward", `int, ${P}, float, uint`, args);
    },
    batchNormBackward(data, options, forward) {
      const args = [backwardPropagation(options.scales), data, data, options.eps, batchNormFlags(options, normFlags)];
      return primitiveDesc("batch_normalization_backward", `int, ${P}, ${P}, float, uint`, args, forward);
    },
    poolForward(kind, src, dst, window, training) {
      const args = [propagation(training), pooling[kind], src, dst, ...poolArgs(window)];
      return primitiveDesc("pooling_forward", types(["int", 2], [P, 6]), args);
    },
    poolBackward(kind, diffSrc, diffDst, window, forward) {
      const args = [pooling[kind], diffSrc, diffDst, ...poolArgs(window)];
      return primitiveDesc("pooling_backward", types(["int", 1], [P, 6]), args, forward);
    },
    elementwise(src, dst, [first, ...then]) {
      const attributes = attributesWithOperations(library, scope, then, (postOps, operation) => {
        const [kind, alpha, beta] = unary[operation];
        call("dnnl_post_ops_append_eltwise", `${P}, float, int, float, float`, postOps, 1, kind, alpha, beta);
      });
      return primitiveDesc(
        "binary",
        types(["int", 1], [P, 3]),
        [binary[first.operation], src, first.operand, dst],
        null,
        attributes,
      );
    },
    matmul(src, weights, dst, { bias, accumulate = false, activation } = {}) {
      const attributes = attributesWith(library, scope, (postOps) => {
        if (accumulate) call("dnnl_post_ops_append_sum", `${P}, float`, postOps, 1);
        if (activation) appendActivation(postOps, activation);
      });
      return primitiveDesc("matmul", types([P, 4]), [src, weights, bias ?? null, dst], null, attributes);
    },
    logSoftmaxForward: (data) => primitiveDesc("logsoftmax_forward", `int, ${P}, int`, [FORWARD_TRAINING, data, 1]),
    logSoftmaxBackward: (gradient, data, forward) =>
      primitiveDesc("logsoftmax_backward", `${P}, ${P}, int`, [gradient, data, 1], forward),
    sum(dst, scales, terms) {
      const descs = new Uint8Array(MEMORY_DESC_BYTES * terms.length);
      for (const [i, term] of terms.entries()) descs.set(asBytes(term), i * MEMORY_DESC_BYTES);
      const args = [dst, terms.length, Float32Array.from(scales), descs, null, engine];
      return ownPrimitiveDesc(scope, (slot) =>
        call("dnnl_sum_primitive_desc_create", `${P}, ${P}, int, ${types([P, 4])}`, slot, ...args),
      );
    },
    reduceSum: (src, dst) =>
      primitiveDesc("reduction", `int, ${P}, ${P}, float, float`, [REDUCTION_SUM, src, dst, 0, 0]),
  };
}
