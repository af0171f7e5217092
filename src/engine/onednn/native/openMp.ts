/** OpenMP, which runs oneDNN's threads: GNU's, LLVM's or Intel's, depending on the build of oneDNN. */
import koffi from "koffi";
import { messageOf, NativeError } from "../../../errors.ts";

export interface OpenMp {
  /** Maximum number of threads that the environment (OMP_THREAD_LIMIT) allows. */
  readonly threadLimit: number;
  /** Sets the number of threads of the calling thread's parallel regions. oneDNN reads it when it creates and when it runs a primitive. */
  setThreads(threads: number): void;
}

/**
 * Loads the OpenMP of the oneDNN at `path`, and makes it provide exactly the requested number of threads: OMP_DYNAMIC would provide fewer on a busy
 * machine, OMP_MAX_ACTIVE_LEVELS=0 only the calling thread.
 *
 * Throws NativeError if that oneDNN was built without OpenMP.
 */
export function loadOpenMp(path: string): OpenMp {
  try {
    // A symbol lookup in a library includes its dependencies.
    const library = koffi.load(path);
    library.func("omp_set_dynamic", "void", ["int"])(0);
    library.func("omp_set_max_active_levels", "void", ["int"])(1);
    return {
      threadLimit: library.func("omp_get_thread_limit", "int", [])(),
      setThreads: library.func("omp_set_num_threads", "void", ["int"]),
    };
  } catch (cause) {
    throw new NativeError(
      `oneDNN: ${path} is built without OpenMP (${messageOf(cause)}); install a build with OpenMP`,
      {
        cause,
      },
    );
  }
}
