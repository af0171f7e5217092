/** Interface between an optimizer and shared code. Types only; each optimizer is one file, `optimizers.ts` lists them. */
import type { z } from "zod/mini";
import type { Assignment, Tensor } from "../../engine/engine.ts";

/** A parameter's tensors, all of one shape and layout. */
export interface OptimizerTensors {
  readonly value: Tensor;
  /** The gradient of the mean loss of the step's images. */
  readonly gradient: Tensor;
  /** Tensors of the optimizer's state, in the order of `state`. */
  readonly state: readonly Tensor[];
}

/** L2 norms of a parameter's tensors, also if several processes hold parts of them. */
export interface Norms {
  readonly value: number;
  /** Norm of the step's gradient. */
  readonly gradient: number;
}

/** Arguments of a step's scalars. */
export interface StepPlace {
  /** Learning rate, multiplied by the parameter's factor. */
  readonly learningRate: number;
  /** Number of the step in the run, from 1. */
  readonly step: number;
  /** Present for a kind that reads them. */
  readonly norms?: Norms | undefined;
}

/** One step of one parameter, element by element. `set` assigns the step's values to its scalars. */
export interface ParameterStep {
  readonly assignments: readonly Assignment[];
  set(place: StepPlace): void;
}

/** A kind of optimizer with options of type O. */
export interface OptimizerKind<O> {
  /** Strict schema with defaults; `kind` is the name. */
  readonly schema: z.ZodMiniType<O>;
  /** Steps need the norms of each parameter: passes over values and gradients, whose results are waited for. */
  readonly readsNorms: boolean;
  /** Names of each parameter's state tensors in a checkpoint; initially zero. */
  state(options: O): readonly string[];
  /** Compiles a parameter's step; `weightDecay` is the option multiplied by the parameter's factor. */
  step(options: O, tensors: OptimizerTensors, weightDecay: number): ParameterStep;
  /** One-line description. */
  describe(options: O): string;
}
