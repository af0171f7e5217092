import type { Engine } from "../engine.ts";
import { ReferenceProgram } from "./program.ts";
import { ReferenceTrainingProgram } from "./trainingProgram.ts";

/** Changes with any number that the engine computes. */
const version = "1";

/**
 * The engine to read and to compare with: plain loops in f64, one thread, f32 only at its border. Its steps allocate small
 * scratch arrays where that makes the formulas plainer.
 */
export function createReferenceEngine(): Engine {
  return {
    name: "reference",
    description: `reference ${version}: plain TypeScript in f64, 1 thread`,
    threads: 1,
    version,
    nativeBf16: false,
    compile: async (request) => new ReferenceProgram(request),
    compileTraining: async (request) => new ReferenceTrainingProgram(request),
    close() {},
  };
}
