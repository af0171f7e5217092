/** The oneDNN engine. */
import { ConfigError, UnimplementedError } from "../../errors.ts";
import type { CompileRequest, Engine, PrecisionSupport } from "../engine.ts";
import { engineLifetime } from "../lifetime.ts";
import type { ConvolutionAlgorithm } from "./configuredOneDnn.ts";
import { loadOneDnn } from "./native/find.ts";
import { loadLibC } from "./native/libc.ts";
import type { OneDnn } from "./native/oneDnn.ts";
import { loadOpenMp } from "./native/openMp.ts";
import { compileInference, compileTraining } from "./program.ts";
import { processorShare } from "./threads.ts";

/** Options of the engine. */
export interface OneDnnOptions {
  /** Default: the physical cores that this process may use, as `processorShare` counts them. */
  readonly threads?: number;
  /**
   * Algorithm of the convolutions of stride 1 in requests that are not `exact`: one for all, whatever their sizes, for tests and measurements. Default:
   * for each the faster one, by a rule.
   */
  readonly convolution?: ConvolutionAlgorithm;
}

/**
 * The fast engine: oneDNN through FFI. All its calls run on the calling thread and on OpenMP's threads, one call at a time;
 * a call blocks the event loop until its work is done.
 *
 * Throws NativeError, with what to install, if no supported oneDNN is found; ConfigError for a number of threads below 1 or above what the
 * environment allows.
 */
export function createOneDnnEngine(options: OneDnnOptions = {}): Engine {
  const wanted = options.threads ?? processorShare().threads;
  if (!Number.isInteger(wanted) || wanted < 1) {
    throw new ConfigError(`threads: expected a whole number of at least 1, got ${wanted}`);
  }
  const loaded = loadOneDnn();
  const { threadLimit, setThreads } = closeOnFailure(loaded, () => loadOpenMp(loaded.path));
  if (options.threads !== undefined && wanted > threadLimit) {
    loaded.close();
    throw new ConfigError(`threads: expected at most ${threadLimit}, got ${wanted}; unset OMP_THREAD_LIMIT for more`);
  }
  const threads = Math.min(wanted, threadLimit);
  const useThreads = () => setThreads(threads);
  const library = { ...withThreads(loaded, useThreads), threads, convolution: options.convolution };
  const libc = loadLibC();
  const lifetime = engineLifetime("onednn", library.close);
  return {
    name: "onednn",
    description: `oneDNN ${library.version} (${library.instructionSet}), ${threads} thread${threads === 1 ? "" : "s"}`,
    version: library.version,
    threads,
    precisions: precisionsOf(library),
    trains: true,
    async compile(request) {
      lifetime.requireOpen();
      useThreads();
      return lifetime.own(explainPrecision(request, library, () => compileInference(library, libc, request)));
    },
    async compileTraining(request) {
      lifetime.requireOpen();
      useThreads();
      return lifetime.own(explainPrecision(request, library, () => compileTraining(library, libc, request)));
    },
    close: lifetime.close,
  };
}

function precisionsOf({ nativeBf16 }: OneDnn): readonly PrecisionSupport[] {
  const f32 = { name: "f32", native: true } as const;
  const bf16 = { name: "bf16", native: nativeBf16 } as const;
  return nativeBf16 ? [bf16, f32] : [f32, bf16];
}

function closeOnFailure<T>(library: OneDnn, action: () => T): T {
  try {
    return action();
  } catch (error) {
    library.close();
    throw error;
  }
}

/** The library answers `unimplemented` for a number format that it lacks on this processor. */
function explainPrecision<T>({ precision }: CompileRequest, { version, instructionSet }: OneDnn, compile: () => T): T {
  try {
    return compile();
  } catch (cause) {
    if (!(cause instanceof UnimplementedError) || precision === "f32") throw cause;
    const message = `precision: oneDNN ${version} has no ${precision} on this processor (${instructionSet}); use f32`;
    throw new UnimplementedError(message, { cause });
  }
}

/** OpenMP has one number of threads, engines may have different ones: each sets its own before it computes. */
function withThreads(loaded: OneDnn, useThreads: () => void): OneDnn {
  return {
    ...loaded,
    session() {
      const session = loaded.session();
      // For what is made and run outside of compile.
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
