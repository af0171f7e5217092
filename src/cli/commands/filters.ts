/** `alexnet filters`. */
import { figureOption, jsonOption, runArgument } from "../options.ts";
import { print, printJson, requireEnding, writeFigure } from "../output.ts";
import type { CommandSpec } from "../spec.ts";

export const filters: CommandSpec = {
  arguments: [runArgument],
  options: [figureOption("filters.png"), jsonOption],
  examples: [["alexnet filters runs/quick", "filters.png"], ["alexnet filters runs/quick --output conv1.svg"]],
  notes: `
The kernels of the first layer, 16 in a row as in figure 3 of the paper: in
colour if the layer has three input channels, else grey; middle grey is 0.`,
  run: drawKernels,
};

interface FiltersFlags {
  readonly output: string;
  readonly json?: boolean;
}

async function drawKernels(run: string, { output, json }: FiltersFlags): Promise<void> {
  requireEnding(output, [".png", ".svg"]);
  const { drawFilters } = await import("../../explain/filterFigure.ts");
  const { svg, ...made } = await drawFilters(run);
  await writeFigure(output, svg);
  if (json) printJson({ output, ...made });
  else print(output);
}
