/** One comparison: workers with the same workload, of which one computes at a time, round by round. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Precision } from "../../src/engine/engine.ts";
import { AlexNetError, messageOf } from "../../src/errors.ts";
import type { Network } from "../../src/network/network.ts";
import type { Mode } from "./protocol.ts";
import { type Measured, relativeDifference, stepsFor } from "./results.ts";
import type { Variant } from "./variants.ts";
import { startWorker, type Worker } from "./worker.ts";
import { writeWorkload } from "./workload.ts";

export interface Comparison {
  readonly network: Network;
  readonly mode: Mode;
  readonly batchSize: number;
  readonly threads: number;
  readonly rounds: number;
  /** The first variant, and all others of its name, are this project's: the baseline. */
  readonly variants: readonly Variant[];
}

/** Seconds that each worker computes in a round; at least one step. */
const ROUND_SECONDS = 3;
/** Untimed steps at the start, which allocate memory and generate code. */
const WARM_UP_STEPS = 2;

/** Tolerance of logits relative to the largest: Winograd's rounding in f32, and 8 bits of mantissa through eight layers in bf16. */
const tolerances: { readonly [P in Precision]: number } = { f32: 1e-3, bf16: 5e-2 };

interface Runner {
  readonly variant: Variant;
  readonly worker: Worker;
  readonly steps: number;
  readonly rounds: (readonly number[])[];
}

/**
 * Measures all variants. A variant that fails to start is reported and left out, except the first.
 *
 * Throws AlexNetError if a variant's logits differ from the first variant's.
 */
export async function compare(comparison: Comparison, say: (line: string) => void): Promise<readonly Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), "alexnet-peers-"));
  const runners: Runner[] = [];
  try {
    await writeWorkload(folder, comparison.network, comparison.batchSize);
    let expected: readonly number[] | undefined;
    for (const variant of comparison.variants) {
      say(`  starting ${variant.name} ${variant.precision}`);
      const started = await start(variant, comparison, folder, say);
      if (!started) continue;
      const { worker, steps, logits } = started;
      runners.push({ variant, worker, steps, rounds: [] });
      expected ??= logits;
      requireSame(variant, logits, expected);
    }
    for (let round = 0; round < comparison.rounds; round++) {
      say(`  round ${round + 1} of ${comparison.rounds}`);
      // Each round starts with another worker, so that the order varies.
      for (let i = 0; i < runners.length; i++) {
        const runner = runners[(round + i) % runners.length];
        runner?.rounds.push(await runner.worker.run(runner.steps));
      }
    }
    return runners.map(({ variant, worker, rounds }) => ({
      precision: variant.precision,
      variant: variant.name,
      description: worker.description,
      rounds,
      firstStepSeconds: worker.firstStepSeconds,
      peakBytes: worker.peakBytes(),
    }));
  } finally {
    for (const { worker } of runners) worker.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function start(
  variant: Variant,
  { mode, batchSize, threads, variants }: Comparison,
  folder: string,
  say: (line: string) => void,
): Promise<{ worker: Worker; steps: number; logits: readonly number[] } | undefined> {
  const request = { folder, mode, precision: variant.precision, batchSize, threads };
  let worker: Worker | undefined;
  try {
    worker = await startWorker(variant.command(request));
    return { worker, steps: await warmUp(worker), logits: await worker.check() };
  } catch (cause) {
    worker?.close();
    if (variant.name === variants[0]?.name) throw new AlexNetError(`${variant.name}: ${messageOf(cause)}`, { cause });
    say(`  left out: ${variant.name} ${variant.precision}: ${messageOf(cause)}`);
    return undefined;
  }
}

/** Returns the number of steps per round. */
async function warmUp(worker: Worker): Promise<number> {
  const seconds = await worker.run(WARM_UP_STEPS);
  return stepsFor(ROUND_SECONDS, Math.min(...seconds));
}

function requireSame({ name, precision }: Variant, logits: readonly number[], expected: readonly number[]): void {
  const difference = relativeDifference(logits, expected);
  const tolerance = tolerances[precision];
  if (difference <= tolerance) return;
  throw new AlexNetError(
    `${name} ${precision}: expected logits within ${tolerance} of ours, got a difference of ${difference}; the computations differ`,
  );
}
