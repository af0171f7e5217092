/** The oneDNN engine. */
import { ConfigError, UnimplementedError } from "../../errors.ts";
import { requireMemory } from "../../memoryCheck.ts";
import type { CompileRequest, Engine, PrecisionSupport } from "../engine.ts";
import { engineLifetime } from "../lifetime.ts";
import { loadOneDnn } from "./native/find.ts";
import { loadLibC } from "./native/libc.ts";
import type { OneDnn } from "./native/oneDnn.ts";
import { loadOpenMp } from "./native/openMp.ts";
import { measuredPrecisions } from "./precisions.ts";
import { compileInference, compileTraining } from "./program.ts";
import { processorShare } from "./threads.ts";

/** Options of the engine. */
export interface OneDnnOptions {
  /** Default: the physical cores that this process may use, as `processorShare` counts them. */
  readonly threads?: number;
}

/** More than any machine has cores; OpenMP creates as many threads as it is asked for. */
const MAX_THREADS = 1024;

/**
 * The fast engine: oneDNN through FFI. All its calls run on the calling thread and on OpenMP's threads, one call at a time;
 * a call blocks the event loop until its work is done.
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
  const library = { ...withThreads(loaded, useThreads), threads };
  const libc = loadLibC();
  const lifetime = engineLifetime("onednn", library.close);
  let precisions: readonly PrecisionSupport[] | undefined;
  return {
    name: "onednn",
    description: `oneDNN ${library.version} (${library.instructionSet}), ${threads} thread${threads === 1 ? "" : "s"}`,
    version: library.version,
    threads,
    get precisions() {
      if (!precisions) {
        lifetime.requireOpen();
        precisions = measuredPrecisions(library, libc);
      }
      return precisions;
    },
    trains: true,
    async compile(request) {
      lifetime.requireOpen();
      requireMemory(request, "inference");
      useThreads();
      return lifetime.own(explainPrecision(request, library, () => compileInference(library, libc, request)));
    },
    async compileTraining(request) {
      lifetime.requireOpen();
      requireMemory(request, "training");
      useThreads();
      return lifetime.own(explainPrecision(request, library, () => compileTraining(library, libc, request)));
    },
    close: lifetime.close,
  };
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
