/** Preview of data augmentation as a contact sheet. */
import { basename } from "node:path";
import type { Dataset } from "../dataset/dataset.ts";
import { classesAt, joinedLabels } from "../dataset/labelSets.ts";
import { createRandomChanges } from "../image/augment/randomChanges.ts";
import { decodeImage, encodePng } from "../image/files/decode.ts";
import type { Image } from "../image/image.ts";
import { createPreprocessor, type Preprocessing } from "../image/prepare/preprocess.ts";
import { drawContactSheet, type SheetImage } from "../report/figures/imageRows.ts";
import { toPng } from "../report/figures/png.ts";
import { resolve } from "../settings/resolve.ts";
import type { RunSettings } from "../settings/settings.ts";
import { prepareInput } from "../trainer/runInput.ts";
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { createMixer } from "../training/objective/mixing.ts";
import type { Recipe } from "../training/recipe.ts";

/** Settings of a run; those of training have no effect. */
export interface PreviewOptions extends RunSettings {
  /** Number of images to show. Default: 6, or one per class if that is more, up to 10. */
  readonly images?: number;
  /** Number of epochs to show each image in. Default: 8. */
  readonly uses?: number;
  readonly observer?: TrainObserver;
  readonly signal?: AbortSignal;
}

/** A contact sheet, and its contents. */
export interface Preview {
  readonly png: Uint8Array;
  readonly recipe: Recipe;
  readonly preprocessing: Preprocessing;
}

/** Number of training images to read: enough for colour statistics, few enough for a quick preview. */
const READ_IMAGES = 500;

/**
 * Draws a contact sheet: images unchanged, as in evaluation, and as in `uses` epochs of training.
 *
 * Throws ConfigError for invalid settings, and DataError for an unusable data set.
 */
export async function previewAugmentation(options: PreviewOptions): Promise<Preview> {
  const { observer = {}, signal, uses = 8 } = options;
  const plan = await resolve(options);
  // Normalization is undone below, so areas without an image must have a colour: the mean.
  const recipe: Recipe = { ...plan.recipe, normalization: "standard" };
  const loading = { ...plan.loading, trainLimit: { inOrder: READ_IMAGES }, testLimit: { inOrder: 1 } };
  const initFrom = plan.initFrom && { ...plan.initFrom, keepsScale: false };
  const input = await prepareInput({ ...plan, recipe, loading, initFrom }, observer, signal);
  const { dataset, preprocessing, colours } = input;
  try {
    const changes = createRandomChanges(recipe.augmentation, recipe.seed, colours);
    const evaluate = createPreprocessor(preprocessing);
    const train = createPreprocessor(preprocessing, changes);
    const shown = shownIndices(dataset, options.images);
    const imageShape = [preprocessing.channels, ...preprocessing.size];
    const size = imageShape.reduce((product, length) => product * length);
    /** The shown images of each epoch, as one batch. */
    const batches = Array.from({ length: uses }, () => new Float32Array(shown.length * size));
    const mix = createMixer(recipe, shown.length, imageShape);
    const rows: { readonly heading: string; readonly pictures: SheetImage[] }[] = [];
    for (const index of shown) {
      const path = dataset.train.path?.(index);
      const image = path === undefined ? copyOf(dataset.train.image(index)) : await decodeImage(path);
      const input = new Float32Array(size);
      evaluate(image, input, 0);
      const pictures = [await sheetImage(image), await preparedImage(preprocessing, input)];
      for (const [epoch, batch] of batches.entries()) {
        changes.begin(epoch, index);
        train(image, batch, rows.length * size);
      }
      const className = joinedLabels(classesAt(dataset.train, index), dataset.classNames);
      rows.push({ heading: path === undefined ? className : `${className}: ${basename(path)}`, pictures });
    }
    for (const [epoch, batch] of batches.entries()) {
      mix(batch, rows.length, epoch);
      for (const [row, { pictures }] of rows.entries()) {
        pictures.push(await preparedImage(preprocessing, batch.subarray(row * size, (row + 1) * size)));
      }
    }
    const columns = ["image", "test", ...Array.from({ length: uses }, (_, epoch) => `epoch ${epoch + 1}`)];
    const mixed = [...(recipe.mixup > 0 ? ["mixup"] : []), ...(recipe.cutmix ? ["cutmix"] : [])];
    const augmentation = [...Object.keys(recipe.augmentation), ...mixed].join(", ") || "no augmentation";
    const title = `${basename(dataset.name)}: ${recipe.fit}, ${preprocessing.size.join("×")}; ${augmentation}`;
    // Images are drawn at twice the sheet's size: a pixel of the input is one of the sheet.
    const cell = Math.max(Math.max(...preprocessing.size) / 2, 48);
    return { png: toPng(drawContactSheet({ title, columns, rows, cell })), recipe, preprocessing };
  } finally {
    dataset.close?.();
  }
}

/** Evenly spaced: some of each class, in any order of classes. */
function shownIndices(
  { train, classNames }: Dataset,
  images = Math.min(Math.max(classNames.length, 6), 10),
): readonly number[] {
  const count = Math.min(images, train.length);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * train.length) / count));
}

/** An image of a split is valid only until the next one is read. */
function copyOf({ data, ...image }: Image): Image {
  return { ...image, data: data.slice() };
}

async function sheetImage(image: Image): Promise<SheetImage> {
  const { width, height } = image;
  return { png: await encodePng(image), width, height };
}

/** A network's input, in the colours that it stands for. */
function preparedImage(
  { size: [height, width], channels, mean, deviation }: Preprocessing,
  input: Float32Array,
): Promise<SheetImage> {
  const plane = width * height;
  const data = Uint8Array.from(
    Uint8ClampedArray.from({ length: input.length }, (_, i) => {
      const [pixel, c] = [Math.floor(i / channels), i % channels];
      return 255 * ((input[c * plane + pixel] as number) * (deviation[c] as number) + (mean[c] as number));
    }),
  );
  return sheetImage({ width, height, channels, data });
}
