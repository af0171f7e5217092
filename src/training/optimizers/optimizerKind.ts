/** Interface between an optimizer and shared code. Types only; each optimizer is one file, `optimizers.ts` lists them. */
import type { z } from "zod/mini";
import type { Assignment, Tensor } from "../../engine/engine.ts";

/** A parameter's tensors, all of one shape and layout. */
export interface OptimizerTensors {
  readonly value: Tensor;
  /** The gradient of the mean loss of the step's images. */
  readonly gradient: Tensor;
  /** Those that the optimizer keeps, in the order of its names for them. */
  readonly state: readonly Tensor[];
}

/** Arguments of a step's scalars. */
export interface StepPlace {
  /** With the parameter's factor. */
  readonly learningRate: number;
  /** Number of the step in the run, from 1. */
  readonly step: number;
}

/** One step of one parameter: element by element, with scalars that `set` gives their values for a step. */
export interface ParameterStep {
  readonly assignments: readonly Assignment[];
  set(place: StepPlace): void;
}

/** A kind of optimizer with options of type O. */
export interface OptimizerKind<O> {
  /** Strict, with the defaults; `kind` names it. */
  readonly schema: z.ZodMiniType<O>;
  /** State of each parameter: names in a checkpoint of tensors that are zero at first. */
  state(options: O): readonly string[];
  /** `weightDecay` is that of the options with the parameter's factor. */
  step(options: O, tensors: OptimizerTensors, weightDecay: number): ParameterStep;
  /** One line for people. */
  describe(options: O): string;
}
