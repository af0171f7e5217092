/** Preparation of images of any size for predictions. */
import type { PixelSize } from "../image/image.ts";
import { isOneSize } from "../image/prepare/fit.ts";
import { createPreprocessor, type Preprocessing, type Preprocessor } from "../image/prepare/preprocess.ts";

type InputSize = Pick<Preprocessing, "fit" | "size">;

/**
 * Returns a note that images are resized to the input of a network trained with the fit `native`, which saw one size only. Undefined if they have
 * that size; `image` is undefined for images of several sizes.
 */
export function resizeNote(
  { fit, size: [height, width] }: InputSize,
  image: PixelSize | undefined,
): string | undefined {
  if (!isOneSize(fit) || (image?.width === width && image.height === height)) return undefined;
  const got = image ? ` (got ${image.width}×${image.height})` : "";
  return `fit ${fit.kind}: images of another size than the network's ${width}×${height} are resized to it${got}`;
}

/** Like `createPreprocessor`; calls `onMessage` the first time that an image is resized for the fit `native`. */
export function createPredictionInput(
  preprocessing: Preprocessing,
  onMessage: ((message: string) => void) | undefined,
): Preprocessor {
  const prepare = createPreprocessor(preprocessing);
  let isReported = false;
  return (image, target, offset) => {
    const note = isReported ? undefined : resizeNote(preprocessing, image);
    isReported ||= note !== undefined;
    if (note !== undefined) onMessage?.(note);
    prepare(image, target, offset);
  };
}
