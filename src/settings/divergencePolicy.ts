/** Policy for a run that diverges, as data. */
import * as z from "zod";

/**
 * What to do if a loss or a weight is not finite. `stop` ends the run with DivergenceError. `rollback` returns to the last checkpoint with the
 * learning rate × `factor`, at most `times` times in a run; then it stops.
 */
export const divergencePolicySchema = z.object({
  action: z.enum(["stop", "rollback"]).default("stop"),
  /** The paper's authors divided their rate by 10 (Krizhevsky et al. 2012, §5). */
  factor: z.number().positive().lt(1).default(0.1),
  times: z.int().positive().default(3),
});

export type DivergencePolicy = z.infer<typeof divergencePolicySchema>;
