/** One comparison: participants with the same workload, of which one computes at a time, round by round. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InferencePrecision } from "../../src/engine/engine.ts";
import { AlexNetError, messageOf } from "../../src/errors.ts";
import type { Network } from "../../src/network/network.ts";
import type { Checked, Mode, Timing } from "./protocol.ts";
import { createQuietWatch, type QuietWatch } from "./quiet.ts";
import { computeReference, type Reference } from "./reference.ts";
import { largestDifference, type Measured, stepsFor } from "./results.ts";
import type { Variant } from "./variants.ts";
import type { Worker } from "./worker.ts";
import { openFolder, writeWorkload } from "./workloadFolder.ts";

export interface Comparison {
  readonly network: Network;
  readonly mode: Mode;
  readonly batchSize: number;
  readonly threads: number;
  /** Graphics adapter that computes, in place of threads. */
  readonly adapter?: string | undefined;
  readonly rounds: number;
  /** Seconds that each participant computes in a round; at least one step. */
  readonly roundSeconds: number;
  /** The first variant, and all others of its name, are this project's: the baseline. */
  readonly variants: readonly Variant[];
}

/** Untimed steps at the start, which allocate memory and generate code. */
const WARM_UP_STEPS = 2;

/** A round that others disturbed is repeated this often. */
const REPEATS = 2;

/**
 * Largest difference from direct convolution in f64, of the largest number: rounding in f32, and 8 bits of mantissa through eight layers, forward
 * and back, in bf16; 8 bits of weights and activations in int8.
 */
const tolerances: { readonly [P in InferencePrecision]: number } = { f32: 1e-3, bf16: 1e-1, int8: 1e-1 };

interface Runner {
  readonly variant: Variant;
  readonly worker: Worker;
  readonly steps: number;
  readonly rounds: Timing[];
}

/**
 * Measures all variants. A peer that does not start, or whose numbers differ from those of direct convolution in f64, is left out with a message. Throws
 * AlexNetError if the first variant, or another of its name, is such a one.
 */
export async function compare(comparison: Comparison, say: (line: string) => void): Promise<readonly Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), "alexnet-peers-"));
  const runners: Runner[] = [];
  try {
    await writeWorkload(folder, comparison.network, comparison.batchSize);
    say("  computing the expected numbers: direct convolution in f64");
    const reference = await computeReference(await openFolder(folder), comparison.mode);
    for (const variant of comparison.variants) {
      say(`  starting ${variant.name} ${variant.precision}`);
      const started = await start(variant, comparison, folder, reference, say);
      if (started) runners.push({ variant, ...started, rounds: [] });
    }
    const watch = createQuietWatch();
    for (let round = 0; round < comparison.rounds; round++) {
      say(`  round ${round + 1} of ${comparison.rounds}`);
      await measureRound(runners, round, watch, say);
    }
    return runners.map(({ variant, worker, rounds }) => ({
      precision: variant.precision,
      variant: variant.name,
      isPeer: variant.isPeer,
      description: worker.description,
      rounds,
      firstStepSeconds: worker.firstStepSeconds,
      peakBytes: worker.peakBytes(),
    }));
  } finally {
    await Promise.all(runners.map(({ worker }) => worker.close()));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Times all variants once, in an order that differs from round to round. */
async function measureRound(
  runners: readonly Runner[],
  round: number,
  { watch }: QuietWatch,
  say: (line: string) => void,
): Promise<void> {
  for (let repeats = 0; ; repeats++) {
    const timings = new Map<Runner, Timing>();
    let disturbance: string | undefined;
    for (let i = 0; i < runners.length; i++) {
      const runner = runners[(round + i) % runners.length] as Runner;
      const [timing, problem] = await watch(() => runner.worker.run(runner.steps));
      timings.set(runner, timing);
      disturbance ??= problem && `${problem} while ${runner.variant.name} ${runner.variant.precision} was timed`;
    }
    if (disturbance !== undefined) {
      const consequence = repeats < REPEATS ? "the round is repeated" : "the round counts all the same";
      say(`  not quiet: ${disturbance}; ${consequence}`);
      if (repeats < REPEATS) continue;
    }
    for (const [runner, timing] of timings) runner.rounds.push(timing);
    return;
  }
}

/** Starts a variant, and compares its numbers with the reference. Returns undefined, with a message, if one of both fails. */
async function start(
  variant: Variant,
  { mode, batchSize, threads, roundSeconds, variants }: Comparison,
  folder: string,
  reference: Reference,
  say: (line: string) => void,
): Promise<Pick<Runner, "worker" | "steps"> | undefined> {
  const request = { folder, mode, precision: variant.precision, batchSize, threads };
  let worker: Worker | undefined;
  try {
    worker = await variant.start(request);
    const steps = await warmUp(worker, roundSeconds);
    const problem = difference(variant, await worker.check(), reference);
    if (problem !== undefined) throw new AlexNetError(problem);
    return { worker, steps };
  } catch (cause) {
    await worker?.close();
    if (variant.name === variants[0]?.name) throw new AlexNetError(`${variant.name}: ${messageOf(cause)}`, { cause });
    say(`  left out: ${variant.name} ${variant.precision}: ${messageOf(cause)}`);
    return undefined;
  }
}

/** Returns the number of steps per round. A step that fills a round needs no more warm-up. */
async function warmUp(worker: Worker, roundSeconds: number): Promise<number> {
  const [first = 0] = (await worker.run(1)).seconds;
  if (first > roundSeconds) return 1;
  const { seconds } = await worker.run(WARM_UP_STEPS - 1);
  return stepsFor(roundSeconds, Math.min(...seconds));
}

/** The difference that is too large; undefined if there is none. */
function difference({ precision, dropout }: Variant, checked: Checked, reference: Reference): string | undefined {
  const expected = dropout === "our masks" ? reference.withMasks : reference.withoutDropout;
  const [numbers, largest] = largestDifference(checked, expected);
  const tolerance = tolerances[precision];
  if (largest <= tolerance) return undefined;
  return `expected numbers within ${tolerance} of direct convolution in f64, got ${numbers} with a difference of ${largest.toPrecision(2)}`;
}
