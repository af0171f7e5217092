/** `alexnet filters`. */
import type { Command } from "commander";
import { jsonOption } from "./options.ts";
import { print, printJson } from "./output.ts";

interface FiltersFlags {
  readonly output: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet filters runs/quick                    filters.png
  alexnet filters runs/quick --output conv1.svg

The kernels of the first layer, 16 in a row as in figure 3 of the paper: in
colour where it sees three channels, else grey; middle grey is 0.
`;

/** Adds `alexnet filters`. */
export function addFilters(program: Command): void {
  program
    .command("filters")
    .description("draw the first layer's kernels of a trained network")
    .argument("<run>", "a run directory (its best weights), a .safetensors file, or torchvision")
    .option("--output <file>", "where they are drawn; the name ends in .png or .svg", "filters.png")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(filters);
}

async function filters(run: string, { output, json }: FiltersFlags): Promise<void> {
  const { requireEnding, writeDrawing } = await import("./imageFile.ts");
  requireEnding(output, [".png", ".svg"]);
  const { drawFilters } = await import("../explain/filterFigure.ts");
  const { svg, ...made } = await drawFilters(run);
  await writeDrawing(output, svg);
  if (json) printJson({ output, ...made });
  else print(output);
}
