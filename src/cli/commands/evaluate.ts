/** `alexnet evaluate`. */

import { type SplitName, splitNames } from "../../dataset/dataset.ts";
import type { EngineName } from "../../engine/select/engineNames.ts";
import { ConfigError } from "../../errors.ts";
import type { EvaluateRunOptions } from "../../model/classifier.ts";
import type { FitDecisionOptions, FittedDecision } from "../../model/fitDecision.ts";
import type { Evaluation } from "../../training/evaluation/metrics.ts";
import { foreignOpening, type ImportFacts, inferenceOptions } from "../importOptions.ts";
import {
  type InferencePrecisionFlags,
  inferencePrecision,
  positiveInteger,
  properFraction,
  randomnessNote,
  runArgument,
  samplesOption,
  seed,
  thresholdOption,
} from "../options.ts";
import { print, printError, printJson, refuseMixedOutput, STANDARD_OUTPUT, standardTable } from "../output.ts";
import { imageProgress } from "../progress.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec, Invocation } from "../spec.ts";
import { settingOption, type TableFlags, tableOptions } from "../trainingOptions.ts";

export const evaluate: CommandSpec = {
  arguments: [
    {
      ...runArgument,
      name: "<run...>",
      help: "run directories (their best weights), .safetensors files, files or folders of other programs (see import), or torchvision; with several, averages their probabilities",
    },
  ],
  options: [
    { flags: "--dataset <dataset>", help: "data set or image folder (default: the run's)" },
    settingOption("dataDir"),
    { flags: "--skip-unknown-classes", help: "leave out images of classes that the network lacks, and count them" },
    ...tableOptions,
    { flags: "--split <part>", help: "part of the data set (default: test)", choices: splitNames },
    {
      flags: "--limit <n>",
      help: "evaluate on n images only, some of each class; at least the number of classes",
      parse: positiveInteger,
    },
    settingOption("maxBad"),
    { flags: "--batch-size <n>", help: "images per batch", parse: positiveInteger, default: 128 },
    samplesOption,
    {
      flags: "--seed <n>",
      help: "random seed of networks that keep dropout on at evaluation",
      parse: seed,
      default: 0,
    },
    thresholdOption,
    {
      flags: "--temperature <choice>",
      help: "fit: fit the divisor of the logits on validation images, and store it with the weights; remove: remove it and the threshold",
      choices: ["fit", "remove"],
    },
    {
      flags: "--coverage <fraction>",
      help: "choose and store the threshold that accepts this fraction of validation images",
      parse: properFraction,
    },
    {
      flags: "--max-error <fraction>",
      help: "choose and store the lowest threshold with at most this fraction of mistakes among accepted validation images",
      parse: properFraction,
    },
    { flags: "--ten-crop", help: "average over ten views per image: corners, centre, and their reflections" },
    { flags: "--flip", help: "average over each image and its horizontal reflection" },
    { flags: "--csv <file>", help: "CSV file for all predictions; - prints them instead of the results" },
    {
      flags: "--plots <dir>",
      help: "directory for charts of confusion, classes, curves and calibration, as SVG and PNG",
    },
    ...inferenceOptions,
  ],
  examples: [
    ["alexnet evaluate runs/quick", "over all test images"],
    ["alexnet evaluate runs/quick/last.safetensors", "the newest, not the best"],
    ["alexnet evaluate runs/quick --limit 1000 --json"],
    ["alexnet evaluate runs/quick --precision int8", "8-bit numbers"],
    ["alexnet evaluate runs/quick --dataset photos/", "a folder per class"],
    ["alexnet evaluate runs/quick --dataset photos/ --labels test.csv"],
    ["alexnet evaluate runs/photos --ten-crop", "corners, centre and reflections"],
    ["alexnet evaluate runs/photos --flip", "each image and its reflection"],
    ["alexnet evaluate photos.onnx --dataset photos/", "a file of export"],
    ["alexnet evaluate runs/1 runs/2 runs/3", "an ensemble"],
    ["alexnet evaluate runs/photos --temperature fit", "calibrated probabilities"],
    ["alexnet evaluate runs/photos --temperature fit --max-error 0.02", "none of these"],
    ["alexnet evaluate runs/quick --csv out.csv", "every prediction"],
    ["alexnet evaluate runs/quick --plots plots/", "confusion and more, as charts"],
  ],
  notes: `
Reports accuracy, loss, F1, average precision and ROC AUC, overall and of every
class, with Wilson intervals of 95 %.`,
  run: evaluateRuns,
};

