/** `alexnet lr-find`. */
import { extname } from "node:path";
import { type Command, Option } from "commander";
import { datasetNames } from "../dataset/sources/datasetNames.ts";
import { precisionNames } from "../engine/select/precision.ts";
import { ConfigError } from "../errors.ts";
import { formatLoss } from "../report/numbers.ts";
import { formatLearningRate, formatRateChart } from "../report/tables/rateChart.ts";
import type { RateFinderOptions, RateFinding } from "../tuning/learningRateFinder.ts";
import {
  addFineTuneOptions,
  addInputOptions,
  addOptimizerOptions,
  dataDirOption,
  engineOption,
  jsonOption,
  maxBadOption,
  positiveInteger,
  positiveNumber,
  seed,
  threadsOption,
  validationShareOption,
} from "./options.ts";
import { imageProgress, print, printJson, progressLine, tell, unicodeOutput } from "./output.ts";
import { stoppable } from "./signals.ts";
import { showingData } from "./trainProgress.ts";

interface LrFindFlags extends Omit<RateFinderOptions, "dataset" | "signal" | "observer" | "onIteration"> {
  readonly output?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet lr-find                                  defaults, on Fashion-MNIST
  alexnet lr-find photos/ --output rates.png       a folder; the curve as a PNG
  alexnet lr-find cifar10 --fit native --min-rate 1e-4 --max-rate 1
  alexnet lr-find photos/ --from runs/big --freeze conv  as train would begin

The rate grows from iteration to iteration, until the loss is four times the
best. Take one of the suggestions, or one between them, for --learning-rate.
Nothing is kept of the weights.
`;

/** Adds `alexnet lr-find`. */
export function addLrFind(program: Command): void {
  const command = program
    .command("lr-find")
    .description("sweep the learning rate, and suggest one")
    .argument("[dataset]", `${datasetNames.join(", ")}, or a folder with a folder for each class`)
    .option("--network <name>", "as in train")
    .option("--recipe <name>", "as in train")
    .option("--min-rate <x>", "rate to begin with (default: 1e-6)", positiveNumber)
    .option("--max-rate <x>", "rate to end with (default: 10)", positiveNumber)
    .option("--iterations <n>", "steps from one to the other (default: 200)", positiveInteger)
    .option("--output <file>", "draw the curve: a .png or .svg file")
    .option("--batch-size <n>", "images in a step", positiveInteger)
    .option("--seed <n>", "of every random choice", seed)
    .option("--input-size <n>", "height and width of the network's input, in pixels", positiveInteger)
    .option("--train-limit <n>", "train on the first n images only; of a folder, some of each class", positiveInteger)
    .addOption(validationShareOption())
    .addOption(maxBadOption())
    .addOption(engineOption())
    .addOption(new Option("--precision <name>", "number format of the compute (default: auto)").choices(precisionNames))
    .option("--exact", "direct convolution only, slower: without Winograd's rounding")
    .addOption(threadsOption())
    .addOption(dataDirOption())
    .addOption(jsonOption());
  addFineTuneOptions(command);
  addOptimizerOptions(command);
  addInputOptions(command);
  command.addHelpText("after", examples).action(lrFindCommand);
}

async function lrFindCommand(dataset: string | undefined, { output, json, ...flags }: LrFindFlags): Promise<void> {
  if (output !== undefined && ![".png", ".svg"].includes(extname(output).toLowerCase()))
    throw new ConfigError(`--output: expected a name that ends in .png or .svg, got ${output}; give another one`);
  const { findLearningRate } = await import("../tuning/learningRateFinder.ts");
  const [sweeping, packing, downloading] = [progressLine("sweep"), imageProgress("pack"), progressLine("download")];
  const keeping = imageProgress("features");
  const clear = () => {
    for (const line of [sweeping, packing, downloading, keeping]) line.clear();
  };
  const stopping = () => tell("\nStopping. Once more to stop at once.");
  const work = async (signal: AbortSignal) => {
    const finding = await findLearningRate({
      ...flags,
      ...(dataset === undefined ? {} : { dataset }),
      signal,
      observer: showingData({ downloading, packing, keeping, clear }),
      onIteration(iteration, of, { learningRate, loss }) {
        packing.clear();
        keeping.clear();
        sweeping.update(iteration, of, `rate ${formatLearningRate(learningRate)} loss ${formatLoss(loss)}`);
      },
    });
    clear();
    if (output !== undefined) await writeFigure(output, finding);
    if (json) printJson(finding);
    else print(formatRateChart(finding, { unicode: unicodeOutput() }));
  };
  await stoppable(stopping, work).finally(clear);
}

async function writeFigure(output: string, finding: RateFinding): Promise<void> {
  const { drawRateFigure } = await import("../report/charts/rateFigure.ts");
  const { toPng } = await import("../report/figures/png.ts");
  const { writeFileDurably } = await import("../checkpoint/durable.ts");
  const svg = await drawRateFigure(finding);
  await writeFileDurably(output, extname(output).toLowerCase() === ".svg" ? svg : toPng(svg));
}
