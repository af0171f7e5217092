/** GNU OpenMP, whose threads oneDNN computes on. */
import koffi from "koffi";
import { messageOf, NativeError } from "../../../errors.ts";

const LIBRARY = "libgomp.so.1";

/**
 * Returns the function that sets how many threads the calling thread's parallel regions use; oneDNN asks when it makes and when it runs a
 * primitive.
 *
 * Throws NativeError if the library is not there.
 */
export function loadOpenMp(): (threads: number) => void {
  try {
    return koffi.load(LIBRARY).func("omp_set_num_threads", "void", ["int"]);
  } catch (cause) {
    throw new NativeError(`OpenMP: ${LIBRARY} does not load (${messageOf(cause)}); oneDNN computes on its threads`, {
      cause,
    });
  }
}
