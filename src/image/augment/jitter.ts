/** Random brightness, contrast, saturation and hue, bit-identical to torchvision's. */
import { lumaOf } from "../image.ts";
import type { Draw } from "../prepare/windows.ts";
import type { Augmentation } from "./augmentation.ts";

/** Adjusts the colours of pixels in place. */
export type Jitter = (data: Uint8Array, channels: 1 | 3, draw: Draw) => void;

type Strength = NonNullable<Augmentation["jitter"]>;

/** One colour adjustment in place. `amount`: the factor, or for hue the fraction of the circle. */
type Adjustment = (data: Uint8Array, channels: 1 | 3, amount: number) => void;

/** Names in the order in which amounts are drawn. */
const names = ["brightness", "contrast", "saturation", "hue"] as const satisfies readonly (keyof Strength)[];

/**
 * Creates colour jitter with random amounts in random order: factors uniform in 1 ± x, hue rotation in ± x. Always uses seven random
 * numbers: the four amounts, then the order (Fisher–Yates).
 *
 * Source: torchvision, ColorJitter.
 */
export function createJitter(strength: Strength): Jitter {
  const adjustments = createAdjustments();
  const amounts = new Float64Array(names.length);
  const order = Uint8Array.from(names, (_, i) => i);
  return (data, channels, draw) => {
    for (let i = 0; i < names.length; i++) {
      amounts[i] = (i < 3 ? 1 : 0) + (2 * draw() - 1) * strength[names[i] as keyof Strength];
      order[i] = i;
    }
    for (let i = names.length - 1; i > 0; i--) {
      const j = Math.floor(draw() * (i + 1));
      const swapped = order[i] as number;
      order[i] = order[j] as number;
      order[j] = swapped;
    }
    for (let i = 0; i < names.length; i++) {
      const name = names[order[i] as number] as keyof Strength;
      if (strength[name] > 0) adjustments[name](data, channels, amounts[order[i] as number] as number);
    }
  };
}

/**
 * The four adjustments, each bit-identical to Pillow's. ImageEnhance blends the image with black, its mean luma, or its luma: from + factor
 * · (to − from) in float32, truncated and clamped to 0 … 255. Grey images have no saturation or hue to change. Source: Pillow,
 * src/libImaging/Blend.c.
 */
export function createAdjustments(): Readonly<Record<keyof Strength, Adjustment>> {
  const scaled = new Float32Array(511);
  const table = new Uint8ClampedArray(256);
  const turnHue = createHueTurner();
  const scale = (factor: number) => {
    for (let i = 0; i < scaled.length; i++) scaled[i] = Math.fround(factor) * (i - 255);
  };
  const blendWith = (level: number, data: Uint8Array) => {
    for (let i = 0; i < 256; i++) table[i] = Math.fround(level + (scaled[255 + i - level] as number)) | 0;
    lookUp(data, table);
  };
  return {
    brightness(data, _channels, amount) {
      scale(amount);
      blendWith(0, data);
    },
    contrast(data, channels, amount) {
      scale(amount);
      blendWith(meanLuma(data, channels), data);
    },
    saturation(data, channels, amount) {
      if (channels === 1) return;
      scale(amount);
      saturate(new Uint8ClampedArray(data.buffer, data.byteOffset, data.length), scaled);
    },
    hue(data, channels, amount) {
      if (channels === 3) turnHue(data, Math.trunc(amount * 255));
    },
  };
}

function lookUp(data: Uint8Array, table: Uint8ClampedArray): void {
  const { length } = data;
  for (let i = 0; i < length; i++) data[i] = table[data[i] as number] as number;
}

/** `scaled[d + 255]` is the factor times the difference d of two levels. */
function saturate(rgb: Uint8ClampedArray, scaled: Float32Array): void {
  const { length } = rgb;
  for (let i = 0; i < length; i += 3) {
    const red = rgb[i] as number;
    const green = rgb[i + 1] as number;
    const blue = rgb[i + 2] as number;
    const luma = lumaOf(red, green, blue);
    const zero = 255 - luma;
    rgb[i] = Math.fround(luma + (scaled[zero + red] as number)) | 0;
    rgb[i + 1] = Math.fround(luma + (scaled[zero + green] as number)) | 0;
    rgb[i + 2] = Math.fround(luma + (scaled[zero + blue] as number)) | 0;
  }
}