interface EvaluateFlags extends InferencePrecisionFlags, ImportFacts, TableFlags {
  readonly dataset?: string;
  readonly dataDir?: string;
  readonly skipUnknownClasses?: boolean;
  readonly split?: SplitName;
  readonly limit?: number;
  readonly maxBad?: number;
  readonly batchSize: number;
  readonly samples: number;
  readonly seed: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly threshold?: number;
  readonly temperature?: "fit" | "remove";
  readonly coverage?: number;
  readonly maxError?: number;
  readonly tenCrop?: boolean;
  readonly flip?: boolean;
  readonly csv?: string;
  readonly plots?: string;
  readonly json?: boolean;
}

async function evaluateRuns(paths: readonly string[], flags: EvaluateFlags, invocation: Invocation): Promise<void> {
  const { csv } = flags;
  refuseMixedOutput(invocation, csv, flags.json);
  const fits = fitsDecision(paths, flags, invocation);
  const { packing, calibrating, testing, clear, say } = progressOfStages();
  const precision = inferencePrecision(flags, invocation, {
    // The folder of the run's own data set.
    ...(flags.dataset === undefined && flags.dataDir !== undefined ? { dataDir: flags.dataDir } : {}),
    onProgress: calibrating.update,
  });
  // Nothing to save, but the terminal gets its cursor back only at a regular exit.
  const stop = onStopSignals(() => process.exit(stop.exitCode()));
  const { csvLine, predictionHeadings, predictionRow } = await import("../../report/csv.ts");
  const lines = [csvLine(predictionHeadings)];
  try {
    const measured = await measure(paths, fits, {
      ...flags,
      ...precision,
      ...(await foreignOpening(flags, say)),
      onMessage: say,
      onPacking: packing.update,
      onProgress(images, of) {
        packing.clear();
        calibrating.clear();
        testing.update(images, of);
      },
      ...(csv === undefined ? {} : { onPrediction: (prediction) => lines.push(csvLine(predictionRow(prediction))) }),
    });
    clear();
    if (!measured) return;
    await report(measured, lines.join(""), flags);
  } finally {
    clear();
    stop.end();
  }
}

/** True if temperature or threshold are fitted. Wrong usage with flags that contradict it. */
function fitsDecision(paths: readonly string[], flags: EvaluateFlags, invocation: Invocation): boolean {
  const { temperature, coverage, maxError, threshold, split, tenCrop, flip, samples } = flags;
  if (tenCrop && flip) invocation.fail("--ten-crop includes the reflections of --flip; omit one");
  if (coverage !== undefined && maxError !== undefined) invocation.fail("--coverage excludes --max-error; omit one");
  const isGoal = coverage !== undefined || maxError !== undefined;
  if (temperature === undefined && !isGoal) return false;
  if (isGoal && (threshold !== undefined || temperature === "remove")) {
    invocation.fail("--coverage and --max-error exclude --threshold and --temperature remove");
  }
  if (paths.length > 1) invocation.fail("--temperature, --coverage and --max-error require one run");
  if (split !== undefined || tenCrop || flip || samples > 1) {
    invocation.fail("--temperature, --coverage and --max-error exclude --split, --ten-crop, --flip and --samples");
  }
  return true;
}

/** Progress of the stages of an evaluation, of which one is shown at a time; `say` prints a message between them. */
function progressOfStages() {
  const [packing, calibrating, testing] = [imageProgress("pack"), imageProgress("calibrate"), imageProgress("test")];
  const clear = () => {
    for (const line of [packing, calibrating, testing]) line.clear();
  };
  const say = (message: string) => {
    clear();
    printError(message);
  };
  return { packing, calibrating, testing, clear, say };
}

