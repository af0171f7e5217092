/** OpenMP, on whose threads oneDNN computes: GNU's, LLVM's or Intel's, whichever it was linked with. */
import koffi from "koffi";
import { messageOf, NativeError } from "../../../errors.ts";

export interface OpenMp {
  /** The most threads that the environment (OMP_THREAD_LIMIT) lets it have. */
  readonly threadLimit: number;
  /** How many threads the calling thread's parallel regions use. oneDNN asks when it makes and when it runs a primitive. */
  setThreads(threads: number): void;
}

/**
 * The OpenMP behind the oneDNN at `path`, told to give the calling thread as many threads as it asks for: OMP_DYNAMIC would give fewer on a
 * busy machine, OMP_MAX_ACTIVE_LEVELS=0 none but its own.
 *
 * Throws NativeError if that oneDNN was built without OpenMP.
 */
export function loadOpenMp(path: string): OpenMp {
  try {
    // A library's symbols are looked up in what it depends on too.
    const library = koffi.load(path);
    library.func("omp_set_dynamic", "void", ["int"])(0);
    library.func("omp_set_max_active_levels", "void", ["int"])(1);
    return {
      threadLimit: library.func("omp_get_thread_limit", "int", [])(),
      setThreads: library.func("omp_set_num_threads", "void", ["int"]),
    };
  } catch (cause) {
    throw new NativeError(`oneDNN: ${path} is built without OpenMP (${messageOf(cause)}); expected a build with it`, {
      cause,
    });
  }
}
