/** `alexnet map`. */
import type { EngineName } from "../../engine/select/engineNames.ts";
import type { PictureMap } from "../../explain/map.ts";
import { type MapMethod, mapMethods } from "../../explain/mapMethods.ts";
import { formatPercent } from "../../report/numbers.ts";
import { foreignOpening, type ImportFacts, importOptions, modelArgument, withoutFacts } from "../importOptions.ts";
import { figureOption, jsonOption, numberAboveOne, positiveInteger } from "../options.ts";
import { print, printError, printJson, requireEnding, writeFigure } from "../output.ts";
import { imageProgress, progressLine } from "../progress.ts";
import { stoppable } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";
import { settingOption } from "../trainingOptions.ts";

export const map: CommandSpec = {
  arguments: [
    modelArgument,
    { name: "[dir]", help: "folder of images, searched recursively (default: the run's test images)" },
  ],
  options: [
    figureOption("map.png"),
    { flags: "--pictures <file>", help: "second figure to write, with the images themselves" },
    { flags: "--method <name>", help: "projection method", choices: mapMethods, default: "tsne" },
    { flags: "--perplexity <x>", help: "perplexity of t-SNE, above 1 (default: 30)", parse: numberAboveOne },
    {
      flags: "--limit <n>",
      help: "maximum number of images, some of each class (default: 2000)",
      parse: positiveInteger,
    },
    { flags: "--layer <name>", help: "layer whose outputs are compared (default: the last hidden layer)" },
    settingOption("dataDir"),
    settingOption("engine"),
    settingOption("threads"),
    jsonOption,
    ...importOptions,
  ],
  examples: [
    ["alexnet map runs/quick", "map.png, of its test images"],
    ["alexnet map runs/quick photos/", "of the images in a folder"],
    ["alexnet map runs/quick --pictures images.png", "also the images themselves"],
    ["alexnet map runs/quick --method pca", "first two principal components"],
    ["alexnet map runs/quick --json", "the coordinates of every image"],
  ],
  notes: `
Images are close to each other if the outputs of the last hidden layer are
similar. An image is coloured by its folder's name if that is a class of the
network, otherwise by its predicted class.`,
  run: drawMap,
};

interface MapFlags extends ImportFacts {
  readonly output: string;
  readonly pictures?: string;
  readonly method: MapMethod;
  readonly perplexity?: number;
  readonly limit?: number;
  readonly layer?: string;
  readonly dataDir?: string;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

async function drawMap(run: string, folder: string | undefined, flags: MapFlags): Promise<void> {
  const { output, pictures, json, ...options } = withoutFacts(flags);
  for (const file of pictures === undefined ? [output] : [output, pictures]) requireEnding(file, [".png", ".svg"]);
  const { mapPictures } = await import("../../explain/map.ts");
  const [packing, features] = [imageProgress("pack"), imageProgress("map")];
  const [components, places] = [progressLine("components"), imageProgress("t-SNE", "iterations")];
  const clear = () => {
    for (const line of [packing, features, components, places]) line.clear();
  };
  const say = (message: string) => {
    clear();
    printError(message);
  };
  const opening = await foreignOpening(flags, say);
  const work = async (signal: AbortSignal) => {
    const { svg, picturesSvg, ...made } = await mapPictures(run, {
      ...options,
      ...opening,
      ...(folder === undefined ? {} : { folder }),
      withPictures: pictures !== undefined,
      onMessage: say,
      onPacking: packing.update,
      onProgress(images, of) {
        packing.clear();
        features.update(images, of);
      },
      onComponentStep(steps, most) {
        features.clear();
        components.update(steps, most, `step ${steps}, ${most} at most`);
      },
      onIteration(iterations, of) {
        components.clear();
        places.update(iterations, of);
      },
      signal,
    });
    clear();
    await writeFigure(output, svg);
    if (pictures !== undefined && picturesSvg !== undefined) await writeFigure(pictures, picturesSvg);
    const files = { output, ...(pictures === undefined ? {} : { pictures }) };
    if (json) printJson({ ...files, ...made });
    else print([describe(made), ...Object.values(files)].join("\n"));
  };
  await stoppable(clear, work).finally(clear);
}

function describe({ points, features, layer, method, explainedVariance, divergence }: PictureMap): string {
  // Only the components used for the coordinates.
  const used = method === "pca" ? explainedVariance.slice(0, 2) : explainedVariance;
  const explained = used.reduce((sum, each) => sum + each, 0);
  const components = `${used.length} components: ${formatPercent(explained)} of the variance`;
  const left = divergence === undefined ? "" : `; divergence ${divergence.toFixed(3)}`;
  return `${points.length} images, ${features} features from ${layer}; ${components}${left}`;
}
