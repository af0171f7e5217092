/** Random brightness, contrast, saturation and hue, bit-identical to torchvision's. */
import { lumaOf } from "../luma.ts";
import type { Draw } from "../prepare/fit.ts";
import type { Augmentation } from "./augmentation.ts";
import { createHueTurner } from "./hue.ts";

/** Recolours pixels in place. */
export type Jitter = (data: Uint8Array, channels: 1 | 3, draw: Draw) => void;

type Strength = NonNullable<Augmentation["jitter"]>;

/** One kind of recolouring, in place. `amount`: the factor, or for hue the part of the circle. */
type Adjustment = (data: Uint8Array, channels: 1 | 3, amount: number) => void;

/** In the order in which their amounts are drawn. */
const names = ["brightness", "contrast", "saturation", "hue"] as const satisfies readonly (keyof Strength)[];

/**
 * Makes a recolouring by random amounts in random order: factors uniform in 1 ± x, the hue's turn in ± x. It takes seven
 * draws whatever the strength: the four amounts, then the order (Fisher–Yates).
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
 * The four recolourings, each equal to Pillow's to the bit: by ImageEnhance a blend of the picture with black, with its mean
 * luma, with its luma: from + factor · (to − from) in float32, cut to a whole number and to 0 … 255. Grey has no saturation
 * or hue to change. Source: Pillow, src/libImaging/Blend.c.
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

/** `scaled[d + 255]`: the factor times the difference d of two levels. */
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

/** Rounded, a half up. Source: Pillow, ImageEnhance.Contrast. */
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
