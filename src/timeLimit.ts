/** A time limit as a signal. */

/** Longest time of a timer: 24 days. */
const LONGEST = 2 ** 31 - 1;

/** A signal that aborts after n minutes, fractions included; undefined for no limit. */
export function timeLimit(minutes: number | undefined): AbortSignal | undefined {
  return minutes === undefined ? undefined : AbortSignal.timeout(Math.min(Math.ceil(minutes * 60_000), LONGEST));
}
