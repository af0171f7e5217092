/** OpenMP, which runs oneDNN's threads: GNU's, LLVM's, Intel's or Microsoft's, depending on the build of oneDNN. */
import { messageOf, NativeError } from "../../../errors.ts";
import type { ForeignFunctions } from "../../../koffi.ts";
import { loadKoffi } from "./koffi.ts";
import { loadSystem } from "./loadSystem.ts";
import type { System } from "./system.ts";

export interface OpenMp {
  /** Maximum number of threads that the environment (OMP_THREAD_LIMIT) allows. */
  readonly threadLimit: number;
  /** Sets the number of threads of the calling thread's parallel regions. oneDNN reads it when it creates and when it runs a primitive. */
  setThreads(threads: number): void;
}

/** Runtimes of Windows, where a symbol lookup does not include a library's dependencies. */
const windowsRuntimes = ["vcomp140.dll", "libomp140.x86_64.dll", "libomp.dll", "libiomp5md.dll", "libgomp-1.dll"];

/** The library to look OpenMP's functions up in, for a loaded oneDNN at `path`. */
export function openMpLibrary(
  path: string,
  platform: NodeJS.Platform = process.platform,
  system: () => Pick<System, "fileOf"> = loadSystem,
): string {
  // Elsewhere a symbol lookup in a library includes its dependencies.
  if (platform !== "win32") return path;
  const { fileOf } = system();
  return windowsRuntimes.find((name) => fileOf(name, "omp_set_num_threads") !== undefined) ?? path;
}

/**
 * Loads the OpenMP of the oneDNN at `path`, and makes it provide exactly the requested number of threads: OMP_DYNAMIC would provide fewer on a busy
 * machine, OMP_MAX_ACTIVE_LEVELS=0 only the calling thread.
 *
 * Throws NativeError if that oneDNN was built without OpenMP.
 */
export function loadOpenMp(path: string): OpenMp {
  try {
    const library = loadKoffi().load(openMpLibrary(path));
    const setThreads = library.func("omp_set_num_threads", "void", ["int"]);
    library.func("omp_set_dynamic", "void", ["int"])(0);
    optional(library, "omp_set_max_active_levels", "void", ["int"])?.(1);
    return { threadLimit: optional(library, "omp_get_thread_limit", "int", [])?.() ?? Infinity, setThreads };
  } catch (cause) {
    throw new NativeError(
      `oneDNN: ${path} is built without OpenMP (${messageOf(cause)}); install a build with OpenMP`,
      {
        cause,
      },
    );
  }
}

/** A function of OpenMP 3.0; undefined in Microsoft's runtime, which ends at 2.0 and has no such limits. */
function optional(library: ReturnType<ForeignFunctions["load"]>, name: string, result: string, args: string[]) {
  try {
    return library.func(name, result, args);
  } catch {
    return undefined;
  }
}
