/** Occlusion: the drop of a class's probability when a square of the input is hidden, at every position. */
import { ConfigError } from "../errors.ts";
import type { CompiledClassifier } from "../model/predictRows.ts";
import { checkOutputs } from "../training/evaluation/classHead.ts";

/** Options of the hidden squares. */
export interface OcclusionOptions {
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

/** Position of a square in pixels of the network's input. */
interface Square {
  readonly left: number;
  readonly top: number;
}

/**
 * Measures occlusion for one prepared image: fills a square with the mean colour at every position and records the drop of the class's probability.
 * `chooseClass` returns the index of the class to explain from all probabilities.
 *
 * Throws ConfigError for a square larger than the input, or a stride larger than the square.
 */
export async function occlude(
  classifier: CompiledClassifier,
  input: Float32Array,
  chooseClass: (probabilities: Float64Array) => number,
  { window, stride, onProgress }: OcclusionOptions = {},
): Promise<Saliency> {
  const { network, classNames } = classifier.model;
  const [, height, width] = network.input;
  const side = window ?? Math.max(1, Math.round(Math.min(height, width) / 8));
  const step = stride ?? Math.max(1, Math.floor(side / 2));
  checkSquare(side, step, Math.min(height, width));
  const [plain = new Float64Array()] = await probabilities(classifier, input, [undefined], side);
  const index = chooseClass(plain);
  const squares = starts(height, side, step).flatMap((top) => starts(width, side, step).map((left) => ({ left, top })));
  const probability = plain[index] as number;
  const hidden = await probabilitiesHidden(classifier, input, squares, side, index, onProgress);
  const effects = squares.map((square, i): Effect => ({ ...square, drop: probability - (hidden[i] as number) }));
  return {
    className: classNames[index] as string,
    probability,
    window: side,
    stride: step,
    most: effects.reduce((a, b) => (b.drop > a.drop ? b : a)),
    least: effects.reduce((a, b) => (b.drop < a.drop ? b : a)),
    drops: meanDrops(effects, side, [height, width]),
  };
}

/** Probability of one class with each square hidden. */
async function probabilitiesHidden(
  classifier: CompiledClassifier,
  input: Float32Array,
  squares: readonly Square[],
  side: number,
  index: number,
  onProgress: OcclusionOptions["onProgress"],
): Promise<readonly number[]> {
  // With dropout active, each row of a batch has its own random mask. One row at a time gives all squares the same mask.
  const together = classifier.isRandom ? 1 : classifier.program.batchSize;
  const found: number[] = [];
  for (let first = 0; first < squares.length; first += together) {
    const some = await probabilities(classifier, input, squares.slice(first, first + together), side);
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
  { program, model, head, file }: CompiledClassifier,
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

/** Mean over each pixel of the drops of the squares that cover it. */
function meanDrops(
  effects: readonly Effect[],
  side: number,
  [height, width]: readonly [number, number],
): readonly (readonly number[])[] {
  const sums = Array.from({ length: height }, () => new Float64Array(width));
  const counts = Array.from({ length: height }, () => new Float64Array(width));
  for (const { left, top, drop } of effects) {
    for (let y = top; y < top + side; y++) {
      const [sum, count] = [sums[y] as Float64Array, counts[y] as Float64Array];
      for (let x = left; x < left + side; x++) {
        sum[x] = (sum[x] as number) + drop;
        count[x] = (count[x] as number) + 1;
      }
    }
  }
  return sums.map((row, y) => Array.from(row, (sum, x) => sum / (counts[y]?.[x] as number)));
}
