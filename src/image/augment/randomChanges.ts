/** Random augmentation of one use of an image. */

import { fillWords, randomStream } from "../../random.ts";
import { type PixelSize, type Rectangle, wholeOf } from "../image.ts";
import { growing, imageOf } from "../prepare/fitter.ts";
import type { Patch, Planes } from "../prepare/normalize.ts";
import type { Draw } from "../prepare/windows.ts";
import type { Augmentation } from "./augmentation.ts";
import { createJitter } from "./jitter.ts";
import { lightingNoise, type PrincipalColours } from "./lighting.ts";
import { createReflectedShift } from "./reflectedShift.ts";
import { createWarp, drawAffine, flipRows, inverseMap } from "./warp.ts";

/** Random augmentation of one use of a training image, as a function of (seed, epoch, index) only. */
export interface RandomChanges {
  /** Selects use `index` of an image in an epoch for the following calls. */
  begin(epoch: number, index: number): void;
  /** Random numbers of the fit's crop window. */
  readonly crop: Draw;
  /** Jitters, shifts and flips a patch for an input of the given size; valid until the next call. */
  change(patch: Patch, size: PixelSize): Patch;
  /** Noise of each channel on the scale of 0 to 1; undefined for none. */
  noise(): readonly number[] | undefined;
  /** Changes a finished input: crop of its reflected border, rotation and affine map, vertical flip, a rectangle filled with the mean colour. */
  finish(planes: Planes): void;
}

/**
 * Creates the augmentation of a recipe from a seed.
 *
 * `colours` are the principal components of the training set's colours; without them, there is no colour noise.
 */
export function createRandomChanges(
  augmentation: Augmentation,
  seed: number,
  colours: PrincipalColours | undefined,
): RandomChanges {
  const { flip = 0, shift = 0, lighting, jitter, erase = 0, verticalFlip = 0, rotate = 0, affine } = augmentation;
  const { reflectCrop = 0 } = augmentation;
  const purposes = [
    "crop",
    "flip",
    "shift",
    "lighting",
    "jitter",
    "erase",
    "verticalFlip",
    "rotate",
    "affine",
    "reflectCrop",
  ] as const;
  const randomStreams = Object.fromEntries(
    purposes.map((purpose) => [purpose, createRandomNumbers(seed, purpose)]),
  ) as {
    readonly [P in (typeof purposes)[number]]: RandomNumbers;
  };
  const recolour = jitter && createJitter(jitter);
  const memory = growing();
  const warp = createWarp();
  const shiftReflected = createReflectedShift();
  return {
    begin(epoch, index) {
      for (const purpose of purposes) randomStreams[purpose].begin(epoch, index);
    },
    crop: randomStreams.crop.uniform,
    change(given, size) {
      let patch = given;
      if (recolour) {
        patch = copyOf(given, memory(given.width * given.height * given.channels));
        recolour(patch.data, patch.channels, randomStreams.jitter.uniform);
      }
      if (shift > 0) patch = moved(patch, size, shift, randomStreams.shift.uniform);
      return flip > 0 && randomStreams.flip.uniform() < flip ? { ...patch, flip: true } : patch;
    },
    noise: () => (lighting && colours ? lightingNoise(colours, lighting, randomStreams.lighting.gaussian) : undefined),
    finish(planes) {
      if (reflectCrop > 0) {
        const draw = randomStreams.reflectCrop.uniform;
        const right = drawDistance(reflectCrop, planes.width, draw);
        shiftReflected(planes, right, drawDistance(reflectCrop, planes.height, draw));
      }
      if (rotate > 0 || affine) {
        const values = drawAffine(augmentation, planes, randomStreams.rotate.uniform, randomStreams.affine.uniform);
        warp(planes, inverseMap(values, planes));
      }
      if (verticalFlip > 0 && randomStreams.verticalFlip.uniform() < verticalFlip) flipRows(planes);
      if (erase === 0 || randomStreams.erase.uniform() >= erase) return;
      const rectangle = eraseRectangle(planes, randomStreams.erase.uniform);
      if (rectangle) fillRectangle(planes, rectangle);
    },
  };
}

