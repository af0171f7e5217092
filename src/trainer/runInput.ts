/** How a data set's pictures come into a network: which network, of which input size, and what becomes of a picture on the way. */
import type { Dataset, DatasetSource, LoadOptions } from "../dataset/dataset.ts";
import { ConfigError } from "../errors.ts";
import type { PrincipalColours } from "../image/augment/lighting.ts";
import type { PixelSize } from "../image/image.ts";
import { createFit } from "../image/prepare/fit.ts";
import type { Fitting } from "../image/prepare/fitter.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { classesOf, type Network, withClasses, withInput } from "../network/network.ts";
import { resolveNetwork } from "../settings/settings.ts";
import type { Recipe } from "../training/recipe.ts";
import { coloursOf, scaleOf } from "./pixelScale.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** A network with the pictures that it is trained on. */
export interface RunInput {
  readonly network: Network;
  readonly dataset: Dataset;
  readonly preprocessing: Preprocessing;
  /** For colour noise, where the recipe has it. */
  readonly colours: PrincipalColours | undefined;
}

/** What of a run's settings decides on its input. */
export interface InputSettings {
  /** Default: by the data set, see `defaultNetwork`. */
  readonly network?: string | Network | undefined;
  /** Height and width of the network's input, in pixels. */
  readonly inputSize?: number | undefined;
  /** Of weights to begin with, which are bound to it: its fit where the size is the same, and its scale unless `normalization` says another. */
  readonly origin?: Preprocessing | undefined;
  readonly normalization?: string | undefined;
}

/** Sides of pictures that `alexnet-small` is for. */
const small = { least: 28, most: 64 } as const;

/**
 * Where neither settings nor recipe name one. For grey pictures the network of the Fashion-MNIST build, for colour torchvision's AlexNet. Where it is built for the pictures' own
 * size, `size`, that of 28 to 64 pixels is `alexnet-small`.
 */
export function defaultNetwork(source: DatasetSource, size?: PixelSize): string {
  if (size) {
    const isSmall = [size.width, size.height].every((side) => side >= small.least && side <= small.most);
    return isSmall ? "alexnet-small" : "alexnet-owt";
  }
  return source.channels === 1 ? "alexnet-fashion" : "alexnet-owt";
}

/**
 * Loads a data set for a network and fits each to the other.
 *
 * Throws ConfigError for settings that do not fit, DataError for a data set that cannot be used.
 */
export async function prepareInput(
  source: DatasetSource,
  recipe: Recipe,
  settings: InputSettings,
  options: LoadOptions,
  observer: TrainObserver,
): Promise<RunInput> {
  const { network: given = recipe.network, inputSize } = settings;
  if (recipe.fit === "native") {
    if (inputSize !== undefined)
      throw new ConfigError("--input-size: with --fit native it is that of the pictures; leave one out");
    return prepareNative(source, recipe, settings, options, observer);
  }
  const chosen = await resolveNetwork(given ?? defaultNetwork(source));
  const [channels, height, width] = inputOf(chosen);
  const fitting = fittingOf(recipe, channels, { width: inputSize ?? width, height: inputSize ?? height }, settings);
  const dataset = await source.load({ ...options, fitting });
  return finish(withInput(chosen, [channels, ...fitting.size]), dataset, fitting, recipe, settings, observer);
}

async function prepareNative(
  source: DatasetSource,
  recipe: Recipe,
  settings: InputSettings,
  options: LoadOptions,
  observer: TrainObserver,
): Promise<RunInput> {
  const wanted = settings.network === undefined ? undefined : await resolveNetwork(settings.network);
  // The size counts only where pictures are prepared: as they are loaded, they are kept as they are.
  const dataset = await source.load({
    ...options,
    fitting: fittingOf(recipe, wanted ? inputOf(wanted)[0] : 3, { width: 1, height: 1 }, settings),
  });
  const { imageSize: size } = dataset;
  if (!size) {
    throw new ConfigError(`${dataset.name}: expected pictures of one size for --fit native; choose another --fit`);
  }
  const network = wanted ?? (await resolveNetwork(defaultNetwork(source, size)));
  // A network that was asked for keeps its channels, as with any other fit.
  const channels = wanted ? inputOf(wanted)[0] : dataset.channels;
  return finish(
    withInput(network, [channels, size.height, size.width]),
    dataset,
    fittingOf(recipe, channels, size, settings),
    recipe,
    settings,
    observer,
  );
}

function inputOf({
  name,
  input: [channels, height, width],
}: Network): readonly [channels: 1 | 3, height: number, width: number] {
  if (channels === 1 || channels === 3) return [channels, height, width];
  throw new ConfigError(`${name}: expected an input of 1 or 3 channels, got ${channels}`);
}

function fittingOf(
  { fit, filter }: Recipe,
  channels: 1 | 3,
  { width, height }: PixelSize,
  { origin }: InputSettings,
): Fitting {
  const isSame = origin?.fit.kind === fit && origin.size[0] === height && origin.size[1] === width;
  const own = isSame ? origin.fit : createFit(fit, { width, height });
  return { size: [height, width], channels, fit: own, resize: filter };
}

/** Undefined where the numbers are to be those of the data set. */
function originScale({ size, channels }: Fitting, { origin, normalization }: InputSettings) {
  if (!origin || normalization !== undefined || origin.channels !== channels) return undefined;
  const { mean, deviation, meanImage } = origin;
  if (meanImage === undefined) return { mean, deviation };
  if (origin.size[0] === size[0] && origin.size[1] === size[1]) return { mean, deviation, meanImage };
  throw new ConfigError(
    `normalization: expected the input of ${origin.size.join("×")} that the mean image of the weights is of, got ${size.join("×")}; choose a --normalization`,
  );
}

async function finish(
  network: Network,
  dataset: Dataset,
  fitting: Fitting,
  recipe: Recipe,
  settings: InputSettings,
  observer: TrainObserver,
): Promise<RunInput> {
  const note = channelNote(network, dataset);
  if (note) observer.onMessage?.(note);
  return {
    network: forClasses(network, dataset.classNames.length),
    dataset,
    preprocessing: { ...fitting, ...(originScale(fitting, settings) ?? (await scaleOf(dataset, fitting, recipe))) },
    colours: recipe.augmentation.lighting === undefined ? undefined : coloursOf(dataset, fitting.channels),
  };
}

/** Throws ConfigError if the network does not end in one output for each class. */
function forClasses(network: Network, classes: number): Network {
  const fitted = withClasses(network, classes);
  const outputs = classesOf(fitted);
  if (outputs === classes) return fitted;
  throw new ConfigError(
    `${network.name}: expected ${classes} outputs, one for each class, got ${outputs}; let it end in a linear layer`,
  );
}

/** What is done to the images' channels, in words; undefined if nothing. */
function channelNote(network: Network, dataset: Dataset): string | undefined {
  const [channels] = network.input;
  if (channels === dataset.channels) return undefined;
  return channels === 3
    ? `${dataset.name} has one channel, ${network.name} takes three: grey is repeated`
    : `${dataset.name} is in colour, ${network.name} takes one channel: colour becomes luma`;
}
