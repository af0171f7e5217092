/** `alexnet activations`. */
import type { EngineName } from "../../engine/select/engineNames.ts";
import { foreignOpening, type ImportFacts, importOptions, modelArgument, withoutFacts } from "../importOptions.ts";
import { figureOption, imageArgument, jsonOption, positiveInteger } from "../options.ts";
import { print, printError, printJson, requireEnding, writeFigure } from "../output.ts";
import type { CommandSpec } from "../spec.ts";
import { settingOption } from "../trainingOptions.ts";

export const activations: CommandSpec = {
  arguments: [modelArgument, imageArgument],
  options: [
    figureOption("activations.png"),
    { flags: "--maps <n>", help: "number of maps to show per layer (default: 32)", parse: positiveInteger },
    settingOption("engine"),
    settingOption("threads"),
    jsonOption,
    ...importOptions,
  ],
  examples: [
    ["alexnet activations runs/quick shoe.png", "activations.png"],
    ["alexnet activations runs/quick shoe.png --maps 96", "more maps of each layer"],
    ["alexnet activations runs/quick shoe.png --json", "range, fraction above 0"],
  ],
  notes: `
Each layer has its own scale: black is 0 and white its largest output, or middle
grey is 0 if some outputs are negative. Layers that change nothing are left out.`,
  run: drawActivationMaps,
};

interface ActivationsFlags extends ImportFacts {
  readonly output: string;
  readonly maps?: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

async function drawActivationMaps(run: string, image: string, flags: ActivationsFlags): Promise<void> {
  const { output, json, ...options } = withoutFacts(flags);
  requireEnding(output, [".png", ".svg"]);
  const { drawActivations } = await import("../../explain/activationFigure.ts");
  const { svg, layers } = await drawActivations(run, image, {
    ...options,
    ...(await foreignOpening(flags, printError)),
    onMessage: printError,
  });
  await writeFigure(output, svg);
  if (json) printJson({ output, layers });
  else print(output);
}
