/**
 * The only module that calls oneDNN: loading, checked calls, and the constants that the C APIs of 2.x and 3.x share. `commonSession.ts` has the other
 * shared code, `oneDnn2.ts` and `oneDnn3.ts` have the differences.
 *
 * Longer than other files by its tables of values. Names follow `dnnl.h`; values were printed by C programs compiled with the headers of 2.6.3, 3.0, 3.3, 3.7.2 and 3.12.1.
 */
import { ClosedError, NativeError, UnimplementedError } from "../../../errors.ts";
import type { ForeignFunctions } from "../../../koffi.ts";
import { loadKoffi } from "./koffi.ts";
import type { BatchNorm, ConvolutionWindow, LrnOptions, MemoryFormat, OneDnn, QueryRole, Session } from "./oneDnn.ts";

export const FORMAT_ANY = 1;
export const lrnAlgorithms = { acrossChannels: 2815, withinChannel: 3071 } as const;
export const REDUCTION_SUM = 196596;
/** Algorithms of the binary primitive. */
export const binary = { add: 131056, multiply: 131057, divide: 131060, subtract: 131061 } as const;
export const formats: Record<MemoryFormat, number> = { bf16: 2, f32: 3, s8: 5, u8: 6 };
const convolutionAlgorithms = { direct: 1, winograd: 2 } as const;
export const pooling = { max: 511, averageWithPadding: 767, average: 1023 } as const;
export const FORWARD_TRAINING = 64;
const FORWARD_INFERENCE = 96;
/** Backward propagation of data and parameters, or of data only. */
export const backwardPropagation = (learns: boolean): number => (learns ? 128 : 160);

const MAX_DIMS = 12;
export const SCRATCHPAD_USER = 1;
const CPU = 1;
const IN_ORDER = 1;
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
const instructionSets = new Map([
  [0, process.arch], // reported on x64 only
  [0x1, "SSE4.1"],
  [0x3, "AVX"],
  [0x7, "AVX2"],
  [0x407, "AVX2 VNNI"], // 2.x
  [0xf, "AVX2 VNNI"], // 3.x
  [0x1f, "AVX2 VNNI 2"],
  [0x27, "AVX-512"],
  [0x67, "AVX-512 VNNI"],
  [0xe7, "AVX-512 BF16"],
  [0x1ef, "AVX-512 FP16"],
  [0x3e7, "AMX"], // 2.x
  [0xfef, "AMX"], // 3.x
  [0x1fef, "AMX FP16"],
]);
/** AVX512-BF16, and so AMX. AVX2-VNNI-2 multiplies bf16 too, but only 3.x uses it, and it is untested here. */
const BF16_BIT = 0x80;
/** AVX-512 of any kind, and AVX2-VNNI-2: the library has bf16 on these only, on x64. */
const BF16_KERNEL_BITS = 0x20 | 0x10;
/** AVX-512 VNNI, and so AMX; AVX2 VNNI of 2.x, and of 3.x. */
const VNNI_BITS = 0x40 | 0x400 | 0x8;
const statuses = [
  "success",
  "out of memory",
  "invalid arguments",
  "unimplemented",
  "no more implementations",
  "runtime error",
  "not required",
];
const UNIMPLEMENTED = 3;
/** Not in `dnnl.h`, but exported since 3.4: `dnnl::impl::cpu::platform::get_per_core_cache_size(int)`. */
const FIRST_CACHE_FUNCTION = "_ZN4dnnl4impl3cpu8platform23get_per_core_cache_sizeEi";

type NativeLibrary = ReturnType<ForeignFunctions["load"]>;
type Status = number;
type Call = (name: string, types: string, ...args: readonly unknown[]) => void;

/** The C type of all values passed by address. */
export const POINTER = "void *";

/** `["int", 2], [POINTER, 1]` as a list of C types. */
export function types(...groups: readonly (readonly [type: string, count: number])[]): string {
  return groups.flatMap(([type, count]) => Array<string>(count).fill(type)).join(", ");
}

