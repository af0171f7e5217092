/** `alexnet saliency`. */
import type { EngineName } from "../../engine/select/engineNames.ts";
import { formatPercent } from "../../report/numbers.ts";
import { foreignOpening, type ImportFacts, importOptions, modelArgument, withoutFacts } from "../importOptions.ts";
import { figureOption, imageArgument, jsonOption, positiveInteger } from "../options.ts";
import { print, printError, printJson, requireEnding, writeFigure } from "../output.ts";
import { imageProgress } from "../progress.ts";
import type { CommandSpec, Invocation } from "../spec.ts";
import { settingOption } from "../trainingOptions.ts";

/** Methods of saliency. */
const saliencyMethods = ["occlusion", "grad-cam"] as const;

export const saliency: CommandSpec = {
  arguments: [modelArgument, imageArgument],
  options: [
    figureOption("saliency.png"),
    {
      flags: "--method <name>",
      help: "occlusion: drop of the probability when a square is hidden; grad-cam: gradients at the last feature maps",
      choices: saliencyMethods,
      default: "occlusion",
    },
    { flags: "--class <name>", help: "class to explain (default: the predicted one)" },
    {
      flags: "--window <n>",
      help: "side of the occluding square, in input pixels (default: an eighth of the input)",
      parse: positiveInteger,
    },
    {
      flags: "--stride <n>",
      help: "distance of neighbouring squares, in input pixels (default: half a square)",
      parse: positiveInteger,
    },
    settingOption("engine"),
    settingOption("threads"),
    jsonOption,
    ...importOptions,
  ],
  examples: [
    ["alexnet saliency runs/quick shoe.png", "saliency.png"],
    ["alexnet saliency runs/quick shoe.png --class Sandal", "of another class"],
    ["alexnet saliency runs/quick shoe.png --window 60", "larger squares"],
    ["alexnet saliency runs/quick shoe.png --method grad-cam", "by gradients, at once"],
  ],
  notes: `
A square of the mean colour occludes every part of the image in turn. Orange
marks where it lowers the class's probability, blue where it raises it. The
figure has a scale in percentage points: ±10 at least, so that small effects
are pale. Grad-CAM marks the places of the last feature maps that raise the
score of the class, relative to the most important one.`,
  run: drawSaliency,
};

interface SaliencyFlags extends ImportFacts {
  readonly method: (typeof saliencyMethods)[number];
  readonly class?: string;
  readonly output: string;
  readonly window?: number;
  readonly stride?: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

async function drawSaliency(run: string, image: string, flags: SaliencyFlags, invocation: Invocation): Promise<void> {
  const { output, json, method, class: className, ...options } = withoutFacts(flags);
  requireEnding(output, [".png", ".svg"]);
  if (method === "grad-cam") {
    if (options.window !== undefined || options.stride !== undefined) {
      invocation.fail("--window and --stride require --method occlusion");
    }
    return drawByGradient(run, image, flags);
  }
  const { measureSaliency } = await import("../../explain/saliency.ts");
  const { describeEffects } = await import("../../explain/saliencyFigure.ts");
  const progress = imageProgress("saliency");
  try {
    const { svg, ...made } = await measureSaliency(run, image, {
      ...options,
      ...(await foreignOpening(flags, printError)),
      ...(className === undefined ? {} : { className }),
      onMessage: printError,
      onProgress: progress.update,
    });
    progress.clear();
    await writeFigure(output, svg);
    if (json) printJson({ output, ...made });
    else print(`${made.className}: ${formatPercent(made.probability)}; ${describeEffects(made)}\n${output}`);
  } finally {
    progress.clear();
  }
}

async function drawByGradient(run: string, image: string, flags: SaliencyFlags): Promise<void> {
  const { output, json, class: className, engine, threads } = flags;
  const { measureGradCam } = await import("../../explain/gradCam.ts");
  const {
    svg,
    places: _places,
    ...made
  } = await measureGradCam(run, image, {
    ...(await foreignOpening(flags, printError)),
    ...(className === undefined ? {} : { className }),
    ...(engine === undefined ? {} : { engine }),
    ...(threads === undefined ? {} : { threads }),
    onMessage: printError,
  });
  await writeFigure(output, svg);
  if (json) printJson({ output, method: "grad-cam", ...made });
  else print(`${made.className}: ${formatPercent(made.probability)}; Grad-CAM at ${made.layer}\n${output}`);
}
