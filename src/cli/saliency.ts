/** `alexnet saliency`. */
import type { Command } from "commander";
import type { EngineName } from "../engine/select/engineNames.ts";
import { formatPercent } from "../report/numbers.ts";
import { engineOption, jsonOption, positiveInteger, threadsOption } from "./options.ts";
import { imageProgress, print, printJson, tell } from "./output.ts";

interface SaliencyFlags {
  readonly class?: string;
  readonly output: string;
  readonly window?: number;
  readonly stride?: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet saliency runs/quick shoe.png                    saliency.png
  alexnet saliency runs/quick shoe.png --class Sandal     of another class
  alexnet saliency runs/quick shoe.png --window 60        larger squares

A square is hidden in every place behind the mean colour. Orange is where that
lowers the class's probability, blue where it raises it.
`;

/** Adds `alexnet saliency`. */
export function addSaliency(program: Command): void {
  program
    .command("saliency")
    .description("draw which parts of a picture a prediction depends on")
    .argument("<run>", "a run directory (its best weights), a .safetensors file, or torchvision")
    .argument("<image>", "a JPEG, PNG, WebP or GIF")
    .option("--output <file>", "where it is drawn; the name ends in .png or .svg", "saliency.png")
    .option("--class <name>", "the class asked about (default: the predicted one)")
    .option("--window <n>", "side of the square, in pixels of the input (default: an eighth)", positiveInteger)
    .option("--stride <n>", "pixels from one square to the next (default: half of it)", positiveInteger)
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(saliency);
}

async function saliency(run: string, image: string, flags: SaliencyFlags): Promise<void> {
  const { output, json, class: className, ...options } = flags;
  const { requireEnding, writeDrawing } = await import("./imageFile.ts");
  requireEnding(output, [".png", ".svg"]);
  const { measureSaliency } = await import("../explain/saliency.ts");
  const progress = imageProgress("saliency");
  try {
    const { svg, ...made } = await measureSaliency(run, image, {
      ...options,
      ...(className === undefined ? {} : { className }),
      onMessage: tell,
      onProgress: progress.update,
    });
    progress.clear();
    await writeDrawing(output, svg);
    if (json) printJson({ output, ...made });
    else print(`${made.className}: ${formatPercent(made.probability)}\n${output}`);
  } finally {
    progress.clear();
  }
}
