/** Training with rollback to the last checkpoint on divergence. */
import { loadCheckpoint, restoreCheckpoint, type StoredCheckpoint, savePosition } from "../checkpoint/checkpoint.ts";
import { appendLog, type LogEntry, type RollbackEntry, readLog, truncateLog } from "../checkpoint/runLog.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import { CheckpointError, DivergenceError } from "../errors.ts";
import type { DivergencePolicy } from "../settings/divergencePolicy.ts";
import { rateScale } from "../training/rateScale.ts";
import { type Position, positionSchema, type Rollbacks } from "../training/state.ts";
import { type Training, type TrainingEnd, train } from "../training/train.ts";
import type { JointStores } from "./jointStores.ts";
import type { Recorder } from "./recorder.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** The position of a checkpoint. Throws CheckpointError if the file has no valid one. */
export function readPosition({ position, optimizerFile }: StoredCheckpoint): Position {
  const parsed = positionSchema.safeParse(position);
  if (parsed.success) return parsed.data;
  throw new CheckpointError(`${optimizerFile}: not a position in training: ${parsed.error.message}`);
}

/** A run in its directory, and its policy on divergence. */
export interface GuardedRun {
  readonly directory: string;
  readonly training: Training;
  readonly weights: TensorStore;
  readonly optimizer: TensorStore;
  readonly policy: DivergencePolicy;
  /** Stores of the processes that train the run, of which process 0 reads and writes its directory. */
  readonly joint: JointStores;
  readonly observer: TrainObserver | undefined;
  /** Creates the recorder of a run that continues from a position with the lines of its log. */
  readonly record: (from: Stretch) => Promise<Recorder>;
}

/** A position to train from, and the log up to it. */
export interface Stretch {
  readonly start: Position;
  readonly log: readonly LogEntry[];
}

/**
 * Trains to the end; on divergence it stops or rolls back, according to the policy. After a rollback the directory is as if the run had been
 * interrupted at that checkpoint with the lower learning rate, so that it resumes bit for bit. Only best.safetensors may come from a later
 * iteration, until an evaluation beats the log's best.
 *
 * Throws DivergenceError if the policy is to stop, or all rollbacks are used up.
 */
export async function trainGuarded(
  run: GuardedRun,
  from: Stretch,
): Promise<{ readonly position: Position; readonly end: TrainingEnd; readonly recorder: Recorder }> {
  let stretch = from;
  let recorder = await run.record(stretch);
  // A run that diverges at once needs a checkpoint to roll back to.
  if (run.policy.action === "rollback" && from.start.iteration === 0) await recorder.save(from.start);
  for (;;) {
    try {
      return { ...(await train(run.training, stretch.start, recorder.listener)), recorder };
    } catch (error) {
      if (!(error instanceof DivergenceError)) throw error;
      await recorder.draw();
      if (run.policy.action === "stop") throw error;
      const { rollbacks } = stretch.start;
      stretch = await run.joint.lead(() => rollBack(run, rollbacks, error));
      recorder = await run.record(stretch);
    }
  }
}

async function rollBack(run: GuardedRun, soFar: Rollbacks, error: DivergenceError): Promise<Stretch> {
  const { directory, weights, optimizer, policy, observer, training } = run;
  if (soFar.count >= policy.times) throw usedUp(run, soFar, error);
  const newest = await loadCheckpoint(directory);
  if (!newest) throw error;
  // After a second divergence from the same checkpoint, falls back to the one before: its weights may have been diverging already.
  const wasTried = soFar.count > 0 && soFar.iteration === newest.iteration;
  const stored = (wasTried ? await loadCheckpoint(directory, newest.iteration) : undefined) ?? newest;
  for (const warning of newest.warnings) observer?.onMessage?.(warning);
  const { iteration } = stored;
  const rollbacks = { count: soFar.count + 1, factor: soFar.factor * policy.factor, iteration };
  const start = { ...readPosition(stored), rollbacks };
  await restoreCheckpoint(stored, weights, optimizer);
  await truncateLog(directory, iteration, soFar.count);
  const entry: RollbackEntry = {
    epoch: start.epoch + start.images / training.train.length,
    iteration,
    rollback: rollbacks.count,
    reason: error.reason,
    learningRateFactor: rollbacks.factor,
  };
  await appendLog(directory, entry);
  await savePosition(directory, start, optimizer);
  observer?.onRollback?.(entry);
  observer?.onMessage?.(
    `${error.reason}; back to iteration ${iteration} with the learning rate × ${shown(rollbacks.factor)} ` +
      `(rollback ${rollbacks.count} of ${policy.times})`,
  );
  return { start, log: await readLog(directory) };
}

function usedUp({ training, policy }: GuardedRun, { factor }: Rollbacks, { reason }: DivergenceError): DivergenceError {
  const rate = shown(rateScale(training.recipe) * training.recipe.learningRate * factor);
  return new DivergenceError(
    reason,
    `gave up after ${policy.times} rollbacks (learning rate now ${rate}); resume with a higher --max-rollbacks, ` +
      "or start a run with other settings",
  );
}

/** Formats a factor without rounding noise: 0.1 · 0.1 as 0.01. */
function shown(value: number): string {
  return String(Number(value.toPrecision(6)));
}
