/** `alexnet map`. */
import { type Command, Option } from "commander";
import type { EngineName } from "../engine/select/engineNames.ts";
import type { PictureMap } from "../explain/map.ts";
import { type MapMethod, mapMethods } from "../explain/mapMethods.ts";
import { formatPercent } from "../report/numbers.ts";
import {
  dataDirOption,
  engineOption,
  jsonOption,
  positiveInteger,
  properPerplexity,
  threadsOption,
} from "./options.ts";
import { imageProgress, print, printJson, progressLine, tell } from "./output.ts";
import { stoppable } from "./signals.ts";

interface MapFlags {
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

const examples = `
Examples:
  alexnet map runs/quick                          map.png, of its test images
  alexnet map runs/quick photos/                  of the pictures of a folder
  alexnet map runs/quick --pictures pictures.png  the pictures at their places
  alexnet map runs/quick --method pca             along two components
  alexnet map runs/quick --json                   every picture's place

Pictures lie near each other if the outputs of the last hidden layer are alike.
In a folder, a picture's class is the name of the folder it lies in, if the
network knows that one; else its colour is that of the class predicted.
`;

/** Adds `alexnet map`. */
export function addMap(program: Command): void {
  program
    .command("map")
    .description("draw a map of pictures, alike ones near each other: t-SNE or principal components")
    .argument("<run>", "a run directory (its best weights), a .safetensors file, or torchvision")
    .argument("[dir]", "a folder with pictures in it or below (default: the run's test images)")
    .option("--output <file>", "where it is drawn; the name ends in .png or .svg", "map.png")
    .option("--pictures <file>", "draw the pictures themselves too, there")
    .addOption(new Option("--method <name>", "how they get into the plane").choices(mapMethods).default("tsne"))
    .option("--perplexity <x>", "of t-SNE: neighbours that count (default: 30)", properPerplexity)
    .option("--limit <n>", "pictures at most (default: 2000)", positiveInteger)
    .option("--layer <name>", "whose outputs are compared (default: the last hidden layer)")
    .addOption(dataDirOption())
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(map);
}

async function map(run: string, folder: string | undefined, flags: MapFlags): Promise<void> {
  const { output, pictures, json, ...options } = flags;
  const { requireEnding, writeDrawing } = await import("./imageFile.ts");
  for (const file of pictures === undefined ? [output] : [output, pictures]) requireEnding(file, [".png", ".svg"]);
  const { mapPictures } = await import("../explain/map.ts");
  const [packing, features] = [imageProgress("pack"), imageProgress("map")];
  const [components, places] = [progressLine("components"), imageProgress("t-SNE", "iterations")];
  const clear = () => {
    for (const line of [packing, features, components, places]) line.clear();
  };
  const work = async (signal: AbortSignal) => {
    const { svg, picturesSvg, ...made } = await mapPictures(run, {
      ...options,
      ...(folder === undefined ? {} : { folder }),
      withPictures: pictures !== undefined,
      onMessage(message) {
        clear();
        tell(message);
      },
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
    await writeDrawing(output, svg);
    if (pictures !== undefined && picturesSvg !== undefined) await writeDrawing(pictures, picturesSvg);
    const files = { output, ...(pictures === undefined ? {} : { pictures }) };
    if (json) printJson({ ...files, ...made });
    else print([describe(made), ...Object.values(files)].join("\n"));
  };
  await stoppable(clear, work).finally(clear);
}

function describe({ points, features, layer, method, explainedVariance, divergence }: PictureMap): string {
  // Those that the places are made of.
  const used = method === "pca" ? explainedVariance.slice(0, 2) : explainedVariance;
  const share = used.reduce((sum, each) => sum + each, 0);
  const components = `${used.length} components: ${formatPercent(share)} of the variance`;
  const left = divergence === undefined ? "" : `; divergence ${divergence.toFixed(3)}`;
  return `${points.length} pictures, ${features} outputs of ${layer}; ${components}${left}`;
}
