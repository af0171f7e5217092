/** Learning rate schedule of experiments with the recipe `small`. */
import type { Schedule } from "../training/schedule.ts";

/**
 * × 0.1 after 0.4 and 0.8 of the run: the recipe's schedule in 20 epochs and more. The recipe itself waits for eight epochs, so that a run of eight would
 * end at its first learning rate.
 */
export const smallSchedule: Schedule = { kind: "step", at: [0.4, 0.8], factor: 0.1 };
