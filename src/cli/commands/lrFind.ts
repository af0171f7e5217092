/** `alexnet lr-find`. */
import type { RateFinderOptions } from "../../tuning/learningRateFinder.ts";
import { jsonOption, positiveInteger, positiveNumber } from "../options.ts";
import { print, printError, printJson, requireEnding, unicodeOutput, writeFigure } from "../output.ts";
import { imageProgress, progressLine } from "../progress.ts";
import { STOPPING, stoppable } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";
import { datasetArgument, settingOptions } from "../trainingOptions.ts";

export const lrFind: CommandSpec = {
  arguments: [datasetArgument],
  options: [
    { flags: "--min-rate <x>", help: "lowest learning rate (default: 1e-6)", parse: positiveNumber },
    { flags: "--max-rate <x>", help: "highest learning rate (default: 10)", parse: positiveNumber },
    {
      flags: "--iterations <n>",
      help: "number of steps from the lowest to the highest, at least 20 (default: 200)",
      parse: positiveInteger,
    },
    { flags: "--output <file>", help: "figure of the curve to write; the name ends in .png or .svg" },
    jsonOption,
    ...settingOptions("lr-find"),
  ],
  examples: [
    ["alexnet lr-find", "defaults, on Fashion-MNIST"],
    ["alexnet lr-find photos/ --output rates.png", "a folder; the curve as a PNG"],
    ["alexnet lr-find cifar10 --fit native --min-rate 1e-4 --max-rate 1"],
    ["alexnet lr-find photos/ --from runs/big --freeze conv", "for fine-tuning"],
  ],
  notes: `
The learning rate grows exponentially until the loss is four times the lowest.
Pass one of the suggestions, or a value between them, to --learning-rate.
The trained weights are discarded.`,
  run: findRate,
};

interface LrFindFlags extends Omit<RateFinderOptions, "dataset" | "signal" | "observer" | "onIteration"> {
  readonly output?: string;
  readonly json?: boolean;
}

async function findRate(dataset: string | undefined, { output, json, ...flags }: LrFindFlags): Promise<void> {
  if (output !== undefined) requireEnding(output, [".png", ".svg"]);
  const { findLearningRate } = await import("../../tuning/learningRateFinder.ts");
  const { formatLearningRate } = await import("../../report/tables/rateChart.ts");
  const { formatLoss } = await import("../../report/numbers.ts");
  const { showingData } = await import("../trainProgress.ts");
  const [sweeping, packing, downloading] = [progressLine("sweep"), imageProgress("pack"), progressLine("download")];
  const keeping = imageProgress("features");
  const clear = () => {
    for (const line of [sweeping, packing, downloading, keeping]) line.clear();
  };
  const stopping = () => printError(STOPPING);
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
    if (output !== undefined) {
      const { drawRateFigure } = await import("../../report/charts/rateFigure.ts");
      await writeFigure(output, await drawRateFigure(finding));
    }
    if (json) return printJson(finding);
    const { formatRateChart } = await import("../../report/tables/rateChart.ts");
    print(formatRateChart(finding, { unicode: unicodeOutput() }));
  };
  await stoppable(stopping, work).finally(clear);
}