/** The kind of forward propagation: training or inference. */
export const propagation = (training: boolean): number => (training ? FORWARD_TRAINING : FORWARD_INFERENCE);

/** Prefix of the function names of a convolution or inner product. */
export const weighted = (window: ConvolutionWindow): string => (window ? "convolution" : "inner_product");

/** A convolution's algorithm as an argument; an inner product takes none. */
export const algorithm = (window: ConvolutionWindow): readonly number[] =>
  window ? [convolutionAlgorithms[window.algorithm]] : [];

/** The arguments of local response normalisation, with the types `LRN_TYPES`. */
export const lrnArgs = ({ size, alpha, beta, k }: LrnOptions): readonly number[] => [size, alpha, beta, k];
/** Flags of batch normalization, given the values of the version. */
export const batchNormFlags = (
  { usesBatch, scales }: BatchNorm,
  flags: { readonly globalStatistics: number; readonly scale: number; readonly shift: number },
): number => (usesBatch ? 0 : flags.globalStatistics) | (scales ? flags.scale | flags.shift : 0);
export const LRN_TYPES = "int64, float, float, float";

/** Facts that a library reports about itself. */
export interface LibraryFacts {
  readonly version: string;
  /** Bytes of a core's first data cache as the library sees them; undefined before 3.4. */
  readonly firstCacheBytes: number | undefined;
}

/** Throws if the file cannot be loaded, or is not oneDNN. */
export function inspectLibrary(path: string): LibraryFacts {
  const koffi = loadKoffi();
  const native = koffi.load(path);
  const version: bigint = native.func("dnnl_version", POINTER, [])();
  return { version: new Int32Array(koffi.view(version, 12)).join("."), firstCacheBytes: firstCacheBytes(native) };
}

function firstCacheBytes(native: NativeLibrary): number | undefined {
  try {
    return native.func(FIRST_CACHE_FUNCTION, "uint", ["int"])(1);
  } catch {
    return undefined;
  }
}

/** A loaded library, with its engine, stream and attributes. */
export interface Library {
  /** Calls a function that returns a status, and checks the status. */
  readonly call: Call;
  readonly engine: bigint;
  /** Attributes of every primitive: the caller provides the scratchpad. */
  readonly attr: bigint;
  readonly run: (primitive: bigint, count: number, args: Uint8Array) => void;
  readonly bytesOf: (desc: unknown) => number;
  readonly isSame: (a: unknown, b: unknown) => boolean;
  /** The address of a descriptor owned by the primitive descriptor. */
  readonly queryDesc: (primitiveDesc: bigint, role: QueryRole) => bigint | undefined;
}

/** Loads the library at `path`; `createSession` has the differences of its version. */
export function loadLibrary(path: string, version: string, createSession: (library: Library) => Session): OneDnn {
  const native = loadKoffi().load(path);
  const call = checkedCalls(native);
  const effectiveIsa: number = native.func("dnnl_get_effective_cpu_isa", "int", [])();
  const execute = native.func("dnnl_primitive_execute", "int", [POINTER, POINTER, "int", POINTER]);
  const size = native.func("dnnl_memory_desc_get_size", "size_t", [POINTER]);
  const equal = native.func("dnnl_memory_desc_equal", "int", [POINTER, POINTER]);
  const queryMd = native.func("dnnl_primitive_desc_query_md", POINTER, [POINTER, "int", "int"]);
  const engine = out((slot) => call("dnnl_engine_create", "void *, int, size_t", slot, CPU, 0));
  const stream = out((slot) => call("dnnl_stream_create", "void *, void *, uint", slot, engine, IN_ORDER));
  const attr = out((slot) => call("dnnl_primitive_attr_create", POINTER, slot));
  call("dnnl_primitive_attr_set_scratchpad_mode", "void *, int", attr, SCRATCHPAD_USER);
  const sessions = new Set<Session>();
  let isOpen = true;
  const library: Library = {
    call,
    engine,
    attr,
    run: (primitive, count, args) => check("dnnl_primitive_execute", execute(primitive, stream, count, args)),
    bytesOf: (desc) => Number(size(desc)),
    isSame: (a, b) => equal(a, b) === 1,
    queryDesc(primitiveDesc, role) {
      const desc: bigint | null = queryMd(primitiveDesc, queries[role], 0);
      return desc !== null && Number(size(desc)) > 0 ? desc : undefined;
    },
  };
  return {
    version,
    path,
    hasBf16: effectiveIsa === 0 || (effectiveIsa & BF16_KERNEL_BITS) !== 0,
    nativeBf16: (effectiveIsa & BF16_BIT) !== 0,
    nativeInt8: (effectiveIsa & VNNI_BITS) !== 0,
    instructionSet: instructionSets.get(effectiveIsa) ?? `instruction set 0x${effectiveIsa.toString(16)}`,
    session() {
      if (!isOpen) throw new ClosedError("oneDNN");
      const session = refusingAfterClose(createSession(library), () => sessions.delete(session));
      sessions.add(session);
      return session;
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      for (const session of sessions) session.close();
      call("dnnl_primitive_attr_destroy", POINTER, attr);
      call("dnnl_stream_destroy", POINTER, stream);
      call("dnnl_engine_destroy", POINTER, engine);
    },
  };
}

