/** Occlusion saliency: the parts of an image whose hiding changes a prediction. */
import { ConfigError } from "../errors.ts";
import { type ImageInput, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import type { Image } from "../image/image.ts";
import { type ClassModel, type OpenOptions, openClassModel } from "../model/openModel.ts";
import { createPredictionInput } from "../model/predictionInput.ts";
import { drawImageRows } from "../report/figures/imageRows.ts";
import { zoom } from "../report/figures/tiles.ts";
import { formatPercent, formatPoints } from "../report/numbers.ts";
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
  readonly most: Effect;
  /** The square whose hiding raises the probability most: its drop is negative, or 0 or more if hiding never raises it. */
  readonly least: Effect;
  /** Mean drop over the squares that hide each pixel, row by row from the top. Negative if hiding raises the probability. */
  readonly drops: readonly (readonly number[])[];
}

/** A hidden square, and by how much hiding it lowers the probability. */
interface Effect extends Square {
  readonly drop: number;
}

/** A network and the image file to explain. */
interface AskedImage {
  readonly opened: ClassModel;
  readonly file: string;
}

/** Position of a square in pixels of the network's input. */
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
  const { className: asked, window, stride, onProgress, ...openOptions } = options;
  const decoded = await readImageInput(image);
  const opened = await openClassModel(path, { ...openOptions, batchSize: BATCH });
  try {
    const { network, classNames, preprocessing } = opened.model;
    const explained = { opened, file: nameOfInput(image) };
    const [, height, width] = network.input;
    const side = window ?? Math.max(1, Math.round(Math.min(height, width) / 8));
    const step = stride ?? Math.max(1, Math.floor(side / 2));
    checkSquare(side, step, Math.min(height, width));
    const input = new Float32Array(sizeOf(network.input));
    createPredictionInput(preprocessing, options.onMessage)(decoded, input, 0);
    const [plain = new Float64Array()] = await probabilities(explained, input, [undefined], side);
    const index = asked === undefined ? plain.indexOf(Math.max(...plain)) : classNames.indexOf(asked);
    if (index < 0) {
      const near = didYouMean(asked ?? "", classNames);
      throw new ConfigError(
        `class "${asked}": unknown${near}; expected one of the model's, ${classNames.slice(0, 20).join(", ")}`,
      );
    }
    const squares = starts(height, side, step).flatMap((top) =>
      starts(width, side, step).map((left) => ({ left, top })),
    );
    const probability = plain[index] as number;
    const hidden = await probabilitiesHidden(explained, input, squares, side, index, onProgress);
    const dropped = hidden.map((lower) => probability - lower);
    const drops = spread(squares, dropped, side, [height, width]);
    const effectOf = (drop: number) => ({ ...(squares[dropped.indexOf(drop)] as Square), drop });
    const [most, least] = [effectOf(greatestOf(dropped)), effectOf(-greatestOf(dropped.map((drop) => -drop)))];
    const className = classNames[index] as string;
    const made = { className, probability, window: side, stride: step, most, least, drops };
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

/** The effects of a saliency map in words: `hiding 28×28 lowers it by at most 3.4 points, raises it by at most 0.2 points`. */
export function describeEffects({ window, most, least }: Pick<Saliency, "window" | "most" | "least">): string {
  const [lowers, raises] = [Math.max(0, most.drop), Math.max(0, -least.drop)];
  return `hiding ${window}×${window} lowers it by at most ${formatPoints(lowers)}, raises it by at most ${formatPoints(raises)}`;
}

/** Content of the figure. */
type ShownSaliency = Pick<Saliency, "className" | "probability" | "window" | "most" | "least" | "drops">;

const SHOWN_SIDE = 448;
/** Colours of Okabe and Ito's palette: hiding lowers the probability, hiding raises it. */
const needed = [213, 94, 0] as const;
const disturbing = [0, 114, 178] as const;
/** Changes of the probability that have the full colour. The least of them keeps a map without effect pale. */
const fullColours = [0.1, 0.2, 0.5, 1] as const;
const BAR_HEIGHT = 20;

/** The network's input, the saliency, both blended, and the scale of the colours. */
async function drawSaliency(network: string, file: string, seen: Image, made: ShownSaliency): Promise<string> {
  const { className, probability, drops } = made;
  const factor = Math.max(1, Math.round(SHOWN_SIDE / Math.max(seen.width, seen.height)));
  const full = fullColourOf(drops);
  const blended = (fraction: number) => zoom(heat(seen, drops, full, fraction), factor);
  const ends = [-full, -full / 2, 0, full / 2, full].map((change) => Math.round(100 * change));
  return drawImageRows({
    title: `${network}: parts of ${file} that support ${className}`,
    rows: [
      {
        heading: `${formatPercent(probability)} with nothing hidden; ${describeEffects(made)}`,
        images: [
          { image: zoom(inColour(seen), factor), lines: ["network input"] },
          { image: blended(0), lines: ["change of the probability"] },
          { image: blended(0.65), lines: ["both"] },
        ],
      },
    ],
    scale: {
      heading: "Change of the probability when hidden, in percentage points (orange: lower, blue: higher)",
      bar: scaleBar(3 * factor * seen.width, full),
      labels: ends.map((points) => `${points > 0 ? "+" : ""}${points}`.replace("-", "−")),
    },
  });
}

/** The change of the probability that has the full colour on a map: the smallest one of the scale that covers all changes. */
function fullColourOf(drops: Saliency["drops"]): number {
  const greatest = greatestOf(drops.map((row) => greatestOf(row.map(Math.abs))));
  return fullColours.find((full) => full >= greatest) ?? 1;
}

function greatestOf(values: readonly number[]): number {
  return values.reduce((greatest, value) => Math.max(greatest, value), Number.NEGATIVE_INFINITY);
}

/** All colours of a map, from the greatest drop on the left to the greatest rise. */
function scaleBar(width: number, full: number): Image {
  const row = Array.from({ length: width }, (_, x) => full * (1 - (2 * x) / (width - 1)));
  const white = { width, height: BAR_HEIGHT, channels: 3, data: new Uint8Array(3 * width * BAR_HEIGHT) } as const;
  return heat(white, Array<readonly number[]>(BAR_HEIGHT).fill(row), full, 0);
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

/** Colour in proportion to the change, white without one, multiplied by a fraction of the image's brightness. */
function heat(seen: Image, drops: Saliency["drops"], full: number, fraction: number): Image {
  const { data, width, height } = inColour(seen);
  const mixed = new Uint8ClampedArray(data.length);
  for (let p = 0; p < width * height; p++) {
    const drop = (drops[Math.floor(p / width)]?.[p % width] as number) / full;
    const hue = drop > 0 ? needed : disturbing;
    const brightness = ((data[3 * p] as number) + (data[3 * p + 1] as number) + (data[3 * p + 2] as number)) / 3;
    const ground = 255 * (1 - fraction) + brightness * fraction;
    for (const [c, level] of hue.entries()) mixed[3 * p + c] = ground + Math.abs(drop) * (level - ground);
  }
  return { width, height, channels: 3, data: new Uint8Array(mixed.buffer) };
}
