/** Kernel times of a program's primitives. */
import type { Direction, KernelProfile } from "../engine.ts";
import type { PreparedArgs, Primitive, Session } from "./native/oneDnn.ts";

/** Where the time of one primitive is added up. */
export interface Entry {
  readonly layer: string;
  readonly direction: Direction;
  readonly work: string;
  readonly implementation: string;
  runs: number;
  seconds: number;
}

/** What a program's primitives cost. Two readings of the clock a primitive, tens of nanoseconds each. */
export interface Account {
  open(layer: string, direction: Direction, work: string, implementation: string): Entry;
  /** What ran since it was last taken. */
  take(): readonly KernelProfile[];
}

export function newAccount(): Account {
  const entries: Entry[] = [];
  return {
    open(layer, direction, work, implementation) {
      const entry = { layer, direction, work, implementation, runs: 0, seconds: 0 };
      entries.push(entry);
      return entry;
    },
    take() {
      const taken = entries.filter(({ runs }) => runs > 0).map((entry) => ({ ...entry }));
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
