/**
 * oneDNN's C API, versions 2.6 and later of 2.x. Descriptors are structs that the caller owns; an operation is first described
 * (`dnnl_X_desc_init`), then a primitive descriptor made of it.
 *
 * Longer than most files: it is all that the project knows of this API, kept in one place. Names follow `dnnl.h`, values and sizes
 * were printed by a C program compiled with the 2.6.3 headers.
 */
import koffi from "koffi";
import { NativeError, UnimplementedError } from "../../../errors.ts";
import type {
  Activation,
  ConvolutionWindow,
  Desc,
  LrnOptions,
  Memory,
  NumberFormat,
  OneDnn,
  PreparedArgs,
  Primitive,
  PrimitiveDesc,
  QueryRole,
  Role,
  Session,
  WeightedOp,
  Window2d,
} from "./oneDnn.ts";

const MEMORY_DESC_BYTES = 696;
/** Largest operation descriptor is the convolution's, 5,976 bytes. */
const OP_DESC_BYTES = 8192;
const MAX_DIMS = 12;
const formats: Record<NumberFormat, number> = { bf16: 2, f32: 3 };
const FORMAT_ANY = 1;
const FORWARD_TRAINING = 64;
const FORWARD_INFERENCE = 96;
const convolutionAlgorithms = { direct: 1, winograd: 2 } as const;
const LRN_ACROSS_CHANNELS = 2815;
const BINARY_MUL = 131057;
const REDUCTION_SUM = 196596;
const QUERY_IMPL_INFO_STR = 8;
const SCRATCHPAD_USER = 1;
const CPU = 1;
const pooling = { max: 511, average: 1023 } as const;
const eltwise: Record<Activation, { plain: number; useDst: number }> = {
  relu: { plain: 31, useDst: 256 },
  tanh: { plain: 47, useDst: 257 },
  sigmoid: { plain: 175, useDst: 260 },
};
const queries: Record<QueryRole, number> = {
  src: 129,
  diffSrc: 130,
  weights: 131,
  diffWeights: 132,
  dst: 133,
  diffDst: 134,
  workspace: 135,
  scratchpad: 136,
};
const argNumbers: Record<Exclude<Role, `term${number}`>, number> = {
  src: 1,
  src1: 2,
  dst: 17,
  weights: 33,
  bias: 41,
  workspace: 64,
  scratchpad: 80,
  diffSrc: 129,
  diffDst: 145,
  diffWeights: 161,
  diffBias: 169,
};
const MULTIPLE_SRC = 1024;
const EXEC_ARG_BYTES = 16;
const instructionSets = new Map([
  [0x1, "SSE4.1"],
  [0x3, "AVX"],
  [0x7, "AVX2"],
  [0x407, "AVX2 VNNI"],
  [0x27, "AVX-512"],
  [0x67, "AVX-512 VNNI"],
  [0xe7, "AVX-512 BF16"],
  [0x3e7, "AMX"],
]);
const BF16_BIT = 0x80;
const statuses = [
  "success",
  "out of memory",
  "invalid arguments",
  "unimplemented",
  "iterator ends",
  "runtime error",
  "not required",
];

const UNIMPLEMENTED = 3;

type Status = number;
type Fn = (...args: readonly unknown[]) => Status;

/** Loads the library at `path`, which must be of version 2.6 or later of 2.x. */
export function loadOneDnn2(path: string, version: string): OneDnn {
  const library = koffi.load(path);
  const call = checkedCalls(library);
  const effectiveIsa: number = library.func("dnnl_get_effective_cpu_isa", "int", [])();
  const execute: Fn = library.func("dnnl_primitive_execute", "int", ["void *", "void *", "int", "void *"]);
  const sizeOf: (desc: Uint8Array) => number | bigint = library.func("dnnl_memory_desc_get_size", "size_t", ["void *"]);
  const equal: Fn = library.func("dnnl_memory_desc_equal", "int", ["void *", "void *"]);
  const queryMd: (pd: bigint, what: number, index: number) => bigint | null = library.func(
    "dnnl_primitive_desc_query_md",
    "void *",
    ["void *", "int", "int"],
  );
  const engine = out((slot) => call("dnnl_engine_create", "void *, int, size_t", slot, CPU, 0));
  const stream = out((slot) => call("dnnl_stream_create", "void *, void *, uint", slot, engine, 1));
  const attr = out((slot) => call("dnnl_primitive_attr_create", "void *", slot));
  call("dnnl_primitive_attr_set_scratchpad_mode", "void *, int", attr, SCRATCHPAD_USER);

  const bytesOf = (desc: Uint8Array) => Number(sizeOf(desc));
  const isSame = (a: Uint8Array, b: Uint8Array) => equal(a, b) === 1;
  const run = (primitive: bigint, count: number, args: Uint8Array) =>
    check("dnnl_primitive_execute", execute(primitive, stream, count, args));
  const native: Native = { call, engine, attr, run, bytesOf, isSame, queryMd };
  return {
    version,
    path,
    nativeBf16: (effectiveIsa & BF16_BIT) !== 0,
    instructionSet: instructionSets.get(effectiveIsa) ?? `instruction set 0x${effectiveIsa.toString(16)}`,
    session: () => createSession(native),
    close() {
      call("dnnl_primitive_attr_destroy", "void *", attr);
      call("dnnl_stream_destroy", "void *", stream);
      call("dnnl_engine_destroy", "void *", engine);
    },
  };
}

