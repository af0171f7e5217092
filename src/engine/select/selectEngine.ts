/** Engines by name: the only place that knows all of them. */
import { NativeError } from "../../errors.ts";
import type { Engine } from "../engine.ts";
import { createOneDnnEngine } from "../onednn/onednn.ts";
import { createReferenceEngine } from "../reference/reference.ts";
import type { EngineName } from "./engineNames.ts";

export interface SelectedEngine {
  readonly engine: Engine;
  /** Why the slow engine was taken, if it was not asked for. */
  readonly warning: string | undefined;
}

/** Throws NativeError if `onednn` is asked for and no supported oneDNN is found. */
export function selectEngine(name: EngineName, threads?: number): SelectedEngine {
  if (name === "reference") return { engine: createReferenceEngine(), warning: undefined };
  try {
    return { engine: createOneDnnEngine(threads === undefined ? {} : { threads }), warning: undefined };
  } catch (error) {
    if (name === "onednn" || !(error instanceof NativeError)) throw error;
    return { engine: createReferenceEngine(), warning: `${error.message}. Going on with the reference engine: slow` };
  }
}
