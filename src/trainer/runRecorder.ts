/** Log, checkpoints and progress of a run in its directory. */
import { saveCheckpoint } from "../checkpoint/checkpoint.ts";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { loadModel } from "../checkpoint/model.ts";
import { appendLog, evaluationsOf } from "../checkpoint/runLog.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import { CheckpointError } from "../errors.ts";
import { writeCurves } from "../runs/runReport.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import { bestOf, type Evaluated } from "../training/monitor.ts";
import { metricsOf, type RecordedRun, type Recorder, type RunStorage, recordRun } from "./recorder.ts";

/** A run to record, and its directory. */
export interface RecorderOptions extends Pick<RecordedRun, "start" | "log" | "observer" | "signal" | "deadline"> {
  readonly directory: string;
  readonly config: RunConfig;
  readonly weights: TensorStore;
  /** The averaged weights, which replace the weights in evaluations and in the best checkpoint; undefined if the recipe averages none. */
  readonly average: TensorStore | undefined;
  readonly optimizer: TensorStore;
}

const SAVE_EVERY_SECONDS = 180;

/** Storage of the processes that write nothing. */
const noStorage: RunStorage = {
  saveEverySeconds: Number.POSITIVE_INFINITY,
  bestWeights: "best.safetensors",
  async append() {},
  async save() {},
  async draw() {},
};

/** Creates the recorder of a run whose directory this process has locked. */
export async function createRecorder(options: RecorderOptions): Promise<Recorder> {
  return recorderOn(storageOf(options), options, await storedBest(options));
}

/** Creates the recorder of a process that writes nothing. */
export async function createSilentRecorder(options: RecorderOptions): Promise<Recorder> {
  const { config, log } = options;
  return recorderOn(noStorage, options, bestOf(config.recipe.monitor, evaluationsOf(log)));
}

function recorderOn(
  storage: RunStorage,
  { config, start, log, observer, signal, deadline }: RecorderOptions,
  best: Evaluated | undefined,
): Recorder {
  const { recipe, dataset } = config;
  const { trainImages, testImages } = dataset;
  return recordRun({ recipe, trainImages, testImages, storage, start, log, best, observer, signal, deadline });
}

function storageOf({ directory, config, weights, optimizer, average: bestWeights }: RecorderOptions): RunStorage {
  const { network, head, preprocessing, precision, exact, dataset } = config;
  const { classNames } = dataset;
  return {
    saveEverySeconds: SAVE_EVERY_SECONDS,
    bestWeights: "best.safetensors",
    append: (entry) => appendLog(directory, entry),
    async save(position, log, best, thresholds) {
      const model = { network, head, preprocessing, precision, exact, classNames, thresholds, metrics: metricsOf(log) };
      const { iteration } = position;
      // With averaged weights, evaluations and thresholds are theirs.
      const own = bestWeights ? { ...model, thresholds: undefined, metrics: withoutTest(model.metrics) } : model;
      const saved = { model: own, iteration, position, weights, optimizer, best, bestWeights, bestModel: model };
      await saveCheckpoint(directory, saved);
    },
    draw: async (log) => void (await writeCurves(directory, config, log)),
  };
}

/** Figures without those of evaluations. */
function withoutTest(metrics: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(metrics).filter(([name]) => !name.startsWith("test")));
}

/**
 * The evaluation that the next best weights must beat; undefined if there is none. After a rollback the stored best may come from an evaluation that is
 * no longer in the log; then it is the log's best evaluation.
 */
async function storedBest({ directory, config, log, observer }: RecorderOptions): Promise<Evaluated | undefined> {
  const { best } = checkpointFiles(directory);
  if (!(await fileExists(best))) return undefined;
  try {
    const { testAccuracy, testLoss, iteration } = (await loadModel(best)).metrics;
    const isLogged = log.some((entry) => entry.iteration === iteration && entry.testAccuracy === testAccuracy);
    if (isLogged && testAccuracy !== undefined) return { testAccuracy, testLoss };
    return bestOf(config.recipe.monitor, evaluationsOf(log));
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    observer?.onMessage?.(`${error.message}; the next best weights replace it`);
    return undefined;
  }
}
