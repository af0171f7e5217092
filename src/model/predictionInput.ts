/** Preparation of images for predictions, which may be of any size. */
import type { PixelSize } from "../image/image.ts";
import { isOneSize } from "../image/prepare/fit.ts";
import { createPreprocessor, type Preprocessing, type Preprocessor } from "../image/prepare/preprocess.ts";

type InputSize = Pick<Preprocessing, "fit" | "size">;

/**
 * The note that images are stretched to the input of a network trained with the fit `native`, which had no other sizes to learn from. Undefined
 * if they need not be; `image` is undefined for images of several sizes.
 */
export function resizeNote(
  { fit, size: [height, width] }: InputSize,
  image: PixelSize | undefined,
): string | undefined {
  if (!isOneSize(fit) || (image?.width === width && image.height === height)) return undefined;
  const got = image ? ` (got ${image.width}×${image.height})` : "";
  return `fit ${fit.kind}: images of another size than the network's ${width}×${height} are resized to it${got}`;
}

/** As `createPreprocessor`; the first time that an image is resized for the fit `native`, `onMessage` is told. */
export function createPredictionInput(
  preprocessing: Preprocessing,
  onMessage: ((message: string) => void) | undefined,
): Preprocessor {
  const prepare = createPreprocessor(preprocessing);
  let isTold = false;
  return (image, target, offset) => {
    const note = isTold ? undefined : resizeNote(preprocessing, image);
    isTold ||= note !== undefined;
    if (note !== undefined) onMessage?.(note);
    prepare(image, target, offset);
  };
}
