/** The reference engine: plain loops in f64. */
import { UnimplementedError } from "../../errors.ts";
import type { CompileRequest, Engine, InferenceRequest } from "../engine.ts";
import { engineLifetime } from "../lifetime.ts";
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
  const lifetime = engineLifetime("reference", () => {});
  return {
    name: "reference",
    description: `reference ${version}: plain TypeScript in f64, 1 thread`,
    threads: 1,
    version,
    precisions: [f32],
    fastestPrecision: "f32",
    inferencePrecisions: [f32],
    trains: true,
    async compile(request) {
      lifetime.requireOpen();
      return lifetime.own(new ReferenceProgram(inF32(request)));
    },
    async compileTraining(request) {
      lifetime.requireOpen();
      return lifetime.own(new ReferenceTrainingProgram(inF32(request)));
    },
    close: lifetime.close,
  };
}

const f32 = { name: "f32", native: true } as const;

/** f32 is exceeded; other formats would not be what was asked for. */
function inF32({ precision, ...request }: InferenceRequest): CompileRequest {
  if (precision === "f32") return { ...request, precision };
  throw new UnimplementedError(`precision: the reference engine has no ${precision}; use f32`);
}
