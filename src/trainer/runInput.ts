/** The input of a run: its data set and network, adapted to each other, and the scale of pixel values. */
import type { LoadOptions } from "../dataset/dataset.ts";
import { ConfigError } from "../errors.ts";
import type { PixelSize } from "../image/image.ts";
import { type Fit, frameSizeOf } from "../image/prepare/fit.ts";
import type { Fitting } from "../image/prepare/fitter.ts";
import { requireMemory } from "../memoryCheck.ts";
import { findNetwork } from "../network/alexnet.ts";
import { operations, withInput } from "../network/network.ts";
import { defaultNetwork } from "../settings/load.ts";
import type { RunPlan } from "../settings/resolve.ts";
import { fitInput, inputOf, newFitting, type RunInput, type Scale } from "./fitInput.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** The part of a plan that determines the input. */
export type InputPlan = Pick<RunPlan, "source" | "initFrom" | "recipe" | "network" | "inputSize"> & {
  readonly loading: Pick<LoadOptions, keyof RunPlan["loading"]>;
};

/** Converts observer and signal to loading options. */
export function loadObserver(
  { onDownload, onPacking, onMessage }: TrainObserver,
  signal: AbortSignal | undefined,
): Pick<LoadOptions, "onProgress" | "onPacking" | "onMessage" | "signal"> {
  return { onProgress: onDownload, onPacking, onMessage, signal };
}

/**
 * Loads a data set and a network, and adapts each to the other.
 *
 * Throws ConfigError for settings that do not fit, DataError for a data set that cannot be used.
 */
export async function prepareInput(
  plan: InputPlan,
  observer: TrainObserver = {},
  signal?: AbortSignal,
): Promise<RunInput> {
  const { source, recipe, network, inputSize } = plan;
  const options = { ...plan.loading, seed: recipe.seed, ...loadObserver(observer, signal) };
  if (recipe.fit === "native" && inputSize !== undefined)
    throw new ConfigError(
      "--input-size: cannot be combined with --fit native, which uses the size of the images; remove one of the two",
    );
  if (!network || recipe.fit === "native") return prepareNative(plan, options, observer);
  const [channels, height, width] = inputOf(network);
  const fitting = fittingOf(plan, channels, { width: inputSize ?? width, height: inputSize ?? height });
  // Before images are prepared for a size that the network cannot have.
  const sized = withInput(network, [channels, ...fitting.size]);
  requireMemory({ ops: operations(sized), inputShape: sized.input, batchSize: recipe.batchSize }, "inference");
  const dataset = await source.load({ ...options, fitting });
  return fitInput(plan.recipe, sized, dataset, fitting, { scale: scaleOfWeights(plan, fitting), observer });
}

async function prepareNative(plan: InputPlan, options: LoadOptions, observer: TrainObserver): Promise<RunInput> {
  const { source, network: wanted } = plan;
  // The size matters only for preparation: loading keeps images as they are.
  const fitting = fittingOf(plan, wanted ? inputOf(wanted)[0] : 3, { width: 1, height: 1 });
  const dataset = await source.load({ ...options, fitting });
  const { imageSize: size } = dataset;
  if (!size) {
    throw new ConfigError(`${dataset.name}: expected images of one size for --fit native; choose another --fit`);
  }
  const network = wanted ?? findNetwork(defaultNetwork(source, size));
  // A requested network keeps its channels, as with any other fit.
  const channels = wanted ? inputOf(wanted)[0] : dataset.channels;
  const sized = withInput(network, [channels, size.height, size.width]);
  const own = fittingOf(plan, channels, size);
  return fitInput(plan.recipe, sized, dataset, own, { scale: scaleOfWeights(plan, own), observer });
}

function fittingOf({ recipe, initFrom }: InputPlan, channels: 1 | 3, { width, height }: PixelSize): Fitting {
  const own = initFrom?.from.model.preprocessing;
  const isSame = own?.fit.kind === recipe.fit && own.size[0] === height && own.size[1] === width;
  const fitting = newFitting(recipe, channels, { width, height });
  return isSame && recipe.shorterSide === undefined ? { ...fitting, fit: own.fit } : fitting;
}

/** Pixel scale of the initial weights; undefined to use the data set's. Throws ConfigError for a mean image of another size than the fitted images. */
function scaleOfWeights({ initFrom }: InputPlan, { size, channels, fit }: Fitting): Scale | undefined {
  const own = initFrom?.from.model.preprocessing;
  if (!own || !initFrom.keepsScale || own.channels !== channels) return undefined;
  const { mean, deviation, meanImage } = own;
  if (meanImage === undefined) return { mean, deviation };
  const frameOf = (kind: Fit, [height, width]: Fitting["size"]) => {
    const frame = frameSizeOf(kind, { width, height });
    return frame === undefined ? "images of their own sizes" : `images of ${frame.height}×${frame.width}`;
  };
  const [expected, got] = [frameOf(own.fit, own.size), frameOf(fit, size)];
  if (expected === got) return { mean, deviation, meanImage };
  throw new ConfigError(
    `normalization: expected ${expected} before the crop, the size of the weights' mean image, got ${got}; choose a --normalization`,
  );
}
