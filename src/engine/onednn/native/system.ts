/** The few functions of an operating system that the engine calls: memory, and libraries. Types only. */

/** One implementation per family of systems: `posix.ts`, `windows.ts`; `loadSystem.ts` chooses. */
export interface System {
  /** Zeroed memory; undefined if the system refuses. `bytes` is a multiple of the page size, as in all calls. */
  allocate(bytes: number): bigint | undefined;
  /** Frees a whole allocation. */
  free(start: bigint, bytes: number): void;
  /** Replaces the pages of an allocation by zeroed ones, which take no memory until they are touched. */
  discard(start: bigint, bytes: number): void;
  /** Requests huge pages for a range, on systems that can. */
  preferHugePages(start: bigint, bytes: number): void;
  /** Keeps a library loaded until the process exits, whatever handles to it are closed. Returns false if it cannot be loaded. */
  pin(library: string): boolean;
  /** File of a loaded library with the function `symbol`; undefined if it is not loaded, or has no file. */
  fileOf(library: string, symbol: string): string | undefined;
}