interface Native {
  readonly call: (name: string, types: string, ...args: readonly unknown[]) => void;
  readonly engine: bigint;
  /** Attributes of every primitive: the caller provides the scratchpad. */
  readonly attr: bigint;
  readonly run: (primitive: bigint, count: number, args: Uint8Array) => void;
  readonly bytesOf: (desc: Uint8Array) => number;
  readonly isSame: (a: Uint8Array, b: Uint8Array) => boolean;
  readonly queryMd: (pd: bigint, what: number, index: number) => bigint | null;
}

/** The one checker of statuses. */
function check(name: string, status: Status): void {
  if (status === UNIMPLEMENTED) throw new UnimplementedError(`oneDNN: ${name}: ${statuses[status]}`);
  if (status !== 0) throw new NativeError(`oneDNN: ${name}: ${statuses[status] ?? `status ${status}`}`);
}

/** Functions that return a status, bound at first use and checked at each. */
function checkedCalls(library: ReturnType<typeof koffi.load>): Native["call"] {
  const bound = new Map<string, Fn>();
  return (name, types, ...args) => {
    let fn = bound.get(name);
    if (!fn) {
      fn = library.func(name, "int", types === "" ? [] : types.split(", ")) as Fn;
      bound.set(name, fn);
    }
    check(name, fn(...args));
  };
}

/** Runs a call that returns a handle through a pointer. */
function out(make: (slot: BigUint64Array) => void): bigint {
  const slot = new BigUint64Array(1);
  make(slot);
  return slot[0] as bigint;
}

function dims(extents: readonly number[]): BigInt64Array {
  const array = new BigInt64Array(MAX_DIMS);
  extents.forEach((extent, i) => {
    array[i] = BigInt(extent);
  });
  return array;
}

const both = (extent: number) => dims([extent, extent]);

/** The brands exist for the type checker; these are the values behind them. */
const asBytes = (desc: Desc) => desc as unknown as Uint8Array;
const asDesc = (bytes: Uint8Array) => bytes as unknown as Desc;
const asHandle = (value: PrimitiveDesc | Primitive | Memory) => value as unknown as bigint;

