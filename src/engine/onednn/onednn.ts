import { ConfigError } from "../../errors.ts";
import type { Engine } from "../engine.ts";
import { loadOneDnn } from "./native/find.ts";
import { loadLibC } from "./native/libc.ts";
import type { OneDnn } from "./native/oneDnn.ts";
import { loadOpenMp } from "./native/openMp.ts";
import { compileInference, compileTraining } from "./program.ts";
import { processorShare } from "./threads.ts";

/** How the engine is made. */
export interface OneDnnOptions {
  /** Default: the physical cores that this process may use, as `processorShare` counts them. */
  readonly threads?: number;
}

/**
 * The fast engine: oneDNN through FFI. All its calls run on the calling thread and on OpenMP's threads behind it, one call at a time;
 * a call blocks the event loop while it runs.
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
  const { threadLimit, setThreads } = loadOpenMp(loaded.path);
  if (options.threads !== undefined && wanted > threadLimit) {
    loaded.close();
    throw new ConfigError(`threads: expected at most ${threadLimit}, got ${wanted}; unset OMP_THREAD_LIMIT for more`);
  }
  const threads = Math.min(wanted, threadLimit);
  const useThreads = () => setThreads(threads);
  const library = { ...withThreads(loaded, useThreads), threads };
  const libc = loadLibC();
  return {
    name: "onednn",
    description: `oneDNN ${library.version} (${library.instructionSet}), ${threads} thread${threads === 1 ? "" : "s"}`,
    version: library.version,
    threads,
    nativeBf16: library.nativeBf16,
    async compile(request) {
      useThreads();
      return compileInference(library, libc, request);
    },
    async compileTraining(request) {
      useThreads();
      return compileTraining(library, libc, request);
    },
    close: library.close,
  };
}

/** OpenMP has one number of threads, engines may have different ones: each sets its own before it computes. */
function withThreads(loaded: OneDnn, useThreads: () => void): OneDnn {
  return {
    ...loaded,
    session() {
      const session = loaded.session();
      return {
        ...session,
        execute(primitive, args) {
          useThreads();
          session.execute(primitive, args);
        },
      };
    },
  };
}