/** Mean luma, with halves rounded up. Source: Pillow, ImageEnhance.Contrast. */
function meanLuma(data: Uint8Array, channels: 1 | 3): number {
  let sum = 0;
  if (channels === 1) for (let i = 0; i < data.length; i++) sum += data[i] as number;
  else {
    const { length } = data;
    for (let i = 0; i < length; i += 3) {
      sum += lumaOf(data[i] as number, data[i + 1] as number, data[i + 2] as number);
    }
  }
  return Math.floor(sum / (data.length / channels) + 0.5);
}

/** Rotates the hue of pixels in place: converts to 8-bit HSV, adds `turn` (of 256 steps, possibly negative), and converts back. */
export type HueTurner = (rgb: Uint8Array, turn: number) => void;

/** Index of the largest and smallest channel (red, green, blue) in each sixth of the hue circle. */
const most = Uint8Array.of(0, 1, 1, 2, 2, 0);
const least = Uint8Array.of(2, 2, 0, 0, 1, 1);

/** Precomputed arithmetic on levels, because a division per pixel is slow. */
interface Tables {
  /** `hues[sixth << 16 | range << 8 | third]`, with the range of the three levels and the third channel's distance from the largest. */
  readonly hues: Uint8Array;
  /** `saturations[range << 8 | value]` on the scale of 0 to 1, with the largest level as value. */
  readonly saturations: Float32Array;
  /** Sixth of each hue. */
  readonly sixths: Uint8Array;
  /** For each hue, distance of the third channel from the largest, relative to the range. */
  readonly ways: Float64Array;
}

/**
 * Creates a hue rotation that is bit-identical to Pillow and torchvision, including Pillow's float32 steps and torchvision's wrap at 256.
 * Even a rotation by 0 changes colours slightly, because hue has 8 bits.
 *
 * Source: Pillow, src/libImaging/Convert.c, rgb2hsv_row and hsv2rgb; torchvision, functional_pil.adjust_hue.
 */
function createHueTurner(): HueTurner {
  const { hues, saturations, sixths, ways } = createTables();
  return (rgb, turn) => {
    const { length } = rgb;
    for (let i = 0; i < length; i += 3) {
      const red = rgb[i] as number;
      const green = rgb[i + 1] as number;
      const blue = rgb[i + 2] as number;
      let before = 0;
      if (red >= green) before = green >= blue ? 0 : red >= blue ? 5 : 4;
      else before = red >= blue ? 1 : green >= blue ? 2 : 3;
      const [high, low] = [most[before] as number, least[before] as number];
      const value = rgb[i + high] as number;
      const range = value - (rgb[i + low] as number);
      if (range === 0) continue;
      const third = value - (rgb[i + 3 - high - low] as number);
      const hue = ((hues[(before << 16) | (range << 8) | third] as number) + turn) & 255;
      const saturation = saturations[(range << 8) | value] as number;
      const after = sixths[hue] as number;
      const [newHigh, newLow] = [most[after] as number, least[after] as number];
      rgb[i + newHigh] = value;
      rgb[i + newLow] = (value * (1 - saturation) + 0.5) | 0;
      rgb[i + 3 - newHigh - newLow] = (value * (1 - saturation * (ways[hue] as number)) + 0.5) | 0;
    }
  };
}

function createTables(): Tables {
  const hues = new Uint8Array(6 << 16);
  const saturations = new Float32Array(1 << 16);
  const [sixths, ways] = [new Uint8Array(256), new Float64Array(256)];
  for (let hue = 0; hue < 256; hue++) {
    const sixth = Math.floor((hue * 6) / 255);
    const fraction = Math.fround((hue * 6) / 255 - sixth);
    sixths[hue] = sixth % 6;
    ways[hue] = sixth % 2 === 1 ? fraction : 1 - fraction;
  }
  for (let range = 1; range < 256; range++) {
    for (let value = range; value < 256; value++) {
      saturations[(range << 8) | value] = Math.trunc(Math.fround(range / value) * 255) / 255;
    }
    for (let third = 0; third <= range; third++) {
      const distance = Math.fround(third / range);
      for (let sixth = 0; sixth < 6; sixth++) hues[(sixth << 16) | (range << 8) | third] = hueOf(sixth, distance);
    }
  }
  return { hues, saturations, sixths, ways };
}

/** Hue 0 … 255; `distance` is the third channel's relative distance from the largest. Pillow's terms that are 0 or 1 here are left out. */
function hueOf(sixth: number, distance: number): number {
  const start = sixth === 5 ? -1 : sixth;
  const position = Math.fround(sixth % 2 === 0 ? start + 1 - distance : start + distance);
  const turns = position / 6 + 1;
  return Math.trunc(Math.fround(turns >= 1 ? turns - 1 : turns) * 255);
}
