import type { Engine } from "../src/engine/engine.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";

export interface EngineUnderTest {
  readonly name: string;
  create(): Engine;
  /** Format of its arithmetic: what the bounds of the tests follow. */
  readonly arithmetic: "f64" | "f32";
}

/** Every engine runs through the same suites. */
export const engines: readonly EngineUnderTest[] = [
  { name: "reference", create: createReferenceEngine, arithmetic: "f64" },
  { name: "onednn", create: createOneDnnEngine, arithmetic: "f32" },
];
