/** `alexnet similar`. */
import type { Command } from "commander";
import type { EngineName } from "../engine/select/engineNames.ts";
import type { SimilarPictures } from "../explain/similar.ts";
import { formatTable } from "../report/tables/terminal.ts";
import { engineOption, jsonOption, positiveInteger, threadsOption } from "./options.ts";
import { imageProgress, print, printJson, tell } from "./output.ts";
import { onStopSignals } from "./signals.ts";

interface SimilarFlags {
  readonly query: readonly string[];
  readonly output: string;
  readonly top?: number;
  readonly layer?: string;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet similar runs/quick photos/ --query shoe.png       similar.png
  alexnet similar runs/quick photos/ --query a.jpg b.jpg    a row for each
  alexnet similar runs/quick photos/ --query a.jpg --layer fc6

The pictures below the folder whose features are nearest, by Euclidean distance
between the outputs of the last hidden layer, as in figure 4 of the paper.
`;

/** Adds `alexnet similar`. */
export function addSimilar(program: Command): void {
  program
    .command("similar")
    .description("find the pictures that a trained network finds most alike")
    .argument("<run>", "a run directory (its best weights), a .safetensors file, or torchvision")
    .argument("<dir>", "a folder with pictures in it or below")
    .requiredOption("--query <image...>", "pictures to find others for")
    .option("--output <file>", "where they are drawn; the name ends in .png or .svg", "similar.png")
    .option("--top <n>", "pictures to find for each (default: 6)", positiveInteger)
    .option("--layer <name>", "whose outputs are compared (default: the last hidden layer)")
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(similar);
}

async function similar(run: string, folder: string, { output, json, query, ...options }: SimilarFlags): Promise<void> {
  const { requireEnding, writeDrawing } = await import("./imageFile.ts");
  requireEnding(output, [".png", ".svg"]);
  const { findSimilar } = await import("../explain/similar.ts");
  const progress = imageProgress("similar");
  const stop = onStopSignals(() => progress.clear());
  const note = (message: string) => {
    progress.clear();
    tell(message);
  };
  try {
    const watching = { onMessage: note, onBad: note, onProgress: progress.update, signal: stop.signal };
    const found = await findSimilar(run, folder, query, { ...options, ...watching });
    progress.clear();
    if (!found) {
      process.exitCode = stop.exitCode();
      return;
    }
    const { svg, ...made } = found;
    await writeDrawing(output, svg);
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
