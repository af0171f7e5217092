import type { Command } from "commander";
import type { EngineName } from "../classifier/engineNames.ts";
import { formatEvaluation } from "../report/evaluation.ts";
import { formatRate } from "../report/numbers.ts";
import { dataDirOption, engineOption, jsonOption, positiveInteger, seed, threadsOption } from "./options.ts";
import { print, printJson, progressLine, tell, unicodeOutput } from "./output.ts";

interface EvaluateFlags {
  readonly dataset?: string;
  readonly dataDir?: string;
  readonly testLimit?: number;
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
  alexnet evaluate runs/quick --test-limit 1000 --json
`;

export function addEvaluate(program: Command): void {
  program
    .command("evaluate")
    .description("measure a trained network on test images: top-1, top-5, loss, every class")
    .argument("<run>", "a run directory (its best weights), or a .safetensors file")
    .option("--dataset <name>", "data set (default: the run's)")
    .addOption(dataDirOption())
    .option("--test-limit <n>", "the first n test images only", positiveInteger)
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
  const line = progressLine("test");
  try {
    const began = performance.now();
    const evaluation = await classifier.evaluate({
      ...flags,
      onProgress: (images, of) => {
        const rate = images / ((performance.now() - began) / 1000);
        line.update(images, of, `${images} of ${of} images ${formatRate(rate, "images")}`);
      },
    });
    line.clear();
    if (!evaluation) return;
    const { file, model } = classifier;
    if (json) printJson({ file, network: model.network.name, ...evaluation });
    else print(`${file}: ${model.network.name}\n${formatEvaluation(evaluation, { unicode: unicodeOutput() })}`);
    if (classifier.isRandom)
      tell("Dropout is active at evaluation in this network: these figures are a draw (--seed).");
  } finally {
    line.clear();
    classifier.close();
  }
}