function createSession(native: Native): Session {
  const { call, engine, attr } = native;
  const release: (() => void)[] = [];
  const opDesc = new Uint8Array(OP_DESC_BYTES);
  const D = "void *";

  function own<T>(destroy: string, make: (slot: BigUint64Array) => void): T {
    const handle = out(make);
    release.push(() => call(destroy, D, handle));
    return handle as T;
  }
  function memoryDesc(extents: readonly number[], init: (bytes: Uint8Array, extents: BigInt64Array) => void): Desc {
    const bytes = new Uint8Array(MEMORY_DESC_BYTES);
    init(bytes, dims(extents));
    return asDesc(bytes);
  }
  function primitiveDesc(
    name: string,
    types: string,
    args: readonly unknown[],
    hint: PrimitiveDesc | null = null,
    attributes = attr,
  ) {
    call(`dnnl_${name}_desc_init`, `${D}, ${types}`, opDesc, ...args);
    return own<PrimitiveDesc>("dnnl_primitive_desc_destroy", (slot) =>
      call(
        "dnnl_primitive_desc_create",
        `${D}, ${D}, ${D}, ${D}, ${D}`,
        slot,
        opDesc,
        attributes,
        engine,
        hint && asHandle(hint),
      ),
    );
  }
  function withActivation(activation: Activation | undefined): bigint {
    if (!activation) return attr;
    const fused = own<bigint>("dnnl_primitive_attr_destroy", (slot) => call("dnnl_primitive_attr_create", D, slot));
    const postOps = own<bigint>("dnnl_post_ops_destroy", (slot) => call("dnnl_post_ops_create", D, slot));
    const algorithm = eltwise[activation].plain;
    call("dnnl_post_ops_append_eltwise", `${D}, float, int, float, float`, postOps, 1, algorithm, 0, 0);
    call("dnnl_primitive_attr_set_post_ops", `${D}, ${D}`, fused, postOps);
    call("dnnl_primitive_attr_set_scratchpad_mode", `${D}, int`, fused, SCRATCHPAD_USER);
    return fused;
  }
  const prop = (training: boolean) => (training ? FORWARD_TRAINING : FORWARD_INFERENCE);
  const windowArgs = (window: ConvolutionWindow) =>
    window ? [both(window.stride), both(window.padding), both(window.padding)] : [];
  const weighted = (window: ConvolutionWindow) => (window ? "convolution" : "inner_product");
  const algorithm = (window: ConvolutionWindow) => (window ? [convolutionAlgorithms[window.algorithm]] : []);
  const types = (...groups: readonly (readonly [string, number])[]) =>
    groups.flatMap(([type, count]) => Array<string>(count).fill(type)).join(", ");
  const poolArgs = ({ stride, kernelSize, padding }: Window2d) => [
    both(stride),
    both(kernelSize),
    both(padding),
    both(padding),
  ];
  const lrnArgs = (o: LrnOptions) => [o.size, o.alpha, o.beta, o.k];
  const lrnTypes = "int64, float, float, float";

  return {
    any: (extents, format) =>
      memoryDesc(extents, (bytes, d) => {
        const type = formats[format];
        call("dnnl_memory_desc_init_by_tag", `${D}, int, ${D}, int, int`, bytes, extents.length, d, type, FORMAT_ANY);
      }),
    plain: (extents, format) =>
      memoryDesc(extents, (bytes, d) => {
        const strides = extents.map((_, i) => extents.slice(i + 1).reduce((product, extent) => product * extent, 1));
        const n = extents.length;
        const type = formats[format];
        call("dnnl_memory_desc_init_by_strides", `${D}, int, ${D}, int, ${D}`, bytes, n, d, type, dims(strides));
      }),
    bytes: (desc) => native.bytesOf(asBytes(desc)),
    same: (a, b) => native.isSame(asBytes(a), asBytes(b)),

    weightedForward(op: WeightedOp, window, training, activation) {
      const name = `${weighted(window)}_forward`;
      const args = [prop(training), ...algorithm(window), op.src, op.weights, op.bias, op.dst, ...windowArgs(window)];
      const signature = window ? types(["int", 2], [D, 7]) : types(["int", 1], [D, 4]);
      return primitiveDesc(name, signature, args, null, withActivation(activation));
    },
    weightedBackwardData(op, window, forward) {
      const args = [...algorithm(window), op.src, op.weights, op.dst, ...windowArgs(window)];
      const signature = window ? types(["int", 1], [D, 6]) : types([D, 3]);
      return primitiveDesc(`${weighted(window)}_backward_data`, signature, args, forward);
    },
    weightedBackwardWeights(op, window, forward) {
      const args = [...algorithm(window), op.src, op.weights, op.bias, op.dst, ...windowArgs(window)];
      const signature = window ? types(["int", 1], [D, 7]) : types([D, 4]);
      return primitiveDesc(`${weighted(window)}_backward_weights`, signature, args, forward);
    },
    activationForward: (activation, data, training) =>
      primitiveDesc("eltwise_forward", `int, int, ${D}, float, float`, [
        prop(training),
        training ? eltwise[activation].useDst : eltwise[activation].plain,
        data,
        0,
        0,
      ]),
    activationBackward(activation, gradient, output) {
      const { useDst } = eltwise[activation];
      const hintArgs = [FORWARD_TRAINING, useDst, output, 0, 0];
      const hint = primitiveDesc("eltwise_forward", `int, int, ${D}, float, float`, hintArgs);
      const args = [useDst, gradient, output, 0, 0];
      return primitiveDesc("eltwise_backward", `int, ${D}, ${D}, float, float`, args, hint);
    },
    lrnForward: (data, options, training) =>
      primitiveDesc("lrn_forward", `int, int, ${D}, ${lrnTypes}`, [
        prop(training),
        LRN_ACROSS_CHANNELS,
        data,
        ...lrnArgs(options),
      ]),
    lrnBackward: (gradient, data, options, forward) =>
      primitiveDesc(
        "lrn_backward",
        `int, ${D}, ${D}, ${lrnTypes}`,
        [LRN_ACROSS_CHANNELS, gradient, data, ...lrnArgs(options)],
        forward,
      ),
    poolForward: (kind, src, dst, window, training) =>
      primitiveDesc("pooling_forward", types(["int", 2], [D, 6]), [
        prop(training),
        pooling[kind],
        src,
        dst,
        ...poolArgs(window),
      ]),
    poolBackward: (kind, diffSrc, diffDst, window, forward) =>
      primitiveDesc(
        "pooling_backward",
        types(["int", 1], [D, 6]),
        [pooling[kind], diffSrc, diffDst, ...poolArgs(window)],
        forward,
      ),
    multiply: (src, src1, dst) => primitiveDesc("binary", types(["int", 1], [D, 3]), [BINARY_MUL, src, src1, dst]),
    matmul: (src, weights, dst) => primitiveDesc("matmul", types([D, 4]), [src, weights, null, dst]),
    logSoftmaxForward: (data) => primitiveDesc("logsoftmax_forward", `int, ${D}, int`, [FORWARD_TRAINING, data, 1]),
    logSoftmaxBackward: (gradient, data, forward) =>
      primitiveDesc("logsoftmax_backward", `${D}, ${D}, int`, [gradient, data, 1], forward),
    sum(dst, scales, terms) {
      const descs = new Uint8Array(MEMORY_DESC_BYTES * terms.length);
      for (const [i, term] of terms.entries()) descs.set(asBytes(term), i * MEMORY_DESC_BYTES);
      const args = [dst, terms.length, Float32Array.from(scales), descs, attr, engine];
      return own("dnnl_primitive_desc_destroy", (slot) =>
        call("dnnl_sum_primitive_desc_create", `${D}, ${D}, int, ${D}, ${D}, ${D}, ${D}`, slot, ...args),
      );
    },
    reduceSum: (src, dst) =>
      primitiveDesc("reduction", `int, ${D}, ${D}, float, float`, [REDUCTION_SUM, src, dst, 0, 0]),
    reorder: (src, dst) =>
      own("dnnl_primitive_desc_destroy", (slot) =>
        call("dnnl_reorder_primitive_desc_create", types([D, 6]), slot, src, engine, dst, engine, attr),
      ),

    query(pd, role) {
      const found = native.queryMd(asHandle(pd), queries[role], 0);
      if (found === null) return undefined;
      const desc = asDesc(new Uint8Array(koffi.view(found, MEMORY_DESC_BYTES).slice(0)));
      return native.bytesOf(asBytes(desc)) > 0 ? desc : undefined;
    },
    implementation(pd) {
      const text = out((slot) =>
        call("dnnl_primitive_desc_query", `${D}, int, int, ${D}`, asHandle(pd), QUERY_IMPL_INFO_STR, 0, slot),
      );
      return koffi.decode.string(text);
    },
    primitive: (pd) =>
      own("dnnl_primitive_destroy", (slot) => call("dnnl_primitive_create", `${D}, ${D}`, slot, asHandle(pd))),
    memory: (desc, address) =>
      own("dnnl_memory_destroy", (slot) =>
        call("dnnl_memory_create", `${D}, ${D}, ${D}, ${D}`, slot, desc, engine, address),
      ),
    args(memories) {
      const bytes = new Uint8Array(EXEC_ARG_BYTES * memories.length);
      const view = new DataView(bytes.buffer);
      memories.forEach(([role, memory], i) => {
        view.setInt32(i * EXEC_ARG_BYTES, argNumber(role), true);
        view.setBigUint64(i * EXEC_ARG_BYTES + 8, asHandle(memory), true);
      });
      return bytes as unknown as PreparedArgs;
    },
    execute(primitive, args) {
      const bytes = args as unknown as Uint8Array;
      native.run(asHandle(primitive), bytes.length / EXEC_ARG_BYTES, bytes);
    },
    close() {
      for (const free of release.splice(0).reverse()) free();
    },
  };
}

function argNumber(role: Role): number {
  return role.startsWith("term") ? MULTIPLE_SRC + Number(role.slice(4)) : argNumbers[role as keyof typeof argNumbers];
}
