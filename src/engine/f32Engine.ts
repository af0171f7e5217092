/** Engines whose only precision is f32: what they have in common. */
import { UnimplementedError } from "../errors.ts";
import type { CompileRequest, Engine, InferenceRequest, Program, TrainingProgram } from "./engine.ts";
import { engineLifetime } from "./lifetime.ts";

/** Compilation by an engine, and release of what its programs share. */
interface Compiler {
  compile(request: CompileRequest): Program | Promise<Program>;
  compileTraining(request: CompileRequest): TrainingProgram | Promise<TrainingProgram>;
  free(): void;
}

const f32 = { name: "f32", native: true } as const;

/** An engine that owns the programs of a compiler. Compiling throws UnimplementedError for another precision, ClosedError after `close`. */
export function f32Engine(
  facts: Pick<Engine, "name" | "description" | "version" | "threads">,
  { compile, compileTraining, free }: Compiler,
): Engine {
  const lifetime = engineLifetime(facts.name, free);
  const inF32 = ({ precision, ...request }: InferenceRequest): CompileRequest => {
    lifetime.requireOpen();
    if (precision === "f32") return { ...request, precision };
    throw new UnimplementedError(`precision: the ${facts.name} engine has no ${precision}; use f32`);
  };
  return {
    ...facts,
    precisions: [f32],
    fastestPrecision: "f32",
    inferencePrecisions: [f32],
    trains: true,
    compile: async (request) => lifetime.own(await compile(inF32(request))),
    compileTraining: async (request) => lifetime.own(await compileTraining(inF32(request))),
    close: lifetime.close,
  };
}
