/** Occlusion saliency: the parts of an image whose hiding changes a prediction. */
import { ConfigError } from "../errors.ts";
import { type ImageInput, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import { type OpenOptions, openClassModel } from "../model/openModel.ts";
import { createPredictionInput } from "../model/predictionInput.ts";
import { sizeOf } from "../shape.ts";
import { didYouMean } from "../suggest.ts";
import { bestOf } from "../training/evaluation/metrics.ts";
import { createInputImage } from "./inputImage.ts";
import { type OcclusionOptions, occlude, type Saliency } from "./occlusion.ts";
import { drawSaliency } from "./saliencyFigure.ts";

/** Options of `measureSaliency`. */
export interface SaliencyOptions extends Omit<OpenOptions, "batchSize">, OcclusionOptions {
  /** Class to explain. Default: the predicted one. */
  readonly className?: string;
}

const BATCH = 32;

/**
 * Measures occlusion saliency: fills a square of the image with the mean colour at every position and records the drop of the class's
 * probability.
 *
 * Throws the errors of `openClassifier`, DataError for a file that is not an image, and ConfigError for an unknown class, a square larger
 * than the input, or a stride larger than the square. Source: Zeiler and Fergus 2014, “Visualizing and understanding convolutional
 * networks”, §4.2.
 */
export async function measureSaliency(
  path: string,
  image: ImageInput,
  options: SaliencyOptions = {},
): Promise<Saliency & { readonly svg: string }> {
  const { className: asked, window, stride, onProgress, ...openOptions } = options;
  const decoded = await readImageInput(image);
  const opened = await openClassModel(path, { ...openOptions, batchSize: BATCH });
  try {
    const { network, classNames, preprocessing } = opened.model;
    const input = new Float32Array(sizeOf(network.input));
    createPredictionInput(preprocessing, options.onMessage)(decoded, input, 0);
    const chosen = classChooser(asked, classNames);
    const made = await occlude({ ...opened, file: nameOfInput(image) }, input, chosen, {
      ...(window !== undefined && { window }),
      ...(stride !== undefined && { stride }),
      ...(onProgress && { onProgress }),
    });
    const seen = createInputImage(preprocessing)(decoded);
    return { ...made, svg: await drawSaliency(network.name, nameOfInput(image), seen, made) };
  } finally {
    opened.close();
  }
}

/** Chooses the class to explain from the probabilities: the named one, or the most probable. Throws ConfigError for an unknown name. */
export function classChooser(
  name: string | undefined,
  classNames: readonly string[],
): (probabilities: Float64Array) => number {
  if (name === undefined) return bestOf;
  const index = classNames.indexOf(name);
  if (index >= 0) return () => index;
  const some = classNames.slice(0, 20).join(", ");
  throw new ConfigError(
    `class "${name}": unknown${didYouMean(name, classNames)}; expected one of the model's, ${some}`,
  );
}
