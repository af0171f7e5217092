/** Policy for a run that diverges, as data. */
import { z } from "zod";

/** What can be done when a loss or a weight is not finite. */
export const divergenceActions = ["stop", "rollback"] as const;

export type DivergenceAction = (typeof divergenceActions)[number];

/**
 * What becomes of a run whose loss or weights are not finite. `stop` ends it with DivergenceError. `rollback` goes back to the last checkpoint
 * with the learning rate × `factor`, at most `times` times in a run; then it stops.
 */
export const divergencePolicySchema = z.object({
  action: z.enum(divergenceActions).default("stop"),
  /** That by which the paper's authors lowered their rate (Krizhevsky et al. 2012, §5). */
  factor: z.number().positive().lt(1).default(0.1),
  times: z.int().positive().default(3),
});

export type DivergencePolicy = z.infer<typeof divergencePolicySchema>;

/** Single values of a policy. */
export interface DivergenceSettings {
  /** Default `stop`. */
  readonly onDivergence?: DivergenceAction;
  /** On the learning rate at each rollback, below 1. Default 0.1. */
  readonly rollbackFactor?: number;
  /** Rollbacks in a run before it stops. Default 3. */
  readonly maxRollbacks?: number;
}

/** The policy that a run has, with what is said otherwise. */
export function divergencePolicy(
  { onDivergence, rollbackFactor, maxRollbacks }: DivergenceSettings,
  stored: DivergencePolicy = divergencePolicySchema.parse({}),
): DivergencePolicy {
  return {
    action: onDivergence ?? stored.action,
    factor: rollbackFactor ?? stored.factor,
    times: maxRollbacks ?? stored.times,
  };
}
