/** Creation of engines by name: the only module that imports all of them. */
import { NativeError } from "../../errors.ts";
import { requireMemory } from "../../memoryCheck.ts";
import type { Engine } from "../engine.ts";
import { createOneDnnEngine } from "../onednn/onednn.ts";
import { createReferenceEngine } from "../reference/reference.ts";
import type { EngineName } from "./engineNames.ts";

/** An engine, with a message about the choice. */
export interface SelectedEngine {
  readonly engine: Engine;
  /** Reason for using the slow engine, if it was not requested. */
  readonly warning: string | undefined;
}

/** Creates an engine, asynchronously for devices. Throws NativeError if `onednn` is requested and no supported oneDNN is found. */
export async function selectEngine(name: EngineName, threads?: number): Promise<SelectedEngine> {
  if (name === "reference") return { engine: referenceEngine(), warning: undefined };
  try {
    return { engine: createOneDnnEngine(threads === undefined ? {} : { threads }), warning: undefined };
  } catch (error) {
    if (name === "onednn" || !(error instanceof NativeError)) throw error;
    return { engine: referenceEngine(), warning: `${error.message}. Using the slow reference engine` };
  }
}

/** The reference engine, which itself uses nothing of Node.js, with a check of this machine's memory. */
function referenceEngine(): Engine {
  const engine = createReferenceEngine();
  return {
    ...engine,
    async compile(request) {
      requireMemory(request, "inference");
      return engine.compile(request);
    },
    async compileTraining(request) {
      requireMemory(request, "training");
      return engine.compileTraining(request);
    },
  };
}
