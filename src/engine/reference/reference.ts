/** The reference engine: plain loops in f64. */
import { UnimplementedError } from "../../errors.ts";
import type { CompileRequest, Engine } from "../engine.ts";
import { engineLifetime } from "../lifetime.ts";
import { ReferenceProgram } from "./program.ts";
import { ReferenceTrainingProgram } from "./trainingProgram.ts";

/** Must change whenever any computed number changes. */
const version = "1";

/**
 * Creates the engine for reading and comparison: plain loops in f64, one thread, f32 only at its interface. A resumed run differs by the rounding of
 * its checkpoint to f32. Steps allocate small scratch arrays where that simplifies the formulas.
 */
export function createReferenceEngine(): Engine {
  const lifetime = engineLifetime("reference", () => {});
  return {
    name: "reference",
    description: `reference ${version}: plain TypeScript in f64, 1 thread`,
    threads: 1,
    version,
    precisions: [{ name: "f32", native: true }],
    fastestPrecision: () => "f32",
    trains: true,
    async compile(request) {
      lifetime.requireOpen();
      requireF32(request);
      return lifetime.own(new ReferenceProgram(request));
    },
    async compileTraining(request) {
      lifetime.requireOpen();
      requireF32(request);
      return lifetime.own(new ReferenceTrainingProgram(request));
    },
    close: lifetime.close,
  };
}

/** f64 exceeds f32; bf16 is not supported. */
function requireF32({ precision }: CompileRequest): void {
  if (precision !== "f32")
    throw new UnimplementedError(`precision: the reference engine does not support ${precision}; use f32`);
}
