/** GNU OpenMP, whose threads oneDNN computes on. */
import koffi from "koffi";

/** How many threads the calling thread's parallel regions use; oneDNN asks when it makes and when it runs a primitive. */
export function setOpenMpThreads(threads: number): void {
  koffi.load("libgomp.so.1").func("omp_set_num_threads", "void", ["int"])(threads);
}
