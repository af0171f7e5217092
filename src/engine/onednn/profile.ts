/** Kernel times of a program's primitives. */
import type { Direction, KernelProfile } from "../engine.ts";
import type { PreparedArgs, Primitive, Session } from "./native/oneDnn.ts";

/** Total time of one primitive. */
export interface Entry {
  readonly layer: string;
  readonly direction: Direction;
  readonly work: string;
  readonly implementation: string;
  /** Of one run, where they are others than those of the direct algorithm. */
  readonly flopsOfRun: number | undefined;
  runs: number;
  seconds: number;
}

/** Collects the times of a program's primitives. It reads the clock twice a primitive, tens of nanoseconds each. */
export interface Account {
  open(layer: string, direction: Direction, work: string, implementation: string, flopsOfRun?: number): Entry;
  /** Returns the work since the last call. */
  take(): readonly KernelProfile[];
}

export function newAccount(): Account {
  const entries: Entry[] = [];
  return {
    open(layer, direction, work, implementation, flopsOfRun) {
      const entry = { layer, direction, work, implementation, flopsOfRun, runs: 0, seconds: 0 };
      entries.push(entry);
      return entry;
    },
    take() {
      const taken = entries
        .filter(({ runs }) => runs > 0)
        .map(({ flopsOfRun, ...entry }) =>
          flopsOfRun === undefined ? entry : { ...entry, flops: flopsOfRun * entry.runs },
        );
      for (const entry of entries) Object.assign(entry, { runs: 0, seconds: 0 });
      return taken;
    },
  };
}

/** Runs a primitive and enters its time. */
export function execute(session: Session, primitive: Primitive, args: PreparedArgs, entry: Entry): void {
  const start = performance.now();
  session.execute(primitive, args);
  entry.seconds += (performance.now() - start) / 1000;
  entry.runs++;
}