/** Prints a result, and writes its files; `table` is the CSV of all predictions. */
async function report(
  { heading, title, evaluation, isRandom }: Measured,
  table: string,
  { json, csv, plots, samples }: Pick<EvaluateFlags, "json" | "csv" | "plots" | "samples">,
): Promise<void> {
  if (json) printJson(evaluation);
  else if (csv === STANDARD_OUTPUT) await standardTable.append(table);
  else {
    const { formatEvaluation } = await import("../../report/tables/evaluation.ts");
    print(`${heading}\n${formatEvaluation(evaluation)}`);
  }
  if (isRandom) printError(randomnessNote("these results are", samples));
  if (csv !== undefined && csv !== STANDARD_OUTPUT) {
    const { writeFileDurably } = await import("../../checkpoint/durable.ts");
    await writeFileDurably(csv, table);
  }
  if (plots !== undefined) {
    const { writeEvaluationCharts } = await import("../../runs/chartFiles.ts");
    await writeEvaluationCharts(plots, evaluation, title);
  }
}

/** A result to print: as text under the heading, or as JSON with the fields that identify it. */
interface Measured {
  readonly heading: string;
  /** Title of charts. */
  readonly title: string;
  readonly evaluation: Evaluation;
  readonly isRandom: boolean;
}

/** Fits what the flags ask for, says so, and stores it; the evaluation then uses the other images. */
async function fitFirst(path: string, options: FitDecisionOptions): Promise<FittedDecision | undefined> {
  const { fitDecision } = await import("../../model/fitDecision.ts");
  const fitted = await fitDecision(path, options);
  const { formatFitted } = await import("../../report/tables/evaluation.ts");
  options.onMessage?.(fitted ? formatFitted(fitted) : `${path}: removed temperature and threshold`);
  return fitted;
}

async function measure(
  paths: readonly string[],
  fits: boolean,
  { temperature, coverage, maxError, ...options }: FitDecisionOptions & EvaluateRunOptions,
): Promise<Measured | undefined> {
  const { expandFolds } = await import("../../model/foldRuns.ts");
  const members = await expandFolds(paths);
  if (members.length > 1) {
    if (fits) {
      throw new ConfigError(
        `temperature: ${paths[0]} contains ${members.length} folds, each with a temperature and threshold of its own; fit each, such as ${members[0]}`,
      );
    }
    const { evaluateEnsemble } = await import("../../model/evaluateEnsemble.ts");
    const evaluation = await evaluateEnsemble(paths, options);
    if (!evaluation) return undefined;
    const { runs } = evaluation;
    const { formatRuns } = await import("../../report/tables/evaluation.ts");
    const heading = `${formatRuns(runs, evaluation)}\n`;
    const title = `Ensemble of ${runs.length} runs`;
    return { heading, title, evaluation, isRandom: runs.some((run) => run.isRandom) };
  }
  const goal = { ...(coverage === undefined ? {} : { coverage }), ...(maxError === undefined ? {} : { maxError }) };
  const choice = { ...(temperature === undefined ? {} : { temperature }), ...goal };
  const fitted = fits ? await fitFirst(paths[0] as string, { ...options, ...choice }) : undefined;
  const { openClassifier } = await import("../../model/classifier.ts");
  const classifier = await openClassifier(paths[0] as string, options);
  try {
    const { file, model, isRandom } = classifier;
    const evaluation = await classifier.evaluate({ ...options, ...(fitted ? { held: "rest" } : {}) });
    if (!evaluation) return undefined;
    const network = model.network.name;
    const named = { file, network, ...evaluation, ...(fitted && { fitted }) };
    return { heading: `${file}: ${network}`, title: `${network}, ${file}`, evaluation: named, isRandom };
  } finally {
    await classifier.close();
  }
}
