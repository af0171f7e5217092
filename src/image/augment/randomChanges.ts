/** Random augmentation of one use of an image. */

import { fillWords, randomStream } from "../../random.ts";
import { type PixelSize, type Rectangle, wholeOf } from "../image.ts";
import type { Draw } from "../prepare/fit.ts";
import { growing, imageOf } from "../prepare/fitter.ts";
import type { Patch, Planes } from "../prepare/normalize.ts";
import type { Augmentation } from "./augmentation.ts";
import { createJitter } from "./jitter.ts";
import { lightingNoise, type PrincipalColours } from "./lighting.ts";

/** The random changes of one use of a training image: a function of (seed, epoch, index) and nothing else. */
export interface RandomChanges {
  /** Starts use `index` of an image in an epoch: later calls are for that use. */
  begin(epoch: number, index: number): void;
  /** For the window that the fit takes. */
  readonly crop: Draw;
  /** Recoloured, moved and reflected, for an input of a size; valid until the next call. */
  change(patch: Patch, size: PixelSize): Patch;
  /** The noise added to each channel, on the scale of 0 to 1; undefined for none. */
  noise(): readonly number[] | undefined;
  /** Makes a rectangle of a finished input the mean colour, or nothing. */
  erase(planes: Planes): void;
}

/**
 * Makes what a recipe's augmentation says, with draws of a seed.
 *
 * `colours` are the principal components of the training set's colours; without them there is no noise along them.
 */
export function createRandomChanges(
  augmentation: Augmentation,
  seed: number,
  colours: PrincipalColours | undefined,
): RandomChanges {
  const { flip = 0, shift = 0, lighting, jitter, erase = 0 } = augmentation;
  const purposes = ["crop", "flip", "shift", "lighting", "jitter", "erase"] as const;
  const randomStreams = Object.fromEntries(
    purposes.map((purpose) => [purpose, createRandomNumbers(seed, purpose)]),
  ) as {
    readonly [P in (typeof purposes)[number]]: RandomNumbers;
  };
  const recolour = jitter && createJitter(jitter);
  const memory = growing();
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
    erase(planes) {
      if (erase === 0 || randomStreams.erase.uniform() >= erase) return;
      const rectangle = eraseRectangle(planes, randomStreams.erase.uniform);
      if (!rectangle) return;
      const { target, offset, channels, width, height } = planes;
      for (let row = 0; row < channels * rectangle.height; row++) {
        const [c, y] = [Math.floor(row / rectangle.height), rectangle.top + (row % rectangle.height)];
        const start = offset + (c * height + y) * width + rectangle.left;
        target.fill(0, start, start + rectangle.width);
      }
    },
  };
}

/** Moved within the input by a whole number of pixels each way, up to a share of its sides; what leaves it is cut off. */
function moved(patch: Patch, size: PixelSize, share: number, draw: Draw): Patch {
  const across = slide(patch.left, patch.width, patch.toLeft, size.width, share, draw);
  const down = slide(patch.top, patch.height, patch.toTop, size.height, share, draw);
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

function slide(from: number, extent: number, to: number, limit: number, share: number, draw: Draw) {
  const reach = Math.round(share * limit);
  const moved = to + Math.floor(draw() * (2 * reach + 1)) - reach;
  const start = Math.max(moved, 0);
  const end = Math.max(Math.min(moved + extent, limit), start);
  return { from: from + start - moved, extent: end - start, to: start };
}

/** The same patch of an image that has no other pixels, in `memory`. */
function copyOf(patch: Patch, memory: Uint8ClampedArray): Patch {
  const { data, rowBytes, channels, left, top, width, height, dataLeft, dataTop } = patch;
  for (let y = 0; y < height; y++) {
    const start = (top + y) * rowBytes + left * channels;
    memory.set(data.subarray(start, start + width * channels), y * width * channels);
  }
  const own = { data: imageOf(patch, channels, memory).data, rowBytes: width * channels, ...wholeOf(patch) };
  return { ...patch, ...own, dataLeft: dataLeft + left, dataTop: dataTop + top };
}

/** Share of the area, and shape, that a rectangle has. Source: Zhong et al. 2017, §5.2, as torchvision's RandomErasing has it. */
const area = { low: 0.02, high: 0.33 } as const;
const shape = { low: Math.log(0.3), high: Math.log(3.3) } as const;
const ATTEMPTS = 10;

/** A random rectangle to erase, or undefined if none fits. */
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

/** Numbers for one use of an image: a function of (seed, purpose, epoch, index) and of how many were drawn before. */
export interface RandomNumbers {
  /** Starts one use of an image: later calls are for that use. */
  begin(epoch: number, index: number): void;
  /** In [0, 1). */
  uniform(): number;
  /** From N(0, 1), by Box and Muller. */
  gaussian(): number;
}

/** Words of one use; from there on they repeat. */
const WORDS = 64;
/** Most uses need few words: so many are made at a time. */
const CHUNK = 8;

/** The draws for a purpose such as `"flip"`: the same whatever is drawn for others. */
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