/** Fills a rectangle with 0, the mean colour. */
function fillRectangle({ target, offset, channels, width, height }: Planes, rectangle: Rectangle): void {
  for (let row = 0; row < channels * rectangle.height; row++) {
    const [c, y] = [Math.floor(row / rectangle.height), rectangle.top + (row % rectangle.height)];
    const start = offset + (c * height + y) * width + rectangle.left;
    target.fill(0, start, start + rectangle.width);
  }
}

/** Shifts a patch by whole pixels, up to a fraction of the input's sides; what leaves the input is cut off. */
function moved(patch: Patch, size: PixelSize, fraction: number, draw: Draw): Patch {
  const across = slide(patch.left, patch.width, patch.toLeft, size.width, fraction, draw);
  const down = slide(patch.top, patch.height, patch.toTop, size.height, fraction, draw);
  return {
    ...patch,
    left: across.from,
    width: across.extent,
    toLeft: across.to,
    top: down.from,
    height: down.extent,
    toTop: down.to,
  };
}

function slide(from: number, extent: number, to: number, limit: number, fraction: number, draw: Draw) {
  const moved = to + drawDistance(fraction, limit, draw);
  const start = Math.max(moved, 0);
  const end = Math.max(Math.min(moved + extent, limit), start);
  return { from: from + start - moved, extent: end - start, to: start };
}

/** A whole number of pixels, uniform up to a fraction of a side in either direction. */
function drawDistance(fraction: number, side: number, draw: Draw): number {
  const reach = Math.round(fraction * side);
  return Math.floor(draw() * (2 * reach + 1)) - reach;
}

/** Copies a patch to `memory`, without the image's other pixels. */
function copyOf(patch: Patch, memory: Uint8ClampedArray): Patch {
  const { data, rowBytes, channels, left, top, width, height, dataLeft, dataTop } = patch;
  for (let y = 0; y < height; y++) {
    const start = (top + y) * rowBytes + left * channels;
    memory.set(data.subarray(start, start + width * channels), y * width * channels);
  }
  const own = { data: imageOf(patch, channels, memory).data, rowBytes: width * channels, ...wholeOf(patch) };
  return { ...patch, ...own, dataLeft: dataLeft + left, dataTop: dataTop + top };
}

/**
 * Area fraction and logarithmic aspect ratio of an erased rectangle. Source: Zhong et al. 2017, §5.2, in torchvision's RandomErasing form.
 */
const area = { low: 0.02, high: 0.33 } as const;
const shape = { low: Math.log(0.3), high: Math.log(3.3) } as const;
const ATTEMPTS = 10;

/** Returns a random rectangle to erase, or undefined if none fits. */
export function eraseRectangle(size: PixelSize, draw: Draw): Rectangle | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const pixels = size.width * size.height * (area.low + draw() * (area.high - area.low));
    const ratio = Math.exp(shape.low + draw() * (shape.high - shape.low));
    const height = Math.round(Math.sqrt(pixels * ratio));
    const width = Math.round(Math.sqrt(pixels / ratio));
    if (height >= size.height || width >= size.width || height < 1 || width < 1) continue;
    const top = Math.floor(draw() * (size.height - height + 1));
    const left = Math.floor(draw() * (size.width - width + 1));
    return { left, top, width, height };
  }
  return undefined;
}

/** Random numbers of one use of an image: a function of (seed, purpose, epoch, index) and the number of earlier draws. */
export interface RandomNumbers {
  /** Selects a use of an image for the following calls. */
  begin(epoch: number, index: number): void;
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal, by Box and Muller. */
  gaussian(): number;
}

/** Number of random words per use; further draws repeat them. */
const WORDS = 64;
/** Words generated at a time; most uses need few. */
const CHUNK = 8;

/** Creates the random numbers of a purpose such as `"flip"`, independent of other purposes. */
export function createRandomNumbers(seed: number, purpose: string): RandomNumbers {
  const stream = randomStream(seed, `augment:${purpose}`);
  const words = new Uint32Array(CHUNK);
  let [epoch, index, used] = [0, 0, 0];
  const uniform = () => {
    if (used % CHUNK === 0) fillWords(stream, epoch, words, { first: index * WORDS + (used % WORDS) });
    return (words[used++ % CHUNK] as number) / 0x100000000;
  };
  return {
    begin(nextEpoch, nextIndex) {
      epoch = nextEpoch;
      index = nextIndex;
      used = 0;
    },
    uniform,
    gaussian() {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    },
  };
}
