/** `alexnet evaluate`. */
import { type Command, Option } from "commander";
import { writeFileDurably } from "../checkpoint/durable.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import type { EvaluateRunOptions } from "../model/classifier.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { csvLine, predictionHeadings, predictionRow } from "../report/csv.ts";
import { formatEvaluation, formatRuns } from "../report/tables/evaluation.ts";
import { type SplitName, splitNames } from "../settings/splitNames.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import {
  dataDirOption,
  engineOption,
  jsonOption,
  maxBadOption,
  positiveInteger,
  seed,
  threadsOption,
} from "./options.ts";
import {
  imageProgress,
  print,
  printJson,
  refuseMixedOutput,
  STANDARD_OUTPUT,
  standardTable,
  tell,
  unicodeOutput,
} from "./output.ts";
import { onStopSignals } from "./signals.ts";

interface EvaluateFlags {
  readonly dataset?: string;
  readonly dataDir?: string;
  readonly split?: SplitName;
  readonly limit?: number;
  readonly maxBad?: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly tenCrop?: boolean;
  readonly csv?: string;
  readonly plots?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet evaluate runs/quick                    over all test images
  alexnet evaluate runs/quick/last.safetensors   the newest, not the best
  alexnet evaluate runs/quick --limit 1000 --json
  alexnet evaluate runs/quick --dataset photos/  a folder per class
  alexnet evaluate runs/photos --ten-crop        corners, centre and reflections
  alexnet evaluate runs/1 runs/2 runs/3          the mean of what they say
  alexnet evaluate runs/quick --csv out.csv      every prediction
  alexnet evaluate runs/quick --plots plots/     confusion and more, as pictures
`;

export function addEvaluate(program: Command): void {
  program
    .command("evaluate")
    .description("measure a trained network, or several as one, on test images: top-1, top-5, loss, every class")
    .argument(
      "<run...>",
      "run directories (their best weights), or .safetensors files; several: the mean of their probabilities",
    )
    .option("--dataset <name>", "data set, or a folder of pictures (default: the run's)")
    .addOption(dataDirOption())
    .addOption(new Option("--split <part>", "which of its images (default: test)").choices(splitNames))
    .option("--limit <n>", "the first n of them only; of a folder, some of each class", positiveInteger)
    .addOption(maxBadOption())
    .option("--batch-size <n>", "images computed at a time", positiveInteger, 128)
    .option("--seed <n>", "for networks whose dropout is active at evaluation", seed, 0)
    .option("--ten-crop", "the mean of ten views of each image: corners, centre, their reflections")
    .option("--csv <file>", "write every prediction to a file; -: print them, and nothing else")
    .option("--plots <dir>", "draw confusion, classes and calibration there, as SVG and PNG")
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(evaluateCommand);
}

async function evaluateCommand(
  paths: readonly string[],
  { json, csv, plots, ...flags }: EvaluateFlags,
  command: Command,
): Promise<void> {
  refuseMixedOutput(command, csv, json);
  const packing = imageProgress("pack");
  const testing = imageProgress("test");
  const clear = () => {
    packing.clear();
    testing.clear();
  };
  // Nothing is to be saved, but the terminal gets its cursor back at a regular end only.
  const stop = onStopSignals(() => process.exit(stop.exitCode()));
  const lines = [csvLine(predictionHeadings)];
  try {
    const measured = await measure(paths, {
      ...flags,
      onMessage(message) {
        clear();
        tell(message);
      },
      onPacking: packing.update,
      onProgress(images, of) {
        packing.clear();
        testing.update(images, of);
      },
      ...(csv === undefined ? {} : { onPrediction: (prediction) => lines.push(csvLine(predictionRow(prediction))) }),
    });
    clear();
    if (!measured) return;
    const { heading, title, evaluation, isRandom } = measured;
    if (json) printJson(evaluation);
    else if (csv === STANDARD_OUTPUT) await standardTable.append(lines.join(""));
    else print(`${heading}\n${formatEvaluation(evaluation, { unicode: unicodeOutput() })}`);
    if (isRandom) tell("Dropout is active at evaluation in this network: these figures are a draw (--seed).");
    if (csv !== undefined && csv !== STANDARD_OUTPUT) await writeFileDurably(csv, lines.join(""));
    if (plots !== undefined) {
      const { writeEvaluationCharts } = await import("../runs/chartFiles.ts");
      await writeEvaluationCharts(plots, evaluation, title);
    }
  } finally {
    clear();
    stop.end();
  }
}

/** What is printed: for people under a heading, as JSON with the fields that say what was measured. */
interface Measured {
  readonly heading: string;
  /** Of charts. */
  readonly title: string;
  readonly evaluation: Evaluation;
  readonly isRandom: boolean;
}

async function measure(
  paths: readonly string[],
  options: OpenOptions & EvaluateRunOptions,
): Promise<Measured | undefined> {
  if (paths.length > 1) {
    const { evaluateEnsemble } = await import("../model/evaluateEnsemble.ts");
    const evaluation = await evaluateEnsemble(paths, options);
    if (!evaluation) return undefined;
    const { runs, top1Accuracy } = evaluation;
    const heading = `${formatRuns(runs, top1Accuracy)}\n`;
    const title = `${runs.length} runs together`;
    return { heading, title, evaluation, isRandom: runs.some((run) => run.isRandom) };
  }
  const { openClassifier } = await import("../model/classifier.ts");
  const classifier = await openClassifier(paths[0] as string, options);
  try {
    const { file, model, isRandom } = classifier;
    const evaluation = await classifier.evaluate(options);
    if (!evaluation) return undefined;
    const network = model.network.name;
    const named = { file, network, ...evaluation };
    return { heading: `${file}: ${network}`, title: `${network}, ${file}`, evaluation: named, isRandom };
  } finally {
    classifier.close();
  }
}
