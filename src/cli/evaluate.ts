import { type Command, Option } from "commander";
import type { EngineName } from "../classifier/engineNames.ts";
import { type SplitName, splitNames } from "../classifier/splitNames.ts";
import { formatEvaluation } from "../report/evaluation.ts";
import {
  dataDirOption,
  engineOption,
  jsonOption,
  maxBadOption,
  positiveInteger,
  seed,
  threadsOption,
} from "./options.ts";
import { imageProgress, print, printJson, tell, unicodeOutput } from "./output.ts";
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
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet evaluate runs/quick                    over all test images
  alexnet evaluate runs/quick/last.safetensors   the newest, not the best
  alexnet evaluate runs/quick --limit 1000 --json
  alexnet evaluate runs/quick --dataset photos/  a folder per class
`;

export function addEvaluate(program: Command): void {
  program
    .command("evaluate")
    .description("measure a trained network on test images: top-1, top-5, loss, every class")
    .argument("<run>", "a run directory (its best weights), or a .safetensors file")
    .option("--dataset <name>", "data set, or a folder of pictures (default: the run's)")
    .addOption(dataDirOption())
    .addOption(new Option("--split <part>", "which of its images (default: test)").choices(splitNames))
    .option("--limit <n>", "the first n of them only; of a folder, some of each class", positiveInteger)
    .addOption(maxBadOption())
    .option("--batch-size <n>", "images computed at a time", positiveInteger, 128)
    .option("--seed <n>", "for networks whose dropout is active at evaluation", seed, 0)
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(evaluateCommand);
}

async function evaluateCommand(
  run: string,
  { json, engine, threads, batchSize, ...flags }: EvaluateFlags,
): Promise<void> {
  const { openClassifier } = await import("../classifier/classifier.ts");
  const classifier = await openClassifier(run, {
    batchSize,
    onMessage: tell,
    ...(engine ? { engine } : {}),
    ...(threads === undefined ? {} : { threads }),
  });
  const packing = imageProgress("pack");
  const testing = imageProgress("test");
  const clear = () => {
    packing.clear();
    testing.clear();
  };
  // Nothing is to be saved, but the terminal gets its cursor back at a regular end only.
  const stop = onStopSignals(() => process.exit(stop.exitCode()));
  try {
    const evaluation = await classifier.evaluate({
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
    });
    clear();
    if (!evaluation) return;
    const { file, model } = classifier;
    if (json) printJson({ file, network: model.network.name, ...evaluation });
    else print(`${file}: ${model.network.name}\n${formatEvaluation(evaluation, { unicode: unicodeOutput() })}`);
    if (classifier.isRandom)
      tell("Dropout is active at evaluation in this network: these figures are a draw (--seed).");
  } finally {
    clear();
    stop.end();
    classifier.close();
  }
}
