/** The reference engine: plain loops in f64. */
import type { Engine } from "../engine.ts";
import { f32Engine } from "../f32Engine.ts";
import { ReferenceProgram } from "./program.ts";
import { ReferenceTrainingProgram } from "./trainingProgram.ts";

/** Must change whenever any computed number changes. */
const version = "1";

/**
 * Creates the engine for reading and comparison: plain loops in f64, one thread, f32 only at its interface. A resumed run differs by the rounding of
 * its checkpoint to f32. Steps allocate small scratch arrays where that simplifies the formulas.
 *
 * Compiling throws UnimplementedError for a precision other than f32.
 */
export function createReferenceEngine(): Engine {
  const description = `reference ${version}: plain TypeScript in f64, 1 thread`;
  return f32Engine(
    { name: "reference", description, version, threads: 1 },
    {
      compile: (request) => new ReferenceProgram(request),
      compileTraining: (request) => new ReferenceTrainingProgram(request),
      free() {},
    },
  );
}
