/** `alexnet similar`. */
import type { EngineName } from "../../engine/select/engineNames.ts";
import type { SimilarPictures } from "../../explain/similar.ts";
import { formatTable } from "../../report/tables/terminal.ts";
import { foreignOpening, type ImportFacts, importOptions, modelArgument, withoutFacts } from "../importOptions.ts";
import { figureOption, jsonOption, positiveInteger } from "../options.ts";
import { print, printError, printJson, requireEnding, writeFigure } from "../output.ts";
import { imageProgress } from "../progress.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";
import { settingOption } from "../trainingOptions.ts";

export const similar: CommandSpec = {
  arguments: [modelArgument, { name: "<dir>", help: "folder of images, searched recursively" }],
  options: [
    { flags: "--query <image...>", help: "query images", required: true },
    figureOption("similar.png"),
    { flags: "--top <n>", help: "number of similar images per query (default: 6)", parse: positiveInteger },
    { flags: "--layer <name>", help: "layer whose outputs are compared (default: the last hidden layer)" },
    settingOption("engine"),
    settingOption("threads"),
    jsonOption,
    ...importOptions,
  ],
  examples: [
    ["alexnet similar runs/quick photos/ --query shoe.png", "similar.png"],
    ["alexnet similar runs/quick photos/ --query a.jpg b.jpg", "a row for each"],
    ["alexnet similar runs/quick photos/ --query a.jpg --layer fc6"],
  ],
  notes: `
Finds the images in the folder with the nearest features, by Euclidean distance
between the outputs of the last hidden layer, as in figure 4 of the paper.`,
  run: drawSimilar,
};

interface SimilarFlags extends ImportFacts {
  readonly query: readonly string[];
  readonly output: string;
  readonly top?: number;
  readonly layer?: string;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

async function drawSimilar(run: string, folder: string, flags: SimilarFlags): Promise<void> {
  const { output, json, query, ...options } = withoutFacts(flags);
  requireEnding(output, [".png", ".svg"]);
  const { findSimilar } = await import("../../explain/similar.ts");
  const progress = imageProgress("similar");
  const stop = onStopSignals(() => progress.clear());
  const note = (message: string) => {
    progress.clear();
    printError(message);
  };
  try {
    const watching = { onMessage: note, onBad: note, onProgress: progress.update, signal: stop.signal };
    const found = await findSimilar(run, folder, query, {
      ...options,
      ...(await foreignOpening(flags, note)),
      ...watching,
    });
    progress.clear();
    if (!found) {
      process.exitCode = stop.exitCode();
      return;
    }
    const { svg, ...made } = found;
    await writeFigure(output, svg);
    if (json) printJson({ output, ...made });
    else print(`${made.queries.map(formatNearest).join("\n\n")}\n\n${output}`);
  } finally {
    progress.clear();
    stop.end();
  }
}

function formatNearest({ query, nearest }: SimilarPictures["queries"][number]): string {
  const columns = [
    { heading: "Distance", align: "right" },
    { heading: query, align: "left", shrinks: true },
  ] as const;
  return formatTable(
    columns,
    nearest.map(({ file, distance }) => [distance.toPrecision(4), file]),
  );
}
