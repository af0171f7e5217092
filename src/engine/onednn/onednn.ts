/** The oneDNN engine. */
import { cpus } from "node:os";
import { ConfigError, UnimplementedError } from "../../errors.ts";
import { requireMemory } from "../../memoryCheck.ts";
import { alone, firstRows } from "../communicator.ts";
import type { Engine, InferencePrecision, InferenceRequest, PrecisionSupport, Program } from "../engine.ts";
import { engineLifetime } from "../lifetime.ts";
import type { ConfiguredOneDnn, ConvolutionAlgorithm } from "./configuredOneDnn.ts";
import { fastestPrecision } from "./fastestPrecision.ts";
import { compileInt8 } from "./int8/program.ts";
import { loadOneDnn } from "./native/find.ts";
import { type LibC, loadLibC } from "./native/libc.ts";
import type { OneDnn } from "./native/oneDnn.ts";
import { loadOpenMp } from "./native/openMp.ts";
import { compileInference, compileTraining } from "./program.ts";
import { processorShare } from "./threads.ts";

/** Options of the engine. */
export interface OneDnnOptions {
  /** Number of compute threads, from 1 to 1024. Default: the number of physical cores that this process may use. */
  readonly threads?: number;
  /**
   * Algorithm of all convolutions of stride 1 in requests that are not `exact`, for tests and measurements. Default: a rule selects the faster one for
   * each convolution.
   */
  readonly convolution?: ConvolutionAlgorithm;
}

/** More than any machine has cores; OpenMP creates as many threads as it is asked for. */
const MAX_THREADS = 1024;

/**
 * The fast engine: oneDNN through FFI. Its calls run on the calling thread and OpenMP's threads, one at a time. Each call blocks the event loop until
 * its work is done.
 *
 * Compiling throws ShapeError for a network that needs more memory than this machine has, ConfigError for what int8 lacks (training, some layers),
 * UnimplementedError for a precision that oneDNN lacks on this processor.
 *
 * Throws NativeError, with what to install, if no supported oneDNN is found; ConfigError for a number of threads below 1 or above what the
 * environment allows.
 */
export function createOneDnnEngine(options: OneDnnOptions = {}): Engine {
  const wanted = options.threads ?? processorShare().threads;
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_THREADS) {
    throw new ConfigError(`threads: expected a whole number from 1 to ${MAX_THREADS}, got ${wanted}`);
  }
  const loaded = loadOneDnn();
  const { threadLimit, setThreads } = closeOnFailure(loaded, () => loadOpenMp(loaded.path));
  if (options.threads !== undefined && wanted > threadLimit) {
    loaded.close();
    throw new ConfigError(`threads: expected at most ${threadLimit}, got ${wanted}; unset OMP_THREAD_LIMIT for more`);
  }
  const threads = Math.min(wanted, threadLimit);
  const useThreads = () => setThreads(threads);
  const fastest = fastestPrecision(loaded, cpus()[0]?.model ?? "");
  const library: ConfiguredOneDnn = {
    ...withThreads(loaded, useThreads),
    threads,
    isBf16Faster: fastest === "bf16",
    convolution: options.convolution,
  };
  const libc = loadLibC();
  const lifetime = engineLifetime("onednn", library.close);
  return {
    name: "onednn",
    description: `oneDNN ${library.version} (${library.instructionSet}), ${threads} thread${threads === 1 ? "" : "s"}`,
    version: library.version,
    threads,
    precisions: precisionsOf(library),
    fastestPrecision: fastest,
    inferencePrecisions: [...precisionsOf(library), { name: "int8", native: library.nativeInt8 }],
    trains: true,
    async compile(request) {
      lifetime.requireOpen();
      requireMemory(request, "inference");
      useThreads();
      return lifetime.own(explainPrecision(request, library, () => compile(library, libc, request)));
    },
    async compileTraining(request) {
      lifetime.requireOpen();
      refuseInt8(request.precision);
      const { communicator = alone, gathers = [], batchSize } = request;
      requireMemory({ ...request, batchSize: firstRows(communicator, gathers, batchSize).count }, "training");
      useThreads();
      return lifetime.own(explainPrecision(request, library, () => compileTraining(library, libc, request)));
    },
    close: lifetime.close,
  };
}

function precisionsOf({ hasBf16, nativeBf16 }: OneDnn): readonly PrecisionSupport[] {
  const f32 = { name: "f32", native: true } as const;
  return hasBf16 ? [f32, { name: "bf16", native: nativeBf16 }] : [f32];
}

function compile(library: ConfiguredOneDnn, libc: LibC, { precision, ...request }: InferenceRequest): Program {
  return precision === "int8"
    ? compileInt8(library, libc, { ...request, precision })
    : compileInference(library, libc, { ...request, precision });
}

/** Checks requests of callers without type checking. */
function refuseInt8(precision: InferencePrecision): void {
  if (precision === "int8") throw new ConfigError("precision: int8 is for inference only; train in f32 or bf16");
}

function closeOnFailure<T>(library: OneDnn, action: () => T): T {
  try {
    return action();
  } catch (error) {
    library.close();
    throw error;
  }
}

/** Explains the library's `unimplemented` for a number format that it lacks on this processor. */
function explainPrecision<T>(
  { precision }: Pick<InferenceRequest, "precision">,
  { version, instructionSet }: OneDnn,
  compile: () => T,
): T {
  try {
    return compile();
  } catch (cause) {
    if (!(cause instanceof UnimplementedError) || precision === "f32") throw cause;
    const message = `precision: oneDNN ${version} has no ${precision} on this processor (${instructionSet}); use f32`;
    throw new UnimplementedError(message, { cause });
  }
}

/** OpenMP has a single number of threads, so each engine sets its own before it computes. */
function withThreads(loaded: OneDnn, useThreads: () => void): OneDnn {
  return {
    ...loaded,
    session() {
      const session = loaded.session();
      // For primitives created and run outside of `compile`.
      const withThreadCount =
        <A extends readonly unknown[], R>(action: (...args: A) => R) =>
        (...args: A): R => {
          useThreads();
          return action(...args);
        };
      return {
        ...session,
        reorder: withThreadCount(session.reorder),
        sum: withThreadCount(session.sum),
        reduceSum: withThreadCount(session.reduceSum),
        primitive: withThreadCount(session.primitive),
        execute(primitive, args) {
          useThreads();
          session.execute(primitive, args);
        },
      };
    },
  };
}