/** A session that closes once, and throws ClosedError instead of passing freed handles to the library. */
function refusingAfterClose(session: Session, onClose: () => void): Session {
  let isOpen = true;
  const requireOpen = () => {
    if (!isOpen) throw new ClosedError("oneDNN session");
  };
  const guard = ([name, member]: readonly [string, (...args: readonly unknown[]) => unknown]) => {
    const guarded = (...args: readonly unknown[]) => {
      requireOpen();
      return member(...args);
    };
    return [name, guarded] as const;
  };
  return {
    ...(Object.fromEntries(Object.entries(session).map(guard)) as unknown as Session),
    execute(primitive, args) {
      requireOpen();
      session.execute(primitive, args);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      onClose();
      session.close();
    },
  };
}

/** Throws NativeError for a status other than success. */
function check(name: string, status: Status): void {
  if (status === UNIMPLEMENTED) throw new UnimplementedError(`oneDNN: ${name}: ${statuses[status]}`);
  if (status !== 0) throw new NativeError(`oneDNN: ${name}: ${statuses[status] ?? `status ${status}`}`);
}

/** Functions are bound at first use. */
function checkedCalls(native: NativeLibrary): Call {
  const bound = new Map<string, (...args: readonly unknown[]) => Status>();
  return (name, types, ...args) => {
    let fn = bound.get(name);
    if (!fn) {
      fn = native.func(name, "int", types.split(", ")) as (...args: readonly unknown[]) => Status;
      bound.set(name, fn);
    }
    check(name, fn(...args));
  };
}

/** Runs a call that returns a handle through a pointer. */
export function out(make: (slot: BigUint64Array) => void): bigint {
  const slot = new BigUint64Array(1);
  make(slot);
  return slot[0] as bigint;
}

/** Extents, strides or paddings in the library's format. */
export function dims(extents: readonly number[]): BigInt64Array {
  const array = new BigInt64Array(MAX_DIMS);
  extents.forEach((extent, i) => {
    array[i] = BigInt(extent);
  });
  return array;
}

/** One number for both height and width. */
export const both = (extent: number): BigInt64Array => dims([extent, extent]);

/** Strides of the row-major layout. */
export function plainStrides(extents: readonly number[]): BigInt64Array {
  return dims(extents.map((_, i) => extents.slice(i + 1).reduce((product, extent) => product * extent, 1)));
}

/** Text that the library owns. */
export const textAt = (address: bigint): string => loadKoffi().decode.string(address);

/** A copy of memory that the library owns. */
export function copyOf(address: bigint, bytes: number): Uint8Array {
  return new Uint8Array(loadKoffi().view(address, bytes).slice(0));
}
