/** `alexnet activations`. */
import type { Command } from "commander";
import type { EngineName } from "../engine/select/engineNames.ts";
import { engineOption, jsonOption, positiveInteger, threadsOption } from "./options.ts";
import { print, printJson, tell } from "./output.ts";

interface ActivationsFlags {
  readonly output: string;
  readonly maps?: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet activations runs/quick shoe.png             activations.png
  alexnet activations runs/quick shoe.png --maps 96   more maps of each layer
  alexnet activations runs/quick shoe.png --json      range and share above 0

Each layer has a scale of its own: black is 0 and white its largest output, or
middle grey is 0 where some are below. Layers that change nothing are left out.
`;

/** Adds `alexnet activations`. */
export function addActivations(program: Command): void {
  program
    .command("activations")
    .description("draw what a picture becomes, layer by layer")
    .argument("<run>", "a run directory (its best weights), a .safetensors file, or torchvision")
    .argument("<image>", "a JPEG, PNG, WebP or GIF")
    .option("--output <file>", "where it is drawn; the name ends in .png or .svg", "activations.png")
    .option("--maps <n>", "maps shown of each layer (default: 32)", positiveInteger)
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(activations);
}

async function activations(run: string, image: string, flags: ActivationsFlags): Promise<void> {
  const { output, json, ...options } = flags;
  const { requireEnding, writeDrawing } = await import("./imageFile.ts");
  requireEnding(output, [".png", ".svg"]);
  const { drawActivations } = await import("../explain/activationFigure.ts");
  const { svg, layers } = await drawActivations(run, image, { ...options, onMessage: tell });
  await writeDrawing(output, svg);
  if (json) printJson({ output, layers });
  else print(output);
}
