/** Occlusion saliency: the parts of an image whose hiding changes a prediction. */
import { ConfigError } from "../errors.ts";
import { type ImageInput, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import type { Image } from "../image/image.ts";
import { type ClassModel, type OpenOptions, openClassModel } from "../model/openModel.ts";
import { createPredictionInput } from "../model/predictionInput.ts";
import { drawImageRows } from "../report/figures/imageRows.ts";
import { zoom } from "../report/figures/tiles.ts";
import { formatPercent } from "../report/numbers.ts";
import { sizeOf } from "../shape.ts";
import { didYouMean } from "../suggest.ts";
import { checkOutputs } from "../training/evaluation/classHead.ts";
import { createInputImage } from "./inputImage.ts";

/** Options of `measureSaliency`. */
export interface SaliencyOptions extends Omit<OpenOptions, "batchSize"> {
  /** Class to explain. Default: the predicted one. */
  readonly className?: string;
  /** Side of the hidden square in input pixels. Default: an eighth of the input. */
  readonly window?: number;
  /** Distance between squares in pixels. Default: half the window. */
  readonly stride?: number;
  /** Called after each batch of occluded squares. */
  readonly onProgress?: (squares: number, of: number) => void;
}

/** Sensitivity of a prediction to each region of an image. */
export interface Saliency {
  readonly className: string;
  /** Probability of the class with nothing hidden. */
  readonly probability: number;
  readonly window: number;
  readonly stride: number;
  /** The square whose hiding lowers the probability most, and the drop. */
  readonly most: { readonly left: number; readonly top: number; readonly drop: number };
  /** Mean drop over the squares that hide each pixel, row by row from the top. Negative if hiding raises the probability. */
  readonly drops: readonly (readonly number[])[];
}

/** A network and the image file to explain. */
interface AskedImage {
  readonly opened: ClassModel;
  readonly file: string;
}

interface Square {
  readonly left: number;
  readonly top: number;
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
  const { className, window, stride, onProgress, ...openOptions } = options;
  const decoded = await readImageInput(image);
  const opened = await openClassModel(path, { ...openOptions, batchSize: BATCH });
  try {
    const { network, classNames, preprocessing } = opened.model;
    const asked = { opened, file: nameOfInput(image) };
    const [, height, width] = network.input;
    const side = window ?? Math.max(1, Math.round(Math.min(height, width) / 8));
    const step = stride ?? Math.max(1, Math.floor(side / 2));
    checkSquare(side, step, Math.min(height, width));
    const input = new Float32Array(sizeOf(network.input));
    createPredictionInput(preprocessing, options.onMessage)(decoded, input, 0);
    const [plain = new Float64Array()] = await probabilities(asked, input, [undefined], side);
    const index = className === undefined ? plain.indexOf(Math.max(...plain)) : classNames.indexOf(className);
    if (index < 0) {
      const near = didYouMean(className ?? "", classNames);
      throw new ConfigError(
        `class "${className}": unknown${near}; expected one of the model's, ${classNames.slice(0, 20).join(", ")}`,
      );
    }
    const squares = starts(height, side, step).flatMap((top) =>
      starts(width, side, step).map((left) => ({ left, top })),
    );
    const probability = plain[index] as number;
    const hidden = await probabilitiesHidden(asked, input, squares, side, index, onProgress);
    const dropped = hidden.map((lower) => probability - lower);
    const drops = spread(squares, dropped, side, [height, width]);
    const drop = Math.max(...dropped);
    const most = { ...(squares[dropped.indexOf(drop)] as Square), drop };
    const made = { className: classNames[index] as string, probability, window: side, stride: step, most, drops };
    const seen = createInputImage(preprocessing)(decoded);
    return { ...made, svg: await drawSaliency(network.name, nameOfInput(image), seen, made) };
  } finally {
    opened.close();
  }
}

/** Probability of one class with each square hidden. */
async function probabilitiesHidden(
  asked: AskedImage,
  input: Float32Array,
  squares: readonly Square[],
  side: number,
  index: number,
  onProgress: SaliencyOptions["onProgress"],
): Promise<readonly number[]> {
  // With dropout active, each row of a batch has its own random mask. One row at a time gives all squares the same mask.
  const together = asked.opened.isRandom ? 1 : BATCH;
  const found: number[] = [];
  for (let first = 0; first < squares.length; first += together) {
    const some = await probabilities(asked, input, squares.slice(first, first + together), side);
    found.push(...some.map((classes) => classes[index] as number));
    onProgress?.(found.length, squares.length);
  }
  return found;
}

function checkSquare(side: number, step: number, extent: number): void {
  if (side > extent) throw new ConfigError(`window: expected at most ${extent}, the input's side, got ${side}`);
  if (step > side)
    throw new ConfigError(`stride: expected at most ${side}, the window, got ${step}: pixels would be left out`);
}

/** Start positions from edge to edge; the last square touches the edge. */
function starts(extent: number, side: number, step: number): readonly number[] {
  const last = extent - side;
  const regular = Array.from({ length: Math.ceil(last / step) }, (_, i) => i * step);
  return [...regular, last];
}

/** Probabilities of all classes with each square hidden. In the normalized input, 0 is the mean colour. */
async function probabilities(
  { opened: { program, model, head }, file }: AskedImage,
  input: Float32Array,
  squares: readonly (Square | undefined)[],
  side: number,
): Promise<readonly Float64Array[]> {
  const [channels, height, width] = model.network.input;
  const images = program.input;
  squares.forEach((square, i) => {
    images.set(input, i * input.length);
    if (!square) return;
    for (let c = 0; c < channels; c++) {
      for (let y = square.top; y < square.top + side; y++) {
        const from = i * input.length + (c * height + y) * width + square.left;
        images.fill(0, from, from + side);
      }
    }
  });
  const outputs = await program.forward(images, squares.length, { seed: 0, first: 0 });
  checkOutputs(outputs, squares.length, () => file);
  const scores = head.scores(outputs, squares.length);
  const classes = scores.length / squares.length;
  return squares.map((_, i) => head.probabilities(scores.subarray(i * classes, (i + 1) * classes)));
}

/** Averages over each pixel the drops of the squares that cover it. */
function spread(
  squares: readonly Square[],
  drops: readonly number[],
  side: number,
  [height, width]: readonly [number, number],
): readonly (readonly number[])[] {
  const sums = Array.from({ length: height }, () => new Float64Array(width));
  const counts = Array.from({ length: height }, () => new Float64Array(width));
  squares.forEach(({ left, top }, i) => {
    for (let y = top; y < top + side; y++) {
      const [sum, count] = [sums[y] as Float64Array, counts[y] as Float64Array];
      for (let x = left; x < left + side; x++) {
        sum[x] = (sum[x] as number) + (drops[i] as number);
        count[x] = (count[x] as number) + 1;
      }
    }
  });
  return sums.map((row, y) => Array.from(row, (sum, x) => sum / (counts[y]?.[x] as number)));
}

/** Content of the figure. */
interface ShownSaliency {
  readonly className: string;
  readonly probability: number;
  readonly window: number;
  readonly most: { readonly drop: number };
  readonly drops: readonly (readonly number[])[];
}

const SHOWN_SIDE = 448;
/** Colours of Okabe and Ito's palette: hiding lowers the probability, hiding raises it. */
const needed = [213, 94, 0] as const;
const disturbing = [0, 114, 178] as const;

/** The network's input, the saliency, and both blended. */
async function drawSaliency(network: string, file: string, seen: Image, made: ShownSaliency): Promise<string> {
  const { className, probability, window, most, drops } = made;
  const factor = Math.max(1, Math.round(SHOWN_SIDE / Math.max(seen.width, seen.height)));
  const greatest = Math.max(...drops.map((row) => Math.max(...row.map(Math.abs)))) || 1;
  const blended = (fraction: number) => zoom(heat(seen, drops, greatest, fraction), factor);
  const lines = [`orange: hiding it lowers the probability`, `blue: hiding it raises it`];
  return drawImageRows({
    title: `${network}: parts of ${file} that support ${className}`,
    rows: [
      {
        heading: `${formatPercent(probability)} with nothing hidden; ${window}×${window} hidden lowers it by at most ${(100 * most.drop).toFixed(1)} points`,
        images: [
          { image: zoom(inColour(seen), factor), lines: ["network input"] },
          { image: blended(0), lines },
          { image: blended(0.65), lines: ["both"] },
        ],
      },
    ],
  });
}

function inColour({ width, height, channels, data }: Image): Image {
  if (channels === 3) return { width, height, channels, data };
  return {
    width,
    height,
    channels: 3,
    data: Uint8Array.from({ length: 3 * data.length }, (_, i) => data[Math.floor(i / 3)] as number),
  };
}

/** Colour in proportion to the effect, white without one, multiplied by a fraction of the image's brightness. */
function heat(seen: Image, drops: ShownSaliency["drops"], greatest: number, fraction: number): Image {
  const { data, width, height } = inColour(seen);
  const mixed = new Uint8ClampedArray(data.length);
  for (let p = 0; p < width * height; p++) {
    const drop = (drops[Math.floor(p / width)]?.[p % width] as number) / greatest;
    const hue = drop > 0 ? needed : disturbing;
    const brightness = ((data[3 * p] as number) + (data[3 * p + 1] as number) + (data[3 * p + 2] as number)) / 3;
    const ground = 255 * (1 - fraction) + brightness * fraction;
    for (const [c, level] of hue.entries()) mixed[3 * p + c] = ground + Math.abs(drop) * (level - ground);
  }
  return { width, height, channels: 3, data: new Uint8Array(mixed.buffer) };
}
